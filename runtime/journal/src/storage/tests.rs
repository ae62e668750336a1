use super::{Directory, DirectoryError, LockError, Storage, append_all, is_full, read_full};
use std::io;

fn directory() -> (tempfile::TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(&folder.path().join("data/journal")).unwrap();
    (folder, directory)
}

#[test]
fn what_is_appended_can_be_read() {
    let (_folder, directory) = directory();
    let file = directory.create("a").unwrap();
    append_all(file.as_ref(), b"hello ").unwrap();
    append_all(file.as_ref(), b"world").unwrap();
    file.sync().unwrap();
    directory.sync_directory().unwrap();
    let mut into = [0; 20];
    let file = directory.open("a").unwrap();
    assert_eq!(read_full(file.as_ref(), 6, &mut into).unwrap(), 5);
    assert_eq!(&into[..5], b"world");
    assert_eq!(read_full(file.as_ref(), 99, &mut into).unwrap(), 0);
    assert_eq!(directory.size("a").unwrap(), 11);
}

#[test]
fn files_are_cut_renamed_replaced_and_removed() {
    let (_folder, directory) = directory();
    append_all(directory.create("a").unwrap().as_ref(), b"12345").unwrap();
    directory.cut("a", 2).unwrap();
    assert_eq!(directory.size("a").unwrap(), 2);
    append_all(directory.create("b").unwrap().as_ref(), b"other").unwrap();
    directory.rename("a", "b").unwrap();
    assert_eq!(directory.list().unwrap(), ["b"]);
    assert_eq!(directory.size("b").unwrap(), 2);
    directory.create("b").unwrap();
    assert_eq!(directory.size("b").unwrap(), 0);
    directory.remove("b").unwrap();
    assert!(directory.list().unwrap().is_empty());
    for missing in [directory.remove("b"), directory.cut("b", 0), directory.rename("b", "c")] {
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn only_files_are_listed() {
    let (folder, directory) = directory();
    std::fs::create_dir(folder.path().join("data/journal/folder")).unwrap();
    directory.create("file").unwrap();
    assert_eq!(directory.list().unwrap(), ["file"]);
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let (folder, directory) = directory();
    let lock = directory.lock().unwrap();
    let again = Directory::open(&folder.path().join("data/journal")).unwrap();
    let error = again.lock().unwrap_err();
    assert!(matches!(error, LockError::InUse { .. }), "{error}");
    let told = format!("journal is in use by process {}; stop that", std::process::id());
    assert!(error.to_string().contains(&told), "{error}");
    drop(lock);
    again.lock().unwrap();
}

#[test]
fn a_lock_file_with_anything_in_it_is_taken() {
    let (folder, directory) = directory();
    std::fs::write(folder.path().join("data/journal/lock"), [0xff; 5000]).unwrap();
    let _lock = directory.lock().unwrap();
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, "").unwrap();
    let error = Directory::open(&path).unwrap_err();
    assert!(error.to_string().contains("data must be a directory"), "{error}");
    let error = Directory::open(&path.join("below")).unwrap_err();
    assert!(matches!(error, DirectoryError::Create { .. }), "{error}");
}

#[test]
fn free_space_is_known() {
    let (_folder, directory) = directory();
    assert!(directory.free_bytes().unwrap() > 0);
}

#[test]
fn a_full_disk_is_told_from_other_errors() {
    assert!(is_full(&io::ErrorKind::StorageFull.into()));
    assert!(is_full(&io::ErrorKind::QuotaExceeded.into()));
    assert!(!is_full(&io::Error::other("broken")));
}
