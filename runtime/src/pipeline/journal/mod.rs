//! The journal as the pipeline keeps it: everything that happens to the mills' state, in the order of the recorder.
//!
//! ```text
//! DATA/journal/       the log: messages, the batches that they became, ticks, changes of code
//! DATA/checkpoints/   the state of all mills at a position of the log, twice
//! DATA/code/          the code that these speak of
//! DATA/outbox/SINK/   what a sink has not delivered
//! ```
//!
//! The recorder writes ([`writing`]), a task of its own takes checkpoints ([`checkpointing`]), and at the start the newest checkpoint is read
//! and what follows it is done again ([`recovery`], [`replay`]). The formats are those of `rulemill-journal`; what changes of code and checkpoints
//! say is JSON ([`change`], [`state`]).

pub(super) mod change;
pub(super) mod checkpointing;
pub(super) mod code;
pub(super) mod recovery;
mod replay;
pub(super) mod state;
pub(super) mod writing;

use rulemill_journal::{Directory, DirectoryError, Storage};
use std::path::Path;
use std::sync::Arc;

/// The folders of a journal, which belong to this process.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    pub(super) log: Arc<dyn Storage>,
    pub(super) checkpoints: Arc<dyn Storage>,
    pub(super) code: code::CodeStore,
}

impl Folders {
    /// Those of a data directory; made if they are not there.
    pub(super) fn open(data_dir: &Path) -> Result<Self, DirectoryError> {
        Ok(Folders {
            log: Arc::new(Directory::open(&data_dir.join("journal"))?),
            checkpoints: Arc::new(Directory::open(&data_dir.join("checkpoints"))?),
            code: code::CodeStore::new(data_dir),
        })
    }

    /// Whether an earlier process kept anything there.
    pub(super) fn are_used(data_dir: &Path) -> bool {
        let some = |name: &str| {
            let entries = std::fs::read_dir(data_dir.join(name));
            entries.is_ok_and(|mut entries| entries.next().is_some())
        };
        some("journal") || some("checkpoints")
    }
}
