//! Standard output.

use super::Output;
use std::io::{self, Write};

/// Standard output, locked for each write, so that lines of other threads do not fall into ours.
#[derive(Debug)]
pub(crate) struct Stdout;

impl Output for Stdout {
    fn write(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        while !lines.is_empty() {
            match stdout.write(lines) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(lines.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        stdout.flush()
    }
}
