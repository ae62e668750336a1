//! The thread that writes.

use super::Output;
use std::io;
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// A thread with an output. It ends when this is dropped and its last write has returned; nobody waits for it, because
/// a pipe that nobody reads may hold it for ever.
#[derive(Debug)]
pub(crate) struct WriterThread {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    lines: Vec<u8>,
    written: oneshot::Sender<(Vec<u8>, io::Result<()>)>,
}

impl WriterThread {
    /// Starts the thread, called `name`.
    pub(crate) fn spawn(name: &str, mut output: impl Output) -> io::Result<Self> {
        let (sender, mut receiver) = mpsc::channel::<Job>(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(Job { mut lines, written }) = receiver.blocking_recv() {
                let result = output.write(&mut lines);
                // Nobody waits any more when the sink stopped meanwhile.
                let _ = written.send((lines, result));
            }
        })?;
        Ok(WriterThread { jobs: sender })
    }

    /// Writes `lines` and gives back what could not be written, and the buffer. When cancelled, they may still be
    /// written.
    pub(crate) async fn write(&self, lines: Vec<u8>) -> (Vec<u8>, io::Result<()>) {
        let (written, answer) = oneshot::channel();
        if let Err(mpsc::error::SendError(job)) = self.jobs.send(Job { lines, written }).await {
            return (job.lines, Err(ended()));
        }
        answer.await.unwrap_or_else(|_| (Vec::new(), Err(ended())))
    }
}

fn ended() -> io::Error {
    io::Error::other("the writer thread has ended")
}
