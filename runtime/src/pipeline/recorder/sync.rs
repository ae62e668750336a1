//! The thread that syncs the journal, so that the recorder does not wait for the disk.

use rulemill_journal::log::{SyncJob, Synced};
use tokio::sync::mpsc;

/// The way to the thread, which ends when this is dropped and its last sync has returned.
#[derive(Debug)]
pub(super) struct Syncer {
    jobs: mpsc::Sender<SyncJob>,
    busy: bool,
}

impl Syncer {
    /// Starts the thread. The receiver tells the end of each sync.
    pub(super) fn start() -> std::io::Result<(Self, mpsc::Receiver<Synced>)> {
        let (jobs, mut asked) = mpsc::channel::<SyncJob>(1);
        let (tell, done) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || {
                while let Some(job) = asked.blocking_recv() {
                    if tell.blocking_send(job.run()).is_err() {
                        return;
                    }
                }
            })?;
        Ok((Syncer { jobs, busy: false }, done))
    }

    /// Begins a sync. It must not be busy.
    pub(super) fn begin(&mut self, job: SyncJob) {
        self.busy = self.jobs.try_send(job).is_ok();
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// The end of the sync was told.
    pub(super) fn ended(&mut self) {
        self.busy = false;
    }
}
