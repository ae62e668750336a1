//! Lines of text to a file or to standard output, from a thread of its own, so that a disk or a pipe that blocks holds
//! up nothing else. Sinks and dead letters write through it.

mod rotating_file;
mod stdout;
mod thread;

pub(crate) use rotating_file::RotatingFile;
pub(crate) use stdout::Stdout;
pub(crate) use thread::WriterThread;

use std::io;

/// Something that takes whole lines.
pub(crate) trait Output: Send + 'static {
    /// Writes `lines`, each with its newline, and removes from the front what was written: after an error, what is left
    /// can be tried again without writing a line twice.
    fn write(&mut self, lines: &mut Vec<u8>) -> io::Result<()>;
}
