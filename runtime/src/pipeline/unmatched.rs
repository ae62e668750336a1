//! Messages that no rule listens to: they are counted, and told of once a topic.

use crate::topic::TopicFilter;
use rulemill_core::{TopicId, TopicTable};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What the rules listen to, by the name of the source.
pub(super) type SourceFilters = HashMap<Arc<str>, watch::Receiver<Vec<TopicFilter>>>;

/// Decides, once a topic, whether any rule listens to it.
pub(super) struct Unmatched {
    filters: watch::Receiver<SourceFilters>,
    sources: HashMap<Arc<str>, Source>,
}

struct Source {
    filters: watch::Receiver<Vec<TopicFilter>>,
    /// By topic; void when the filters or the topic table's generation change.
    known: Vec<Option<bool>>,
    generation: u64,
}

impl Unmatched {
    /// Compares with these filters. Sources may come and go.
    pub(super) fn new(mut filters: watch::Receiver<SourceFilters>) -> Self {
        filters.mark_changed();
        Unmatched {
            filters,
            sources: HashMap::new(),
        }
    }

    /// How many of these messages of `source` no rule listens to.
    pub(super) fn count(&mut self, source: &str, topics: &[TopicId], table: &TopicTable) -> u64 {
        // When nobody can change the sources any more, those that are known stay.
        if self.filters.has_changed().unwrap_or(false) {
            self.take_sources();
        }
        let Some(source) = self.sources.get_mut(source) else {
            return 0;
        };
        if source.generation != table.generation() || source.filters.has_changed().unwrap_or(false) {
            source.filters.mark_unchanged();
            source.generation = table.generation();
            source.known.clear();
        }
        topics.iter().filter(|topic| !source.matches(**topic, table)).count() as u64
    }

    fn take_sources(&mut self) {
        let filters = self.filters.borrow_and_update();
        let sources = filters.iter().map(|(name, filters)| {
            let source = Source {
                filters: filters.clone(),
                known: Vec::new(),
                generation: 0,
            };
            (Arc::clone(name), source)
        });
        self.sources = sources.collect();
    }
}

impl Source {
    fn matches(&mut self, topic: TopicId, table: &TopicTable) -> bool {
        let index = topic.0 as usize;
        if let Some(Some(known)) = self.known.get(index) {
            return *known;
        }
        if self.known.len() <= index {
            self.known.resize(index + 1, None);
        }
        let name = table.name(topic);
        let matches = self.filters.borrow().iter().any(|filter| filter.matches(name));
        if !matches {
            tracing::debug!(topic = name, "no rule listens to this topic");
        }
        self.known[index] = Some(matches);
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_core::HashSeed;

    fn channel(filters: &[&str]) -> (watch::Sender<Vec<TopicFilter>>, watch::Receiver<Vec<TopicFilter>>) {
        watch::channel(filters.iter().map(|text| TopicFilter::parse(text).unwrap()).collect())
    }

    #[test]
    fn sources_that_come_later_count_and_those_that_change_are_looked_at_again() {
        let mut table = TopicTable::new(HashSeed::new(1));
        let topics = ["a/1", "a/2", "b/1"].map(|topic| table.intern(topic));
        let (first, receiver) = channel(&["a/+"]);
        let (sources, changes) = watch::channel(SourceFilters::from([("first".into(), receiver)]));
        let mut unmatched = Unmatched::new(changes);
        let mut count = |source| unmatched.count(source, &topics, &table);
        assert_eq!((count("first"), count("second")), (1, 0));

        let (second, receiver) = channel(&["b/+"]);
        sources.send_modify(|sources| drop(sources.insert("second".into(), receiver)));
        assert_eq!((count("first"), count("second")), (1, 2));

        first.send_replace(Vec::new());
        assert_eq!((count("first"), count("second")), (3, 2));

        // Another channel under the same name, as after a removal.
        drop(second);
        let (_second, receiver) = channel(&["#"]);
        sources.send_modify(|sources| drop(sources.insert("second".into(), receiver)));
        assert_eq!(count("second"), 0);

        drop((first, sources));
        assert_eq!(count("first"), 3);
    }
}
