//! The names of a simulated directory: which there are, and which a loss of power leaves.

use super::random::Random;
use std::collections::BTreeMap;

/// A directory: names of files by their numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    visible: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Since the last sync, in order.
    pending: Vec<Change>,
}

/// What changes at once, or not at all.
#[derive(Clone, Debug)]
struct Change {
    removed: Option<String>,
    put: Option<(String, usize)>,
}

impl Change {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        if let Some(removed) = self.removed {
            names.remove(&removed);
        }
        if let Some((name, file)) = self.put {
            names.insert(name, file);
        }
    }
}

impl Names {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.visible.get(name).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.visible.iter().map(|(name, file)| (name.as_str(), *file))
    }

    pub(super) fn put(&mut self, name: &str, file: usize) {
        self.change(None, Some((name.to_owned(), file)));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.change(Some(name.to_owned()), None);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, file: usize) {
        self.change(Some(from.to_owned()), Some((to.to_owned(), file)));
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.visible);
        self.pending.clear();
    }

    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let changes = std::mem::take(&mut self.pending);
        let kept = match random.below(4) {
            0 => 0,
            1 => changes.len(),
            _ => random.below(changes.len() + 1),
        };
        let in_order = random.coin();
        for (at, change) in changes.into_iter().enumerate() {
            let survives = if in_order { at < kept } else { random.coin() };
            if survives {
                change.apply(&mut self.durable);
            }
        }
        self.visible.clone_from(&self.durable);
    }

    fn change(&mut self, removed: Option<String>, put: Option<(String, usize)>) {
        let change = Change { removed, put };
        change.clone().apply(&mut self.visible);
        self.pending.push(change);
    }
}
