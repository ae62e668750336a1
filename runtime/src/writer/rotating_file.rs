//! A file of lines that is rotated by size: `path`, then `path.1` (the youngest), `path.2`, ...
//!
//! Somebody else may rotate it as well: when `path` no longer is the file that is open, a new one is made. A line is
//! written whole or not at all, as far as the file system lets us take half a line back.

use super::Output;
use crate::config::FileSinkConfig;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A rotating file. It is opened with the first line.
#[derive(Debug)]
pub(crate) struct RotatingFile {
    config: FileSinkConfig,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    len: u64,
    identity: (u64, u64),
    /// Whether it is a file. A device or a pipe stays where it is.
    rotates: bool,
}

impl RotatingFile {
    /// The file that `config` describes.
    pub(crate) fn new(config: FileSinkConfig) -> Self {
        RotatingFile { config, open: None }
    }

    fn write_some(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        let rotate_bytes = self.config.rotate_bytes;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::append_to(&self.config.path)?,
        };
        let room = match open.rotates {
            true => usize::try_from(rotate_bytes.saturating_sub(open.len)).unwrap_or(usize::MAX),
            false => usize::MAX,
        };
        let chunk = match whole_lines(lines, room) {
            // Not one line fits: into the next file. A line larger than a whole file gets a file of its own.
            0 if open.len > 0 => {
                drop(open);
                return self.rotate();
            }
            0 => first_line(lines),
            chunk => chunk,
        };
        open.write(&lines[..chunk])?;
        lines.drain(..chunk);
        self.open = Some(open);
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        let path = &self.config.path;
        if self.config.keep == 0 {
            return fs::remove_file(path);
        }
        for number in (1..self.config.keep).rev() {
            ignore_missing(fs::rename(numbered(path, number), numbered(path, number + 1)))?;
        }
        fs::rename(path, numbered(path, 1))
    }
}

impl Output for RotatingFile {
    fn write(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| !open.is_still(&self.config.path)) {
            self.open = None;
        }
        while !lines.is_empty() {
            self.write_some(lines)?;
        }
        Ok(())
    }
}

impl Open {
    fn append_to(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let metadata = file.metadata()?;
        let mut open = Open {
            len: metadata.len(),
            identity: (metadata.dev(), metadata.ino()),
            rotates: metadata.is_file(),
            file: file.try_clone()?,
        };
        if open.len > 0 {
            // A process that died in the middle of a line must not spoil the next one.
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                open.write(b"\n")?;
            }
        }
        Ok(open)
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // Takes half a line back; if that fails as well, the next open ends the line.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += lines.len() as u64;
        Ok(())
    }

    fn is_still(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
    }
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// How many bytes of whole lines fit into `room`.
fn whole_lines(lines: &[u8], room: usize) -> usize {
    let fitting = &lines[..lines.len().min(room)];
    fitting.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}

fn first_line(lines: &[u8]) -> usize {
    lines
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(lines.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, rotate_bytes: u64, keep: usize) -> RotatingFile {
        RotatingFile::new(FileSinkConfig {
            path: folder.join("out.jsonl"),
            rotate_bytes,
            keep,
        })
    }

    fn write(file: &mut RotatingFile, lines: &str) {
        let mut lines = lines.as_bytes().to_vec();
        file.write(&mut lines).unwrap();
        assert_eq!(lines, b"");
    }

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn expect(folder: &Path, files: &[(&str, &str)]) {
        let files: Vec<_> = files
            .iter()
            .map(|&(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        assert_eq!(contents(folder), files);
    }

    #[test]
    fn files_are_rotated_between_lines_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 8, 2);
        write(&mut file, "aaa\nbbb\nccc\nddd\neee\n");
        write(&mut file, "fff\n");
        expect(
            folder.path(),
            &[
                ("out.jsonl", "eee\nfff\n"),
                ("out.jsonl.1", "ccc\nddd\n"),
                ("out.jsonl.2", "aaa\nbbb\n"),
            ],
        );
        write(&mut file, "ggg\n");
        expect(
            folder.path(),
            &[
                ("out.jsonl", "ggg\n"),
                ("out.jsonl.1", "eee\nfff\n"),
                ("out.jsonl.2", "ccc\nddd\n"),
            ],
        );
    }

    #[test]
    fn keeping_none_starts_the_file_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 4, 0);
        write(&mut file, "aaa\nbbb\n");
        expect(folder.path(), &[("out.jsonl", "bbb\n")]);
    }

    #[test]
    fn a_line_larger_than_a_file_gets_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 4, 9);
        write(&mut file, "a\nlong line\nb\n");
        expect(
            folder.path(),
            &[
                ("out.jsonl", "b\n"),
                ("out.jsonl.1", "long line\n"),
                ("out.jsonl.2", "a\n"),
            ],
        );
    }

    #[test]
    fn a_file_moved_or_removed_by_somebody_else_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 100, 2);
        write(&mut file, "a\n");
        fs::rename(folder.path().join("out.jsonl"), folder.path().join("moved")).unwrap();
        write(&mut file, "b\n");
        expect(folder.path(), &[("moved", "a\n"), ("out.jsonl", "b\n")]);
        fs::remove_file(folder.path().join("out.jsonl")).unwrap();
        write(&mut file, "c\n");
        expect(folder.path(), &[("moved", "a\n"), ("out.jsonl", "c\n")]);
    }

    #[test]
    fn half_a_line_left_by_a_crash_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("out.jsonl"), "hal").unwrap();
        write(&mut file(folder.path(), 100, 2), "a\n");
        expect(folder.path(), &[("out.jsonl", "hal\na\n")]);
    }

    #[test]
    fn what_cannot_be_written_stays_and_goes_out_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 100, 2);
        fs::create_dir(folder.path().join("out.jsonl")).unwrap();
        let mut lines = b"a\n".to_vec();
        file.write(&mut lines).unwrap_err();
        assert_eq!(lines, b"a\n");
        fs::remove_dir(folder.path().join("out.jsonl")).unwrap();
        file.write(&mut lines).unwrap();
        expect(folder.path(), &[("out.jsonl", "a\n")]);
    }

    #[test]
    fn a_full_disk_is_an_error_and_nothing_is_lost() {
        let mut file = RotatingFile::new(FileSinkConfig {
            path: PathBuf::from("/dev/full"),
            rotate_bytes: 100,
            keep: 1,
        });
        let mut lines = b"a\n".to_vec();
        let error = file.write(&mut lines).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(lines, b"a\n");
    }
}
