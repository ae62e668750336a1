//! The cache with real code, and with files that somebody spoiled.

use super::{CodeCache, ContentDigest};
use crate::telemetry::code_cache::CodeCacheMetrics;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// An engine, and a folder for caches.
struct Bench {
    engine: Engine,
    folder: tempfile::TempDir,
    metrics: CodeCacheMetrics,
}

impl Bench {
    fn new() -> Self {
        Bench {
            engine: Engine::default(),
            folder: tempfile::tempdir().unwrap(),
            metrics: CodeCacheMetrics::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn open(&self, bytes_max: u64) -> std::io::Result<CodeCache> {
        CodeCache::open(self.path(), bytes_max, self.metrics.clone())
    }

    /// Keeps the code of guest number `number`.
    fn keep(&self, cache: &CodeCache, number: u8) {
        let component = Component::new(&self.engine, GUEST).unwrap();
        cache.keep(&self.engine, &ContentDigest::of(&[number]), &component);
    }

    fn find(&self, cache: &CodeCache, number: u8) -> bool {
        cache.find(&self.engine, &ContentDigest::of(&[number])).is_some()
    }

    /// Which of the guests 0 to 9 have their code here; asking is a use.
    fn kept(&self, cache: &CodeCache) -> Vec<u8> {
        (0..10).filter(|&number| self.find(cache, number)).collect()
    }

    /// The only entry's file.
    fn entry(&self) -> PathBuf {
        let files = files(&self.path());
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    fn entry_bytes(&self) -> u64 {
        std::fs::metadata(self.entry()).unwrap().len()
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The smallest component.
const GUEST: &[u8] = b"\0asm\x0d\0\x01\0";
const ROOMY: u64 = 1 << 30;

#[test]
fn what_was_kept_is_found_by_the_next_process_and_by_its_own_guest_only() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    assert!(!bench.find(&cache, 1));
    bench.keep(&cache, 1);
    assert!(bench.find(&cache, 1));
    drop(cache);
    let cache = bench.open(ROOMY).unwrap();
    assert_eq!(bench.kept(&cache), [1]);
    let metrics = &bench.metrics;
    assert_eq!((metrics.hits.get(), metrics.misses.get()), (2, 10));
    assert_eq!(metrics.bytes.get().unsigned_abs(), bench.entry_bytes());
}

#[test]
fn another_engine_does_not_find_it() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    let mut config = wasmtime::Config::new();
    config.cranelift_nan_canonicalization(true);
    let other = Engine::new(&config).unwrap();
    assert!(cache.find(&other, &ContentDigest::of(&[1])).is_none());
    assert_eq!(bench.metrics.rejected.get(), 0);
}

#[test]
fn a_spoiled_entry_is_passed_over_counted_and_written_anew() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    let whole = std::fs::read(bench.entry()).unwrap();
    let cut = whole[..whole.len() - 1].to_vec();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (spoilt, rejected) in [(cut, 1), (flipped, 2), (Vec::new(), 3), (b"junk".to_vec(), 4)] {
        std::fs::write(bench.entry(), spoilt).unwrap();
        assert!(!bench.find(&cache, 1));
        assert_eq!(bench.metrics.rejected.get(), rejected);
        bench.keep(&cache, 1);
        assert!(bench.find(&cache, 1));
    }
    assert_eq!(std::fs::read(bench.entry()).unwrap().len(), whole.len());
}

#[test]
fn an_entry_that_others_may_write_is_passed_over() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    for mode in [0o620, 0o602, 0o666] {
        set_mode(&bench.entry(), mode);
        assert!(!bench.find(&cache, 1), "mode {mode:o}");
    }
    set_mode(&bench.entry(), 0o644);
    assert!(bench.find(&cache, 1));
    assert_eq!(bench.metrics.rejected.get(), 3);
}

#[test]
fn an_entry_that_is_a_link_or_a_pipe_is_passed_over() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    let (entry, elsewhere) = (bench.entry(), bench.folder.path().join("elsewhere"));
    std::fs::rename(&entry, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &entry).unwrap();
    assert!(!bench.find(&cache, 1));
    std::fs::remove_file(&entry).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&entry).status().unwrap();
    assert!(made.success());
    assert!(!bench.find(&cache, 1));
    assert_eq!(bench.metrics.rejected.get(), 2);
}

#[test]
fn a_directory_that_others_may_write_is_not_used() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    set_mode(&bench.path(), 0o770);
    assert!(!bench.find(&cache, 1), "it was opened before");
    let error = bench.open(ROOMY).unwrap_err().to_string();
    assert!(
        error.contains("must not be writable for group or others, and has mode 770"),
        "{error}"
    );
    set_mode(&bench.path(), 0o755);
    assert_eq!(bench.kept(&bench.open(ROOMY).unwrap()), [1]);
}

#[test]
fn a_directory_is_made_for_its_owner_alone() {
    let bench = Bench::new();
    bench.open(ROOMY).unwrap();
    let mode = std::fs::metadata(bench.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(files(&bench.path()).is_empty(), "something is left of the probe");
}

#[test]
fn what_is_no_directory_is_not_used() {
    let bench = Bench::new();
    std::fs::write(bench.path(), "a file").unwrap();
    assert!(bench.open(ROOMY).is_err());
    std::fs::remove_file(bench.path()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), bench.path()).unwrap();
    let error = bench.open(ROOMY).unwrap_err().to_string();
    assert!(error.contains("no link to one"), "{error}");
}

#[test]
fn what_was_used_least_goes_at_the_bound() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 0);
    let room_for_three = 3 * bench.entry_bytes() + 1;
    drop(cache);

    let cache = bench.open(room_for_three).unwrap();
    bench.keep(&cache, 1);
    bench.keep(&cache, 2);
    assert!(bench.find(&cache, 0), "it is the one used last now");
    bench.keep(&cache, 3);
    assert_eq!(bench.kept(&cache), [0, 2, 3]);
    assert_eq!(bench.metrics.evicted.get(), 1);
    assert_eq!(files(&bench.path()).len(), 3);
    assert!(bench.metrics.bytes.get().unsigned_abs() <= room_for_three);
}

#[test]
fn a_smaller_bound_holds_from_the_next_start_on() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 0);
    let bytes = bench.entry_bytes();
    for number in 1..5 {
        bench.keep(&cache, number);
    }
    bench.open(2 * bytes).unwrap();
    assert_eq!(files(&bench.path()).len(), 2);
}

#[test]
fn code_larger_than_the_whole_cache_is_not_kept_and_pushes_out_nothing() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    let bytes = bench.entry_bytes();
    drop(cache);
    let cache = bench.open(bytes).unwrap();
    let larger = wat::parse_str("(component (core module (func)))").unwrap();
    let larger = Component::new(&bench.engine, larger).unwrap();
    cache.keep(&bench.engine, &ContentDigest::of(&[2]), &larger);
    assert_eq!(bench.metrics.write_errors.get(), 1);
    assert_eq!(bench.kept(&cache), [1]);
}

#[test]
fn unfinished_files_of_an_earlier_process_go_and_strangers_stay() {
    let bench = Bench::new();
    bench.open(ROOMY).unwrap();
    std::fs::write(bench.path().join(".99-0.new"), "half").unwrap();
    std::fs::write(bench.path().join("notes.txt"), "mine").unwrap();
    bench.open(ROOMY).unwrap();
    assert_eq!(files(&bench.path()), [bench.path().join("notes.txt")]);
}

#[test]
fn an_entry_that_somebody_removed_is_kept_again() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    std::fs::remove_file(bench.entry()).unwrap();
    assert!(!bench.find(&cache, 1));
    assert_eq!(bench.metrics.bytes.get(), 0);
    bench.keep(&cache, 1);
    assert!(bench.find(&cache, 1));
}

#[test]
fn a_directory_that_is_taken_away_costs_only_the_cache() {
    let bench = Bench::new();
    let cache = bench.open(ROOMY).unwrap();
    bench.keep(&cache, 1);
    std::fs::remove_dir_all(bench.path()).unwrap();
    assert!(!bench.find(&cache, 1));
    bench.keep(&cache, 1);
    assert_eq!(bench.metrics.write_errors.get(), 1);
}
