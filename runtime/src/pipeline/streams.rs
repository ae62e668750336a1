//! The streams of one mill thread: which messages belong to which, and how they become columns.

use super::command::StreamKey;
use crate::clock;
use crate::decode::{BadMessage, Decoded, Decoder};
use crate::emit::Array;
use crate::message::{Audience, Message};
use crate::rule::MillGuests;
use rulemill_core::{Bounds, HashSeed, Micros, Output, Stream, StreamBatch, TopicId, TopicTable};
use std::time::Duration;

/// Messages of one source for one audience, with their topics by number.
pub(super) struct SourceBatch<'a> {
    pub(super) source: &'a str,
    pub(super) audience: &'a Audience,
    pub(super) messages: &'a [&'a Message],
    pub(super) topics: &'a [TopicId],
    pub(super) table: &'a TopicTable,
    /// The time of arrival by now. A later stamp is from before that clock was set back, and counts as this one.
    pub(super) now: Micros,
}

/// One stream with its decoder and the buffers of its batch.
pub(super) struct StreamEntry {
    key: StreamKey,
    pub(super) stream: Stream,
    decoder: Decoder,
    fields_version: Option<u64>,
    /// Per topic: which of the stream's filters is for it. Void when the topic table starts a new generation.
    matches: Vec<Match>,
    matches_generation: u64,
    batch: BatchBuffers,
    /// The emission of which there are only pieces yet.
    pub(super) pieces: Array,
}

/// Which filter of a stream is for a topic: the first that matches.
#[derive(Clone, Copy, Debug)]
enum Match {
    NotKnownYet,
    None,
    /// Its position among the stream's filters.
    Filter(u8),
    /// One further back than can be noted: there is an entry for each topic in each stream, so that it must be small.
    FurtherBack,
}

/// The rows of the batch at hand.
#[derive(Default)]
struct BatchBuffers {
    /// Positions, in what was handed in, of the messages that belong to the stream.
    selected: Vec<u32>,
    decoded: Decoded,
    arrivals: Vec<Micros>,
    topics: Vec<TopicId>,
}

impl StreamEntry {
    pub(super) fn new(key: StreamKey, bounds: Bounds, seed: HashSeed) -> Self {
        StreamEntry {
            key,
            stream: Stream::new(bounds, seed),
            decoder: Decoder::new(&[]),
            fields_version: None,
            matches: Vec::new(),
            matches_generation: 0,
            batch: BatchBuffers::default(),
            pieces: Array::default(),
        }
    }

    pub(super) fn key(&self) -> &StreamKey {
        &self.key
    }

    /// Picks the messages that belong to the stream, decodes them, and runs its rules over them. Gives the time that
    /// decoding took, if there were any.
    pub(super) fn process(
        &mut self,
        given: &SourceBatch<'_>,
        guests: &mut MillGuests,
        output: &mut Output,
    ) -> Option<Duration> {
        self.process_with(given, None, guests, output)
    }

    /// Runs one rule alone over the messages.
    pub(super) fn process_for(
        &mut self,
        rule: &str,
        given: &SourceBatch<'_>,
        guests: &mut MillGuests,
        output: &mut Output,
    ) {
        let _decoding = self.process_with(given, Some(rule), guests, output);
    }

    fn process_with(
        &mut self,
        given: &SourceBatch<'_>,
        only: Option<&str>,
        guests: &mut MillGuests,
        output: &mut Output,
    ) -> Option<Duration> {
        self.select(given);
        if self.batch.selected.is_empty() {
            return None;
        }
        let started = clock::monotonic();
        self.decode(given);
        let decoding = clock::monotonic().duration_since(started);
        if self.batch.decoded.rows == 0 {
            return Some(decoding);
        }
        let batch = &self.batch;
        let rows = StreamBatch {
            rows: batch.decoded.rows,
            arrivals: &batch.arrivals,
            topics: &batch.topics,
            topic_names: given.table,
            columns: &batch.decoded.columns,
            mistyped: &batch.decoded.mistyped,
        };
        match only {
            None => self.stream.process(&rows, guests, output),
            Some(rule) => self.stream.process_for(rule, &rows, guests, output),
        }
        Some(decoding)
    }

    /// The positions, in what was handed in, of the messages that became the rows of the last batch.
    pub(super) fn rows(&self) -> &[u32] {
        if self.batch.selected.is_empty() {
            &[]
        } else {
            &self.batch.decoded.good
        }
    }

    /// The messages of the last batch that could not become rows; positions are those of what was handed in.
    pub(super) fn bad(&self) -> &[BadMessage] {
        if self.batch.selected.is_empty() {
            &[]
        } else {
            &self.batch.decoded.bad
        }
    }

    /// The position, in what was handed in, of the message that became row `row` of the last batch.
    pub(super) fn message_of(&self, row: u32) -> usize {
        self.batch.decoded.good[row as usize] as usize
    }

    fn select(&mut self, given: &SourceBatch<'_>) {
        let table = given.table;
        if self.matches_generation != table.generation() {
            self.matches.clear();
            self.matches_generation = table.generation();
        }
        self.batch.selected.clear();
        for (position, &topic) in (0..).zip(given.topics) {
            let for_stream = match self.filter_of(topic, table) {
                Match::NotKnownYet | Match::None => false,
                Match::Filter(filter) => {
                    let takes = given.audience.takes_first(&self.key.filters[usize::from(filter)]);
                    takes.unwrap_or_else(|| self.takes(topic, given))
                }
                Match::FurtherBack => given.audience.is(&Audience::All) || self.takes(topic, given),
            };
            if for_stream {
                self.batch.selected.push(position);
            }
        }
    }

    #[inline]
    fn filter_of(&mut self, topic: TopicId, table: &TopicTable) -> Match {
        let index = topic.0 as usize;
        if let Some(known @ (Match::None | Match::Filter(_) | Match::FurtherBack)) = self.matches.get(index) {
            return *known;
        }
        if self.matches.len() <= index {
            self.matches.resize(index + 1, Match::NotKnownYet);
        }
        let name = table.name(topic);
        let found = match self.key.filters.iter().position(|filter| filter.matches(name)) {
            None => Match::None,
            Some(filter) => u8::try_from(filter).map_or(Match::FurtherBack, Match::Filter),
        };
        self.matches[index] = found;
        found
    }

    /// Whether the stream takes a message to `topic`, by all of its filters.
    fn takes(&self, topic: TopicId, given: &SourceBatch<'_>) -> bool {
        let name = given.table.name(topic);
        let matching = self.key.filters.iter().filter(|filter| filter.matches(name));
        given.audience.takes(matching)
    }

    fn decode(&mut self, given: &SourceBatch<'_>) {
        if self.fields_version != Some(self.stream.fields_version()) {
            self.decoder = Decoder::new(self.stream.fields());
            self.fields_version = Some(self.stream.fields_version());
        }
        let batch = &mut self.batch;
        let selected = batch.selected.iter().map(|&at| (at, given.messages[at as usize]));
        self.decoder.decode(given.source, selected, &mut batch.decoded);
        let good = || batch.decoded.good.iter().map(|&at| at as usize);
        batch.arrivals.clear();
        let stamp = |at: usize| given.messages[at].arrival.min(given.now);
        batch.arrivals.extend(good().map(stamp));
        batch.topics.clear();
        batch.topics.extend(good().map(|at| given.topics[at]));
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::Role;
    use super::*;
    use crate::message::Served;
    use crate::topic::TopicFilter;
    use std::sync::Arc;

    /// Which of these topics belong to a stream of `filters` when they come for `audience`.
    fn selected(filters: &[String], topics: &[&str], audience: &Audience) -> Vec<u32> {
        let key = StreamKey {
            role: Role::Runs,
            source: None,
            filters: filters.iter().map(|text| TopicFilter::parse(text).unwrap()).collect(),
        };
        let mut entry = StreamEntry::new(key, Bounds::default(), HashSeed::new(1));
        let mut table = TopicTable::new(HashSeed::new(1));
        let topics: Vec<TopicId> = topics.iter().map(|topic| table.intern(topic)).collect();
        let given = SourceBatch {
            source: "default",
            audience,
            messages: &[],
            topics: &topics,
            table: &table,
            now: Micros(0),
        };
        // The second time it is remembered.
        entry.select(&given);
        let first = std::mem::take(&mut entry.batch.selected);
        entry.select(&given);
        assert_eq!(first, entry.batch.selected);
        first
    }

    fn audience(here: &[&str], nowhere: &[&str]) -> Audience {
        let filters = |texts: &[&str]| texts.iter().map(|text| TopicFilter::parse(text).unwrap()).collect();
        Audience::Some(Arc::new(Served {
            here: filters(here),
            nowhere: filters(nowhere),
        }))
    }

    #[test]
    fn a_message_belongs_to_a_stream_by_the_first_filter_that_matches_it() {
        let filters = ["+/b", "a/+"].map(str::to_owned);
        let topics = ["a/b", "a/c", "c/b", "c/d"];
        for (audience, expect) in [
            (Audience::All, &[0_u32, 1, 2][..]),
            (audience(&["+/b", "a/+"], &[]), &[0, 1, 2]),
            // Of two copies, one for each filter, one is taken.
            (audience(&["+/b"], &[]), &[0, 2]),
            (audience(&["a/+"], &[]), &[1]),
            (audience(&["#"], &[]), &[]),
            // There is no other copy when nobody brings any for the first filter.
            (audience(&["a/+"], &["+/b"]), &[0, 1]),
            (audience(&["+/b"], &["a/+"]), &[0, 2]),
            (audience(&["#"], &["+/b", "a/+"]), &[]),
        ] {
            assert_eq!(selected(&filters, &topics, &audience), expect, "{audience:?}");
        }
    }

    #[test]
    fn filters_far_back_belong_like_others() {
        let filters: Vec<String> = (0..1000).map(|number| format!("a/{number:04}")).collect();
        let topics = ["a/0999", "a/0000", "b"];
        assert_eq!(selected(&filters, &topics, &Audience::All), [0, 1]);
        assert_eq!(selected(&filters, &topics, &audience(&["a/0999"], &[])), [0]);
        assert_eq!(selected(&filters, &topics, &audience(&["a/0000"], &["a/0999"])), [1]);
    }
}
