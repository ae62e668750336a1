//! Shares the topic names of messages, so that a device's thousandth message does not allocate its topic again.

use std::sync::Arc;

/// Recently seen topic names. A name that is not among them costs an allocation and takes the slot of another.
#[derive(Debug)]
pub(crate) struct TopicNames {
    /// One name a slot, found by hash; the length is a power of two.
    slots: Box<[Option<Arc<str>>]>,
}

impl TopicNames {
    pub(crate) fn new() -> Self {
        TopicNames {
            slots: vec![None; SLOTS].into_boxed_slice(),
        }
    }

    /// `topic` as a shared text.
    pub(crate) fn share(&mut self, topic: &str) -> Arc<str> {
        let slot = &mut self.slots[slot_of(topic)];
        match slot {
            Some(name) if **name == *topic => Arc::clone(name),
            _ => Arc::clone(slot.insert(Arc::from(topic))),
        }
    }
}

/// The names kept.
const SLOTS: usize = 4096;

/// FNV-1a: topics are short, and a collision provoked on purpose only costs what every message would cost without
/// this table.
fn slot_of(topic: &str) -> usize {
    let hash = topic.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ (hash >> 16)) as usize & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_topic_is_the_same_text() {
        let mut names = TopicNames::new();
        let first = names.share("devices/1/messages");
        assert!(Arc::ptr_eq(&first, &names.share("devices/1/messages")));
        assert_eq!(&*names.share("devices/2/messages"), "devices/2/messages");
    }

    #[test]
    fn colliding_topics_stay_themselves() {
        let mut names = TopicNames::new();
        for round in 0..2 {
            for device in 0..3 * SLOTS {
                let topic = format!("devices/{device}");
                assert_eq!(*names.share(&topic), *topic, "round {round}");
            }
        }
    }
}
