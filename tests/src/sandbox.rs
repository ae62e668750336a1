//! A directory of its own for each test.

use crate::guest;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary directory with `rules.d`; it goes away with this guard.
#[derive(Debug)]
pub struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// An empty `rules.d` and nothing else.
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("rulemill-e2e-").expect("the temporary directory can be written to");
        fs::create_dir(dir.path().join("rules.d")).expect("a new directory can be written to");
        Sandbox { dir }
    }

    /// A sandbox with these shipped guests in `rules.d`.
    pub fn with_guests(names: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        for name in names {
            sandbox.add_guest(name);
        }
        sandbox
    }

    /// Copies a shipped guest into `rules.d`, as one should: written beside, then renamed.
    pub fn add_guest(&self, name: &str) {
        let bytes = fs::read(guest(name)).expect("a built guest can be read");
        self.replace(&format!("rules.d/{name}"), &bytes);
    }

    /// Writes a file of the sandbox under another name and renames it into place.
    pub fn replace(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let beside = path.with_extension("new");
        fs::write(&beside, bytes).expect("the sandbox can be written to");
        fs::rename(&beside, &path).expect("files of one directory can be renamed");
    }

    /// Writes a file of the sandbox in place.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the sandbox can be written to");
        path
    }

    /// Writes a file that only its owner may read.
    pub fn write_private(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(name, bytes);
        set_mode(&path, 0o600);
        path
    }

    /// Sets the permission bits of a file.
    pub fn set_mode(&self, path: &Path, mode: u32) {
        set_mode(path, mode);
    }

    /// Removes a file of the sandbox.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("a file that the test wrote can be removed");
    }

    /// The path of a file of the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file's text; empty when there is no such file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The sandbox itself.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the owner can set permissions");
}
