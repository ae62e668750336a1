//! Messages that no rule listens to: they are counted, and told of once a topic.

use crate::topic::TopicFilter;
use rulemill_core::{TopicId, TopicTable};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Decides, once a topic, whether any rule listens to it.
pub(super) struct Unmatched {
    sources: HashMap<Arc<str>, Source>,
}

struct Source {
    filters: watch::Receiver<Vec<TopicFilter>>,
    /// By topic; void when the filters or the topic table's generation change.
    known: Vec<Option<bool>>,
    generation: u64,
}

impl Unmatched {
    /// Compares with these filters, by the name of the source.
    pub(super) fn new(filters: HashMap<Arc<str>, watch::Receiver<Vec<TopicFilter>>>) -> Self {
        let sources = filters.into_iter().map(|(name, filters)| {
            let source = Source {
                filters,
                known: Vec::new(),
                generation: 0,
            };
            (name, source)
        });
        Unmatched {
            sources: sources.collect(),
        }
    }

    /// How many of these messages of `source` no rule listens to.
    pub(super) fn count(&mut self, source: &str, topics: &[TopicId], table: &TopicTable) -> u64 {
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
