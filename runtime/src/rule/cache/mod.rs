//! The code cache: what the compiler made of guests, kept on disk, so that neither a start nor a reload compiles what was
//! compiled before.
//!
//! The engine runs the code of an entry as it is, so an entry is believed only when nobody else can have written it and
//! all of it is what was written; anything else is passed over, counted, and compiled anew. Nothing is ever taken from
//! the rules directory. What is used least goes when the bound in bytes is reached.

mod directory;
mod entry;
#[cfg(test)]
mod tests;

use super::load::ContentDigest;
use crate::telemetry::code_cache::CodeCacheMetrics;
use directory::Directory;
use entry::{HEADER_BYTES, Identity, SUFFIX};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled code on disk. Threads may use it at once.
#[derive(Debug)]
pub struct CodeCache {
    directory: Directory,
    bytes_max: u64,
    metrics: CodeCacheMetrics,
    /// The lock is not held while files are read or written; two threads that keep the same entry write the same bytes.
    index: Mutex<Index>,
}

/// What lies in the directory, as far as this process knows.
#[derive(Debug, Default)]
struct Index {
    entries: HashMap<String, Used>,
    bytes: u64,
    /// Ascends with each use.
    turn: u64,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    bytes: u64,
    turn: u64,
}

impl CodeCache {
    /// Opens the cache in `path`, which is made if it is not there, and removes what is beyond `bytes_max`.
    ///
    /// # Errors
    /// The directory cannot be written, or others may write it.
    pub fn open(path: PathBuf, bytes_max: u64, metrics: CodeCacheMetrics) -> io::Result<Self> {
        let directory = Directory::open(path)?;
        let mut listed = directory.list(SUFFIX)?;
        listed.sort_by_key(|file| file.used);
        let mut index = Index::default();
        for file in listed {
            index.add(file.name, file.bytes);
        }
        let cache = CodeCache {
            directory,
            bytes_max,
            metrics,
            index: Mutex::new(index),
        };
        cache.make_room(0);
        Ok(cache)
    }

    /// The code of a guest, if it is there and can be believed.
    pub(super) fn find(&self, engine: &Engine, guest: &ContentDigest) -> Option<Component> {
        let identity = identity(engine, guest);
        let found = self.read(engine, &identity).unwrap_or_else(|reason| {
            self.metrics.rejected.inc();
            tracing::warn!(guest = %guest, %reason, "an entry of the code cache is passed over");
            None
        });
        match found {
            Some(_) => self.metrics.hits.inc(),
            None => self.metrics.misses.inc(),
        };
        found
    }

    /// Keeps the code of a guest. Where that fails, the guest is compiled again another time.
    pub(super) fn keep(&self, engine: &Engine, guest: &ContentDigest, component: &Component) {
        if let Err(error) = self.write(engine, guest, component) {
            self.metrics.write_errors.inc();
            tracing::warn!(guest = %guest, error, "compiled code cannot be kept; the guest is compiled at each start");
        }
    }

    fn read(&self, engine: &Engine, identity: &Identity) -> Result<Option<Component>, String> {
        let name = identity.file_name();
        let bytes_max = self.bytes_max.saturating_add(HEADER_BYTES as u64);
        let bytes = self.directory.read(&name, bytes_max);
        let Some(bytes) = bytes.map_err(|error| error.to_string())? else {
            self.forget(&name);
            return Ok(None);
        };
        let code = identity.code_of(&bytes).map_err(|damage| damage.to_string())?;
        // SAFETY: the code is what `Component::serialize` gave, byte for byte: its SHA-256 is that of the header, which
        // names this engine and this guest, in a file that only this user can have written, as the directory checked.
        #[expect(unsafe_code, reason = "the engine cannot know where code comes from; see SAFETY")]
        let component = unsafe { Component::deserialize(engine, code) };
        let component = component.map_err(|error| format!("the engine refuses it: {error:#}"))?;
        self.lock().add(name, bytes.len() as u64);
        Ok(Some(component))
    }

    fn write(&self, engine: &Engine, guest: &ContentDigest, component: &Component) -> Result<(), String> {
        let code = component.serialize().map_err(|error| format!("{error:#}"))?;
        let bytes = (HEADER_BYTES + code.len()) as u64;
        if bytes > self.bytes_max {
            let max = self.bytes_max;
            return Err(format!(
                "it has {bytes} bytes, more than data.cache_bytes_max allows ({max})"
            ));
        }
        let identity = identity(engine, guest);
        let name = identity.file_name();
        self.forget(&name);
        self.make_room(bytes);
        let written = self.directory.write(&name, [&identity.header(&code), &code]);
        written.map_err(|error| error.to_string())?;
        self.lock().add(name, bytes);
        self.tell_bytes();
        Ok(())
    }

    /// Removes what was used least, until there is room for so many bytes more.
    fn make_room(&self, bytes: u64) {
        while let Some(name) = self.lock().take_oldest_beyond(self.bytes_max.saturating_sub(bytes)) {
            match self.directory.remove(&name) {
                Ok(()) => {
                    self.metrics.evicted.inc();
                }
                Err(error) => tracing::warn!(name, %error, "an entry of the code cache cannot be removed"),
            }
        }
        self.tell_bytes();
    }

    fn forget(&self, name: &str) {
        self.lock().remove(name);
        self.tell_bytes();
    }

    fn tell_bytes(&self) {
        let bytes = self.lock().bytes;
        self.metrics.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Notes that an entry is there and was used just now.
    fn add(&mut self, name: String, bytes: u64) {
        self.turn += 1;
        let used = Used { bytes, turn: self.turn };
        let before = self.entries.insert(name, used).map_or(0, |before| before.bytes);
        self.bytes = self.bytes - before + bytes;
    }

    fn remove(&mut self, name: &str) {
        if let Some(used) = self.entries.remove(name) {
            self.bytes -= used.bytes;
        }
    }

    /// The entry that was used least, while all together have more bytes than these; it is forgotten.
    fn take_oldest_beyond(&mut self, bytes_max: u64) -> Option<String> {
        if self.bytes <= bytes_max {
            return None;
        }
        let oldest = self.entries.iter().min_by_key(|(_, used)| used.turn)?.0.clone();
        self.remove(&oldest);
        Some(oldest)
    }
}

/// What the code of a guest belongs to. The version of this program counts too, as it decides what a file becomes before
/// it is compiled.
fn identity(engine: &Engine, guest: &ContentDigest) -> Identity {
    let mut hasher = DigestHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(env!("CARGO_PKG_VERSION"));
    Identity {
        guest: *guest.bytes(),
        engine: hasher.0.finalize().into(),
    }
}

/// Feeds what is hashed into SHA-256: the usual 64 bits are too few to tell code apart.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks for it; the digest is taken instead.
    fn finish(&self) -> u64 {
        0
    }
}
