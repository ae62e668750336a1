//! A fold's state as bytes, and back.

use super::Fold;
use crate::HashSeed;
use crate::memory::Memory;
use crate::program::{FoldProgram, Timing};
use crate::sequence::Sequence;
use crate::shared::Link;
use crate::snapshot::{SnapshotError, Source, Writer};
use crate::watermark::Watermark;
use crate::window::OpenWindow;
use std::sync::Arc;

impl Fold {
    /// Its state; the program and its members are written elsewhere.
    pub(crate) fn write(&self, to: &mut Writer) {
        let idle = match self.timing {
            Timing::Event(timing) => timing.idle,
            Timing::PerBatch | Timing::Arrival => None,
        };
        to.option_i64(idle);
        self.watermark.write(to);
        to.count(self.windows.len());
        for window in &self.windows {
            window.write(to);
        }
        if let Some(sequence) = &self.sequence {
            sequence.write(to);
        }
        if self.program.memories().next().is_some() {
            to.count(self.memories.len());
            for memory in &self.memories {
                memory.write(to);
            }
        }
    }

    /// A fold without members, with the state of one whose program had the same shape.
    pub(crate) fn read(
        program: Arc<FoldProgram>,
        links: Vec<Link>,
        seed: &HashSeed,
        from: &mut Source<'_>,
    ) -> Result<Self, SnapshotError> {
        let mut fold = Fold::new(program, links);
        let idle = from.option_i64()?;
        if let Timing::Event(timing) = &mut fold.timing {
            timing.idle = idle;
        }
        fold.watermark = Watermark::read(from)?;
        for _ in 0..from.count()? {
            let window = OpenWindow::read(&fold.program, seed, from)?;
            let after = |last: &OpenWindow| last.start <= window.start && last.end <= window.end;
            if !fold.windows.back().is_none_or(after) {
                return Err(SnapshotError::Damaged("windows that are not in order"));
            }
            fold.windows.push_back(window);
        }
        if let Some(kept) = &fold.program.kept {
            if fold.windows.len() > 1 {
                return Err(SnapshotError::Damaged("more open windows than there may be"));
            }
            fold.sequence = Some(Sequence::read(kept, from)?);
        }
        fold.read_memories(seed, from)?;
        Ok(fold)
    }

    fn read_memories(&mut self, seed: &HashSeed, from: &mut Source<'_>) -> Result<(), SnapshotError> {
        let program = Arc::clone(&self.program);
        let steps = program.memories().count();
        let written = if steps > 0 { from.u32()? as usize } else { 0 };
        if written != 0 && written != steps {
            return Err(SnapshotError::Damaged(
                "not as many memories as there are steps that remember",
            ));
        }
        for step in program.memories().take(written) {
            self.memories.push(Memory::read(step, seed, from)?);
        }
        Ok(())
    }
}
