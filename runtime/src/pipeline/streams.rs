//! The streams of one mill thread: which messages belong to which, and how they become columns.

use super::command::StreamKey;
use crate::clock;
use crate::decode::{BadMessage, Decoded, Decoder};
use crate::emit::Array;
use crate::message::Message;
use crate::rule::MillGuests;
use rulemill_core::{Bounds, HashSeed, Micros, Mistyped, Output, Stream, StreamBatch, TopicId, TopicTable};
use std::time::Duration;

/// Messages of one source, with their topics by number.
pub(super) struct SourceBatch<'a> {
    pub(super) source: &'a str,
    pub(super) messages: &'a [&'a Message],
    pub(super) topics: &'a [TopicId],
    pub(super) table: &'a TopicTable,
}

/// One stream with its decoder and the buffers of its batch.
pub(super) struct StreamEntry {
    key: StreamKey,
    pub(super) stream: Stream,
    decoder: Decoder,
    fields_version: Option<u64>,
    /// Per topic: whether the stream's filters match it. Void when the topic table starts a new generation.
    matches: Vec<Option<bool>>,
    matches_generation: u64,
    batch: BatchBuffers,
    /// The emission of which there are only pieces yet.
    pub(super) pieces: Array,
}

/// The rows of the batch at hand.
#[derive(Default)]
struct BatchBuffers {
    /// Positions, in what was handed in, of the messages that belong to the stream.
    selected: Vec<u32>,
    decoded: Decoded,
    arrivals: Vec<Micros>,
    topics: Vec<TopicId>,
    mistyped: Vec<Mistyped>,
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
            mistyped: &batch.mistyped,
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
            if self.belongs(topic, table) {
                self.batch.selected.push(position);
            }
        }
    }

    #[inline]
    fn belongs(&mut self, topic: TopicId, table: &TopicTable) -> bool {
        let index = topic.0 as usize;
        if let Some(Some(known)) = self.matches.get(index) {
            return *known;
        }
        if self.matches.len() <= index {
            self.matches.resize(index + 1, None);
        }
        let name = table.name(topic);
        let belongs = self.key.filters.iter().any(|filter| filter.matches(name));
        self.matches[index] = Some(belongs);
        belongs
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
        batch.arrivals.extend(good().map(|at| given.messages[at].arrival));
        batch.topics.clear();
        batch.topics.extend(good().map(|at| given.topics[at]));
        batch.mistyped.clear();
        let mistyped = batch.decoded.mistyped.iter();
        batch
            .mistyped
            .extend(mistyped.map(|&(row, field)| Mistyped { row, field }));
    }
}
