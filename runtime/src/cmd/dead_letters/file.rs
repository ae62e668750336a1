//! The dead-letter file with those that it was rotated to, from the oldest line to the newest.

use super::letter::Letter;
use anyhow::Context as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// Calls `each` with every dead letter, and says how many lines are none.
///
/// # Errors
/// A file that is there cannot be read.
pub(super) fn read(path: &Path, mut each: impl FnMut(Letter)) -> anyhow::Result<u64> {
    let mut others = 0;
    for path in rotated(path).into_iter().rev() {
        let opened = match File::open(&path) {
            // Rotated away in this moment.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened,
        };
        let what = || format!("{} cannot be read", path.display());
        for line in BufReader::new(opened.with_context(what)?).split(b'\n') {
            let line = line.with_context(what)?;
            let letter = std::str::from_utf8(&line).ok().and_then(Letter::parse);
            match letter {
                Some(letter) => each(letter),
                None => others += u64::from(!line.is_empty()),
            }
        }
    }
    Ok(others)
}

/// The file, `FILE.1`, `FILE.2`, ..., as many as there are.
fn rotated(path: &Path) -> Vec<PathBuf> {
    let mut paths = vec![path.to_owned()];
    for number in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        let next = PathBuf::from(name);
        if !next.exists() {
            break;
        }
        paths.push(next);
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_come_first_and_other_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let line = |kind: &str| format!("{{\"kind\":\"{kind}\"}}\n");
        std::fs::write(folder.path().join("dead.jsonl.2"), line("a")).unwrap();
        std::fs::write(
            folder.path().join("dead.jsonl.1"),
            format!("{}\u{fffd}broken\n", line("b")),
        )
        .unwrap();
        std::fs::write(&path, [line("c").as_bytes(), b"\xff\n\n{\"kind\":\"half"].concat()).unwrap();
        let mut kinds = Vec::new();
        let others = read(&path, |letter| kinds.push(letter.text("kind").to_owned())).unwrap();
        assert_eq!(kinds, ["a", "b", "c"]);
        assert_eq!(others, 3);
    }

    #[test]
    fn without_a_file_there_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let none = read(&folder.path().join("none"), |_| panic!("there are none")).unwrap();
        assert_eq!(none, 0);
    }
}
