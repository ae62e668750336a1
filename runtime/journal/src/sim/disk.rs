//! The disk: its directories, its faults, and the moment at which the machine goes off.

use super::file::FileBytes;
use super::names::Names;
use super::random::Random;
use crate::storage::{Lock, LockError, Storage, StorageFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk with directories. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// How often something goes wrong, in a thousand calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A write takes only a part of the bytes, and says so.
    pub short_write: u16,
    /// A write fails, after a part of the bytes perhaps.
    pub write_error: u16,
    /// A sync fails, and what it was to save is lost with the next loss of power.
    pub sync_error: u16,
    /// A read fails once.
    pub read_error: u16,
    /// A rename, a removal or a look at the directory fails.
    pub name_error: u16,
}

/// How a machine goes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process ends. What was written is there.
    Process,
    /// The power goes. What was not synced may be lost.
    Power,
}

#[derive(Debug)]
struct State {
    random: Random,
    faults: Faults,
    faults_hit: u64,
    capacity: Option<usize>,
    operations: u64,
    crash_at: Option<u64>,
    off: bool,
    life: u64,
    files: Vec<FileBytes>,
    directories: BTreeMap<String, Names>,
    locked: BTreeSet<String>,
}

impl SimDisk {
    /// An empty disk that never fails until it is told to.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Random::new(seed),
            faults: Faults::default(),
            faults_hit: 0,
            capacity: None,
            operations: 0,
            crash_at: None,
            off: false,
            life: 0,
            files: Vec::new(),
            directories: BTreeMap::new(),
            locked: BTreeSet::new(),
        };
        SimDisk {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// A directory of it; empty if it was never used.
    pub fn directory(&self, name: &str) -> Arc<SimDirectory> {
        let mut state = self.lock_state();
        state.directories.entry(name.to_owned()).or_default();
        Arc::new(SimDirectory {
            disk: self.clone(),
            name: name.to_owned(),
        })
    }

    /// From now on it fails so often.
    pub fn set_faults(&self, faults: Faults) {
        self.lock_state().faults = faults;
    }

    /// How often it fails.
    pub fn faults(&self) -> Faults {
        self.lock_state().faults
    }

    /// How often it has failed.
    pub fn faults_hit(&self) -> u64 {
        self.lock_state().faults_hit
    }

    /// How many bytes fit on it.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.lock_state().capacity = bytes;
    }

    /// The machine goes off in the midst of the call that follows `operations` others; `None`: never.
    pub fn crash_after(&self, operations: Option<u64>) {
        let mut state = self.lock_state();
        state.crash_at = operations.map(|operations| state.operations + operations);
    }

    /// How many calls there were.
    pub fn operations(&self) -> u64 {
        self.lock_state().operations
    }

    /// Whether the machine is off: every call fails.
    pub fn is_off(&self) -> bool {
        self.lock_state().off
    }

    /// Turns the machine off, if it is not, and on again. Nothing that was opened before works any more.
    pub fn restart(&self, crash: Crash) {
        let mut guard = self.lock_state();
        let state = &mut *guard;
        state.off = false;
        state.crash_at = None;
        state.life += 1;
        state.locked.clear();
        if crash == Crash::Power {
            for file in &mut state.files {
                file.lose_power(&mut state.random);
            }
            for names in state.directories.values_mut() {
                names.lose_power(&mut state.random);
            }
        }
    }

    /// Inverts one bit of a file of a directory, and says of which; `None` when there are no bytes.
    pub fn flip_bit(&self, directory: &str) -> Option<String> {
        let mut state = self.lock_state();
        let (name, file, at) = state.some_byte(directory)?;
        let bit = state.random.below(8);
        state.files[file].flip(at, bit);
        Some(name)
    }

    /// From some byte on, a file of a directory cannot be read any more; says which file, `None` when there are no bytes.
    pub fn break_some_file(&self, directory: &str) -> Option<String> {
        let mut state = self.lock_state();
        let (name, file, at) = state.some_byte(directory)?;
        state.files[file].break_from(at);
        Some(name)
    }

    /// From `offset` on, the file cannot be read any more.
    pub fn break_file(&self, directory: &str, name: &str, offset: usize) {
        let mut state = self.lock_state();
        if let Ok(file) = state.find(directory, name) {
            state.files[file].break_from(offset);
        }
    }

    /// Puts a file there as if it had always been.
    pub fn put(&self, directory: &str, name: &str, bytes: Vec<u8>) {
        let mut state = self.lock_state();
        let file = state.files.len();
        state.files.push(FileBytes::old(bytes));
        let names = state.directories.entry(directory.to_owned()).or_default();
        names.put(name, file);
        names.sync();
    }

    /// The bytes of a file, if it is there.
    pub fn contents(&self, directory: &str, name: &str) -> Option<Vec<u8>> {
        let state = self.lock_state();
        let file = state.find(directory, name).ok()?;
        Some(state.files[file].visible().to_vec())
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for one more call; an error when the machine is off, or goes off now.
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock_state();
        if state.begin() { Ok(state) } else { Err(off()) }
    }
}

fn off() -> io::Error {
    io::Error::other("simulated: the machine is off")
}

impl State {
    /// Counts a call. False when the machine is off.
    fn begin(&mut self) -> bool {
        self.operations += 1;
        let crashes = self.crash_at.is_some_and(|at| self.operations > at);
        self.off |= crashes;
        !self.off
    }

    fn find(&self, directory: &str, name: &str) -> io::Result<usize> {
        let names = self.directories.get(directory);
        let found = names.and_then(|names| names.find(name));
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A place in a file of a directory.
    fn some_byte(&mut self, directory: &str) -> Option<(String, usize, usize)> {
        let names = self.directories.get(directory)?;
        let sizes = names
            .iter()
            .map(|(name, file)| (name, file, self.files[file].visible().len()));
        let filled = sizes.filter(|(_, _, size)| *size > 0).collect::<Vec<_>>();
        let (name, file, size) = *filled.get(self.random.below(filled.len()))?;
        let name = name.to_owned();
        Some((name, file, self.random.below(size)))
    }

    fn fails(&mut self, permille: u16) -> bool {
        let fails = self.random.permille(permille);
        self.faults_hit += u64::from(fails);
        fails
    }

    fn fail(&mut self, permille: u16, what: &'static str) -> io::Result<()> {
        if self.fails(permille) {
            return Err(io::Error::other(what));
        }
        Ok(())
    }

    fn free(&self) -> usize {
        let used = self.directories.values().flat_map(Names::iter);
        let used = used.map(|(_, file)| self.files[file].visible().len()).sum();
        self.capacity
            .map_or(usize::MAX, |capacity| capacity.saturating_sub(used))
    }

    fn append(&mut self, file: usize, bytes: &[u8]) -> io::Result<usize> {
        let mut count = bytes.len().min(self.free());
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.fails(self.faults.write_error) {
            let part = self.random.below(count + 1);
            self.files[file].append(&bytes[..part]);
            return Err(io::Error::other("simulated: the write failed"));
        }
        if count > 1 && self.fails(self.faults.short_write) {
            count = 1 + self.random.below(count - 1);
        }
        self.files[file].append(&bytes[..count]);
        Ok(count)
    }
}

/// A directory of a [`SimDisk`].
#[derive(Debug)]
pub struct SimDirectory {
    disk: SimDisk,
    name: String,
}

impl SimDirectory {
    fn names<'s>(&self, state: &'s mut State) -> &'s mut Names {
        state.directories.entry(self.name.clone()).or_default()
    }

    fn handle(&self, file: usize, life: u64) -> Box<dyn StorageFile> {
        Box::new(SimFile {
            disk: self.disk.clone(),
            file,
            life,
        })
    }

    fn find(&self, name: &str) -> io::Result<(MutexGuard<'_, State>, usize)> {
        let state = self.disk.call()?;
        let file = state.find(&self.name, name)?;
        Ok((state, file))
    }
}

impl Storage for SimDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.disk.call()?;
        let permille = state.faults.name_error;
        state.fail(permille, "simulated: the file cannot be created")?;
        let file = state.files.len();
        state.files.push(FileBytes::default());
        self.names(&mut state).put(name, file);
        Ok(self.handle(file, state.life))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let (state, file) = self.find(name)?;
        Ok(self.handle(file, state.life))
    }

    fn cut(&self, name: &str, bytes: u64) -> io::Result<()> {
        let (mut state, file) = self.find(name)?;
        let permille = state.faults.sync_error;
        state.fail(permille, "simulated: the file cannot be cut")?;
        state.files[file].cut(usize::try_from(bytes).map_err(io::Error::other)?);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut state, file) = self.find(from)?;
        let permille = state.faults.name_error;
        state.fail(permille, "simulated: the file cannot be renamed")?;
        self.names(&mut state).rename(from, to, file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let (mut state, _) = self.find(name)?;
        let permille = state.faults.name_error;
        state.fail(permille, "simulated: the file cannot be removed")?;
        self.names(&mut state).remove(name);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.disk.call()?;
        let permille = state.faults.name_error;
        state.fail(permille, "simulated: the directory cannot be read")?;
        Ok(self.names(&mut state).iter().map(|(name, _)| name.to_owned()).collect())
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        let (state, file) = self.find(name)?;
        Ok(state.files[file].visible().len() as u64)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.disk.call()?;
        let permille = state.faults.sync_error;
        state.fail(permille, "simulated: the directory cannot be synced")?;
        self.names(&mut state).sync();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.disk.call()?.free() as u64)
    }

    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        let directory = self.name.clone();
        let mut state = match self.disk.call() {
            Ok(state) => state,
            Err(source) => return Err(LockError::Io { directory, source }),
        };
        if !state.locked.insert(directory.clone()) {
            return Err(LockError::InUse {
                directory,
                holder: "another process".to_owned(),
            });
        }
        Ok(Box::new(SimLock {
            disk: self.disk.clone(),
            directory,
            life: state.life,
        }))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
    life: u64,
}

impl SimFile {
    fn of_this_life(&self, state: &State) -> io::Result<()> {
        if state.life == self.life { Ok(()) } else { Err(off()) }
    }
}

impl StorageFile for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.lock_state();
        self.of_this_life(&state)?;
        let was_off = state.off;
        if state.begin() {
            return state.append(self.file, bytes);
        }
        if !was_off {
            // The machine goes off in the midst of the write.
            let part = state.random.below(bytes.len() + 1).min(state.free());
            state.files[self.file].append(&bytes[..part]);
        }
        Err(off())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.call()?;
        self.of_this_life(&state)?;
        let permille = state.faults.read_error;
        state.fail(permille, "simulated: the read failed")?;
        state.files[self.file].read_at(offset, into)
    }

    fn sync(&self) -> io::Result<()> {
        let mut guard = self.disk.lock_state();
        let state = &mut *guard;
        self.of_this_life(state)?;
        let was_off = state.off;
        if !state.begin() {
            if !was_off && state.random.coin() {
                // It is done, but nobody learns of it.
                state.files[self.file].sync();
            }
            return Err(off());
        }
        if state.fails(state.faults.sync_error) {
            state.files[self.file].fail_sync(&mut state.random);
            return Err(io::Error::other("simulated: the sync failed"));
        }
        state.files[self.file].sync();
        Ok(())
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    directory: String,
    life: u64,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.lock_state();
        if state.life == self.life {
            state.locked.remove(&self.directory);
        }
    }
}
