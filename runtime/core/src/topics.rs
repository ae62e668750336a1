//! Topic names as small numbers, so that work that depends on the topic alone is done once a topic, not once a message.

use crate::HashSeed;
use hashbrown::HashTable;

/// The most topics that a table keeps.
pub const TOPICS_MAX: usize = 65_536;

/// The most bytes of names that a table keeps.
pub const TOPIC_BYTES_MAX: usize = 16 << 20;

/// A topic's number in its [`TopicTable`]; it means nothing after the table's generation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u32);

impl TopicId {
    /// The number as an index.
    #[inline]
    pub(crate) fn position(self) -> usize {
        self.0 as usize
    }
}

/// The topics seen by one thread, shared by its streams.
///
/// Call [`TopicTable::make_room`] before each batch, then [`TopicTable::intern`] for each of its messages: the table
/// forgets everything when it passes [`TOPICS_MAX`] or [`TOPIC_BYTES_MAX`], but only in `make_room`, so the numbers
/// within a batch always belong together. A change of [`TopicTable::generation`] tells streams to forget what they
/// remember of topics; that costs time, never a result.
#[derive(Debug)]
pub struct TopicTable {
    seed: HashSeed,
    names: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
    generation: u64,
}

impl TopicTable {
    /// No topics. The seed is for the hashes of names.
    pub fn new(seed: HashSeed) -> Self {
        TopicTable {
            seed,
            names: String::new(),
            ends: Vec::new(),
            table: HashTable::new(),
            generation: 0,
        }
    }

    /// Forgets all topics, and starts a new generation, if the table is full.
    pub fn make_room(&mut self) {
        if self.ends.len() >= TOPICS_MAX || self.names.len() >= TOPIC_BYTES_MAX {
            self.names.clear();
            self.ends.clear();
            self.table.clear();
            self.generation += 1;
        }
    }

    /// The number of a topic, new or known.
    pub fn intern(&mut self, name: &str) -> TopicId {
        let hash = self.seed.bytes(name.as_bytes());
        if let Some(&id) = self.table.find(hash, |&id| self.name(TopicId(id)) == name) {
            return TopicId(id);
        }
        let id = u32::try_from(self.ends.len()).expect("a table holds little more than TOPICS_MAX topics");
        self.names.push_str(name);
        self.ends.push(self.names.len());
        let (seed, names, ends) = (&self.seed, &self.names, &self.ends);
        self.table
            .insert_unique(hash, id, |&id| seed.bytes(name_of(names, ends, id as usize).as_bytes()));
        TopicId(id)
    }

    /// The name of a topic of this generation.
    pub fn name(&self, id: TopicId) -> &str {
        name_of(&self.names, &self.ends, id.position())
    }

    /// How many topics there are; numbers are below this.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no topics.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How often the table has forgotten its topics.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

fn name_of<'a>(names: &'a str, ends: &[usize], position: usize) -> &'a str {
    let start = if position == 0 { 0 } else { ends[position - 1] };
    &names[start..ends[position]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_keeps_its_number() {
        let mut topics = TopicTable::new(HashSeed::new(1));
        let ids: Vec<TopicId> = (0..1000).map(|n| topics.intern(&format!("devices/{n}"))).collect();
        for (n, &id) in ids.iter().enumerate() {
            assert_eq!(topics.intern(&format!("devices/{n}")), id);
            assert_eq!(topics.name(id), format!("devices/{n}"));
        }
        assert_eq!((topics.len(), topics.generation()), (1000, 0));
    }

    #[test]
    fn a_full_table_forgets_between_batches_only() {
        let mut topics = TopicTable::new(HashSeed::new(1));
        for n in 0..TOPICS_MAX + 10 {
            topics.intern(&n.to_string());
        }
        assert_eq!((topics.len(), topics.generation()), (TOPICS_MAX + 10, 0));
        topics.make_room();
        assert_eq!((topics.len(), topics.generation()), (0, 1));
        assert_eq!(topics.intern("again"), TopicId(0));
        topics.make_room();
        assert_eq!((topics.len(), topics.generation()), (1, 1));
    }

    #[test]
    fn long_names_fill_the_table_too() {
        let mut topics = TopicTable::new(HashSeed::new(1));
        let long = "x".repeat(65_000);
        for n in 0..TOPIC_BYTES_MAX / 65_000 + 1 {
            topics.intern(&format!("{long}{n}"));
        }
        topics.make_room();
        assert_eq!((topics.len(), topics.generation()), (0, 1));
    }
}
