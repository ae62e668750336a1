//! The watch and the scanner together, over real files: everything that tools do to a rules directory.

use super::super::super::scan::{Scan, Scanner};
use super::super::{Events, Watch};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A rules directory that is watched, in a folder where other things may lie.
struct Watched {
    folder: TempDir,
    watch: Watch,
    scanner: Scanner,
    /// What the guests are, as it was told so far.
    known: BTreeMap<String, Vec<u8>>,
    /// How often a guest was told to have changed.
    changes: usize,
}

impl Watched {
    /// By events alone: the poll comes later than any test waits.
    fn by_events() -> Self {
        Self::with(Events::Wanted, Duration::from_secs(600), |folder| {
            fs::create_dir(folder.join("rules.d"))
        })
    }

    /// By the poll alone, as where a file system sends no events.
    fn by_polling() -> Self {
        Self::with(Events::None, POLL, |folder| fs::create_dir(folder.join("rules.d")))
    }

    /// By both, on a directory that `make` makes.
    fn made_by(make: impl FnOnce(&Path) -> std::io::Result<()>) -> Self {
        Self::with(Events::Wanted, POLL, make)
    }

    fn with(events: Events, poll_interval: Duration, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        let dir = folder.path().join("rules.d");
        Watched {
            watch: Watch::with(events, dir.clone(), poll_interval),
            scanner: Scanner::new(dir, 1 << 20),
            folder,
            known: BTreeMap::new(),
            changes: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Looks whenever the watch says so, until the guests are these.
    async fn until(&mut self, expected: &[(&str, &str)]) {
        let expected: BTreeMap<String, Vec<u8>> = expected
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec()))
            .collect();
        let looking = async {
            while self.known != expected {
                let touched = self.watch.changed().await;
                if let Ok(scan) = self.scanner.scan(&touched) {
                    self.take(scan);
                }
            }
        };
        let in_time = tokio::time::timeout(LIMIT, looking).await.is_ok();
        assert!(in_time, "{:?} never became {expected:?}", self.known);
    }

    fn take(&mut self, scan: Scan) {
        assert!(scan.unreadable.is_empty(), "{:?}", scan.unreadable);
        for name in scan.gone {
            self.known.remove(&name);
        }
        for found in scan.changed {
            self.changes += 1;
            self.known.insert(found.name, found.wasm);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_renamed_into_place_is_seen_at_once() {
    let mut watched = Watched::by_events();
    watched.write("a.new", "one");
    fs::rename(watched.path("a.new"), watched.path("rules.d/a.wasm")).unwrap();
    watched.until(&[("a", "one")]).await;
    watched.write("rules.d/.a.wasm.tmp", "two");
    fs::rename(watched.path("rules.d/.a.wasm.tmp"), watched.path("rules.d/a.wasm")).unwrap();
    watched.until(&[("a", "two")]).await;
    assert_eq!(watched.changes, 2);
}

#[tokio::test]
async fn a_file_that_is_written_in_pieces_is_seen_when_it_is_whole() {
    let mut watched = Watched::by_events();
    let mut file = fs::File::create(watched.path("rules.d/a.wasm")).unwrap();
    let whole: String = (0..100).map(|number| number.to_string()).collect();
    for number in 0..100 {
        write!(file, "{number}").unwrap();
    }
    drop(file);
    watched.until(&[("a", &whole)]).await;
}

#[tokio::test]
async fn a_file_that_is_touched_or_copied_over_itself_has_not_changed() {
    let mut watched = Watched::by_events();
    watched.write("rules.d/a.wasm", "one");
    watched.until(&[("a", "one")]).await;
    let file = fs::File::options()
        .append(true)
        .open(watched.path("rules.d/a.wasm"))
        .unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    drop(file);
    watched.write("rules.d/a.wasm", "one");
    // Events come in order, so the first file has been looked at when the second is found.
    watched.write("rules.d/b.wasm", "two");
    watched.until(&[("a", "one"), ("b", "two")]).await;
    assert_eq!(watched.changes, 2);
}

#[tokio::test]
async fn the_temporary_names_of_editors_and_copying_tools_are_no_guests() {
    let mut watched = Watched::by_events();
    for name in [
        ".a.wasm.swp",
        "4913",
        "a.wasm~",
        "#a.wasm#",
        ".a.wasm.Xy12Ab",
        "a.wasm.part",
        "a.wasm.tmp",
        "a.wasm.new",
        "sedAb12",
    ] {
        watched.write(&format!("rules.d/{name}"), "half of it");
    }
    symlink("me@gateway.123", watched.path("rules.d/.#a.wasm")).unwrap();
    watched.write("rules.d/b.wasm", "two");
    watched.until(&[("b", "two")]).await;
    // An editor keeps what was there under another name, and renames what it wrote.
    fs::rename(watched.path("rules.d/b.wasm"), watched.path("rules.d/b.wasm~")).unwrap();
    fs::rename(watched.path("rules.d/a.wasm.new"), watched.path("rules.d/b.wasm")).unwrap();
    watched.until(&[("b", "half of it")]).await;
}

#[tokio::test]
async fn a_link_that_is_swapped_by_a_rename_is_another_file() {
    let mut watched = Watched::by_events();
    watched.write("one", "one");
    watched.write("two", "two");
    symlink("../one", watched.path("rules.d/a.wasm")).unwrap();
    watched.until(&[("a", "one")]).await;
    symlink("../two", watched.path("rules.d/.a.new")).unwrap();
    fs::rename(watched.path("rules.d/.a.new"), watched.path("rules.d/a.wasm")).unwrap();
    watched.until(&[("a", "two")]).await;
}

#[tokio::test]
async fn a_file_that_a_link_leads_to_is_polled() {
    let mut watched = Watched::made_by(|folder| fs::create_dir(folder.join("rules.d")));
    watched.write("elsewhere", "one");
    symlink("../elsewhere", watched.path("rules.d/a.wasm")).unwrap();
    watched.until(&[("a", "one")]).await;
    watched.write("elsewhere", "two");
    watched.until(&[("a", "two")]).await;
}

/// As Kubernetes shows a config map: files are links into `..data`, which is a link to the folder of a generation.
#[tokio::test]
async fn a_config_map_that_is_swapped_by_one_rename_is_seen_at_once() {
    let mut watched = Watched::by_events();
    let generation = |watched: &Watched, number: u32, a: &str, b: &str| {
        fs::create_dir(watched.path(&format!("rules.d/..{number}"))).unwrap();
        watched.write(&format!("rules.d/..{number}/a.wasm"), a);
        watched.write(&format!("rules.d/..{number}/b.wasm"), b);
        symlink(format!("..{number}"), watched.path("rules.d/..data_tmp")).unwrap();
        fs::rename(watched.path("rules.d/..data_tmp"), watched.path("rules.d/..data")).unwrap();
    };
    generation(&watched, 1, "one", "same");
    for name in ["a", "b"] {
        symlink(
            format!("..data/{name}.wasm"),
            watched.path(&format!("rules.d/{name}.wasm")),
        )
        .unwrap();
    }
    watched.until(&[("a", "one"), ("b", "same")]).await;
    generation(&watched, 2, "two", "same");
    fs::remove_dir_all(watched.path("rules.d/..1")).unwrap();
    watched.until(&[("a", "two"), ("b", "same")]).await;
    assert_eq!(watched.changes, 3, "the other file has not changed");
}

#[tokio::test]
async fn a_directory_that_is_a_link_may_be_swapped_by_a_rename() {
    let mut watched = Watched::made_by(|folder| {
        fs::create_dir(folder.join("v1"))?;
        symlink("v1", folder.join("rules.d"))
    });
    watched.write("v1/a.wasm", "one");
    watched.write("v1/old.wasm", "old");
    watched.until(&[("a", "one"), ("old", "old")]).await;
    fs::create_dir(watched.path("v2")).unwrap();
    watched.write("v2/a.wasm", "two");
    symlink("v2", watched.path("link")).unwrap();
    fs::rename(watched.path("link"), watched.path("rules.d")).unwrap();
    watched.until(&[("a", "two")]).await;
    watched.write("v2/b.wasm", "new");
    watched.until(&[("a", "two"), ("b", "new")]).await;
}

#[tokio::test]
async fn a_directory_may_be_removed_and_made_again() {
    let mut watched = Watched::made_by(|folder| fs::create_dir(folder.join("rules.d")));
    watched.write("rules.d/a.wasm", "one");
    watched.until(&[("a", "one")]).await;
    fs::rename(watched.path("rules.d"), watched.path("away")).unwrap();
    fs::create_dir(watched.path("rules.d")).unwrap();
    watched.write("rules.d/b.wasm", "two");
    watched.until(&[("b", "two")]).await;
    watched.write("away/b.wasm", "what happens there is nobody's business");
    watched.write("rules.d/b.wasm", "three");
    watched.until(&[("b", "three")]).await;
}

#[tokio::test]
async fn five_hundred_files_at_once_are_all_seen_once() {
    let mut watched = Watched::by_events();
    let names: Vec<String> = (0..500).map(|number| format!("rule_{number:03}")).collect();
    for name in &names {
        watched.write(&format!("rules.d/{name}.wasm"), name);
    }
    let expected: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    watched.until(&expected).await;
    assert_eq!(watched.changes, 500);
    for name in &names {
        fs::remove_file(watched.path(&format!("rules.d/{name}.wasm"))).unwrap();
    }
    watched.until(&[]).await;
}

#[tokio::test]
async fn without_events_the_poll_sees_everything() {
    let mut watched = Watched::by_polling();
    watched.write("rules.d/a.wasm", "one");
    watched.until(&[("a", "one")]).await;
    // Of the same length, and perhaps within one step of the file system's clock.
    watched.write("rules.d/a.wasm", "two");
    watched.until(&[("a", "two")]).await;
    watched.write("rules.d/.b", "new");
    fs::rename(watched.path("rules.d/.b"), watched.path("rules.d/b.wasm")).unwrap();
    watched.until(&[("a", "two"), ("b", "new")]).await;
    fs::remove_file(watched.path("rules.d/a.wasm")).unwrap();
    watched.until(&[("b", "new")]).await;
    assert_eq!(watched.changes, 3);
}

const POLL: Duration = Duration::from_millis(20);
/// How long something may take that happens at once.
const LIMIT: Duration = Duration::from_secs(20);
