//! What the steps of a fold remember.

use super::Fold;
use crate::HashSeed;
use crate::memory::Memory;

impl Fold {
    /// Whether steps remember something.
    pub(crate) fn remembers(&self) -> bool {
        !self.memories.iter().all(Memory::is_empty)
    }

    /// Makes the memories of the steps, unless they are there.
    pub(super) fn begin_to_remember(&mut self, seed: &HashSeed) {
        if self.memories.is_empty() {
            let steps = self.program.memories();
            self.memories.extend(steps.map(|step| Memory::new(step, seed)));
        }
    }
}
