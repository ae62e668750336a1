//! The files of the repository, and how offenders among them are told.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A text file, by its path from the root of the repository.
pub(crate) struct TextFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl TextFile {
    /// The lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// How an offending line is named.
    pub(crate) fn spot(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files whose names end in `.EXTENSION`, in order of their paths; nothing that was built, and nothing hidden.
pub(crate) fn files(extension: &str) -> Vec<TextFile> {
    let mut paths = Vec::new();
    let listed = collect(&root(), Path::new(""), extension, &mut paths);
    listed.unwrap_or_else(|error| panic!("the repository cannot be listed: {error}"));
    assert!(
        !paths.is_empty(),
        "no .{extension} file found below {}",
        root().display()
    );
    paths.sort();
    paths.into_iter().map(read).collect()
}

/// One file, by its path from the root.
pub(crate) fn file(path: &str) -> TextFile {
    read(PathBuf::from(path))
}

/// Fails with all offenders, one a line, below the rule that they break.
pub(crate) fn assert_none<O: Display>(rule: &str, offenders: impl IntoIterator<Item = O>) {
    let offenders: Vec<String> = offenders
        .into_iter()
        .map(|offender| format!("  {offender}\n"))
        .collect();
    assert!(offenders.is_empty(), "{rule}:\n{}", offenders.concat());
}

fn read(path: PathBuf) -> TextFile {
    let text = fs::read_to_string(root().join(&path));
    let text = text.unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    TextFile { path, text }
}

fn collect(root: &Path, folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        let skipped = name.to_string_lossy().starts_with('.') || BUILT.iter().any(|built| path == Path::new(built));
        if skipped {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, extension, found)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(())
}

/// Folders that hold what was built or written by a run; `.gitignore` names them too.
const BUILT: [&str; 6] = [
    "target",
    "dist",
    "data",
    "tests/fuzz/target",
    "tests/fuzz/corpus",
    "tests/fuzz/artifacts",
];
