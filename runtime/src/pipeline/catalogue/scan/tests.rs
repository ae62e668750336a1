use super::*;

fn names(scan: &Scan) -> Vec<&str> {
    scan.changed.iter().map(|found| found.name.as_str()).collect()
}

fn scanner() -> (tempfile::TempDir, Scanner) {
    let dir = tempfile::tempdir().unwrap();
    let scanner = Scanner::new(dir.path().to_owned(), 1000);
    (dir, scanner)
}

#[test]
fn a_file_that_is_being_written_is_not_looked_at() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    scanner.scan(&Touched::default()).unwrap();
    let writing = Touched {
        writing: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        ..Touched::default()
    };
    std::fs::write(dir.path().join("a.wasm"), b"hal").unwrap();
    std::fs::write(dir.path().join("b.wasm"), b"").unwrap();
    let scan = scanner.scan(&writing).unwrap();
    assert!(scan.changed.is_empty() && scan.gone.is_empty());
    std::fs::remove_file(dir.path().join("a.wasm")).unwrap();
    assert!(scanner.scan(&writing).unwrap().gone.is_empty());
    assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
}

#[test]
fn the_same_content_is_reported_once() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    assert_eq!(names(&scanner.scan(&Touched::default()).unwrap()), ["a"]);
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    assert!(scanner.scan(&Touched::default()).unwrap().changed.is_empty());
}

#[test]
fn a_rewrite_of_the_same_length_is_seen_at_once() {
    let (dir, mut scanner) = scanner();
    for content in [b"one", b"two", b"six"] {
        std::fs::write(dir.path().join("a.wasm"), content).unwrap();
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert_eq!(scan.changed[0].wasm, content);
    }
}

#[test]
fn a_changed_sidecar_is_a_change() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    scanner.scan(&Touched::default()).unwrap();
    std::fs::write(dir.path().join("a.toml"), "sinks = []").unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert_eq!(scan.changed[0].sidecar.as_deref(), Some("sinks = []"));
    std::fs::remove_file(dir.path().join("a.toml")).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().changed[0].sidecar, None);
}

#[test]
fn hidden_and_other_files_are_not_guests() {
    let (dir, mut scanner) = scanner();
    for file in [".a.wasm", "a.wasm~", "a.wasm.tmp", ".wasm", "a.toml", "readme.md"] {
        std::fs::write(dir.path().join(file), b"x").unwrap();
    }
    assert!(scanner.scan(&Touched::default()).unwrap().changed.is_empty());
}

#[test]
fn a_removed_file_is_gone_once() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    scanner.scan(&Touched::default()).unwrap();
    std::fs::remove_file(dir.path().join("a.wasm")).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
    assert!(scanner.scan(&Touched::default()).unwrap().gone.is_empty());
}

#[test]
fn a_missing_directory_changes_nothing() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    scanner.scan(&Touched::default()).unwrap();
    let away = dir.path().with_extension("away");
    std::fs::rename(dir.path(), &away).unwrap();
    assert!(scanner.scan(&Touched::default()).is_err());
    std::fs::rename(&away, dir.path()).unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert!(scan.changed.is_empty() && scan.gone.is_empty());
}

#[test]
fn a_file_beyond_the_bound_is_read_one_byte_beyond_it() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), vec![0; 5000]).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().changed[0].wasm.len(), 1001);
}

#[test]
fn a_file_of_ten_gigabytes_is_not_read_into_memory() {
    let (dir, mut scanner) = scanner();
    let file = std::fs::File::create(dir.path().join("a.wasm")).unwrap();
    // It takes no room on the disk.
    file.set_len(10 << 30).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().changed[0].wasm.len(), 1001);
}

#[test]
fn a_device_and_a_link_to_a_folder_are_refused() {
    let (dir, mut scanner) = scanner();
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("a.wasm")).unwrap();
    std::os::unix::fs::symlink(".", dir.path().join("b.wasm")).unwrap();
    std::os::unix::fs::symlink("c.wasm", dir.path().join("c.wasm")).unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    let refused: Vec<&str> = scan.unreadable.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(refused, ["a", "b", "c"], "the last is a link to itself");
    assert!(scan.changed.is_empty());
}

#[test]
fn a_named_pipe_is_refused_without_being_opened() {
    let (dir, mut scanner) = scanner();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join("a.wasm"))
        .status();
    assert!(made.unwrap().success());
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert_eq!(
        scan.unreadable,
        [(
            "a".to_owned(),
            "a.wasm must be a regular file or a link to one".to_owned()
        )]
    );
}

#[test]
fn a_named_pipe_as_sidecar_is_refused_without_being_opened() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join("a.toml"))
        .status();
    assert!(made.unwrap().success());
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert!(scan.changed.is_empty());
    assert!(scan.unreadable[0].1.contains("a.toml must be a regular file"));
}

#[test]
fn a_link_to_nothing_is_absent() {
    let (dir, mut scanner) = scanner();
    std::os::unix::fs::symlink("nowhere.wasm", dir.path().join("a.wasm")).unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert!(scan.changed.is_empty() && scan.unreadable.is_empty() && scan.gone.is_empty());
}

#[test]
fn a_link_whose_target_went_is_gone_once() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("target"), b"one").unwrap();
    std::os::unix::fs::symlink("target", dir.path().join("a.wasm")).unwrap();
    assert_eq!(names(&scanner.scan(&Touched::default()).unwrap()), ["a"]);
    std::fs::remove_file(dir.path().join("target")).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
    assert!(scanner.scan(&Touched::default()).unwrap().gone.is_empty());
}

#[test]
fn a_guest_that_was_never_readable_is_gone_when_it_goes() {
    let (dir, mut scanner) = scanner();
    std::fs::create_dir(dir.path().join("a.wasm")).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().unreadable.len(), 1);
    std::fs::remove_dir(dir.path().join("a.wasm")).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
    assert!(scanner.scan(&Touched::default()).unwrap().gone.is_empty());
}

#[test]
fn a_guest_that_can_be_read_again_is_reported_again() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    scanner.scan(&Touched::default()).unwrap();
    std::fs::create_dir(dir.path().join("a.toml")).unwrap();
    assert_eq!(scanner.scan(&Touched::default()).unwrap().unreadable.len(), 1);
    std::fs::remove_dir(dir.path().join("a.toml")).unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert_eq!(names(&scan), ["a"]);
    assert!(scan.gone.is_empty());
}

#[test]
fn a_query_is_a_guest_in_another_form() {
    let (dir, mut scanner) = scanner();
    std::fs::write(dir.path().join("a.sql"), "SELECT 1").unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert_eq!((names(&scan), scan.changed[0].form), (vec!["a"], Form::Sql));
    assert!(scanner.scan(&Touched::default()).unwrap().changed.is_empty());

    // With a second file of that name nobody knows which one is meant.
    std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert!(
        scan.unreadable[0].1.contains("a.wasm and a.sql"),
        "{:?}",
        scan.unreadable
    );

    std::fs::remove_file(dir.path().join("a.sql")).unwrap();
    let scan = scanner.scan(&Touched::default()).unwrap();
    assert_eq!((names(&scan), scan.changed[0].form), (vec!["a"], Form::Wasm));
}
