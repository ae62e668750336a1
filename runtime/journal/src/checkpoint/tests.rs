use super::names::{checkpoint, unfinished};
use super::{CheckpointError, Checkpoints, Found, SECTION_BYTES_MAX, SectionKind};
use crate::sim::{Crash, Faults, SimDisk};
use crate::storage::{Directory, Storage};
use proptest::prelude::*;
use std::sync::Arc;

const STATE: SectionKind = SectionKind::new(1).unwrap();
const POSITION: SectionKind = SectionKind::new(2).unwrap();

fn open(disk: &SimDisk) -> (Checkpoints, Found) {
    Checkpoints::open(disk.directory("c"), 0).unwrap()
}

fn write(checkpoints: &mut Checkpoints, state: &[u8]) -> Result<u64, CheckpointError> {
    let mut writer = checkpoints.begin()?;
    writer.section(STATE, state)?;
    writer.section(POSITION, b"")?;
    Ok(writer.finish()?.0)
}

fn newest(checkpoints: &Checkpoints) -> Option<(u64, Vec<u8>)> {
    let mut reader = checkpoints.newest().unwrap()?;
    let (mut state, mut position) = (Vec::new(), Vec::new());
    assert_eq!(reader.next_section(&mut state).unwrap(), Some(STATE));
    assert_eq!(reader.next_section(&mut position).unwrap(), Some(POSITION));
    assert_eq!(reader.next_section(&mut position).unwrap(), None);
    Some((reader.number(), state))
}

fn names(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.directory("c").list().unwrap();
    names.sort();
    names
}

#[test]
fn the_newest_is_found_and_two_are_kept() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, found) = open(&disk);
    assert_eq!(found, Found::default());
    assert!(newest(&checkpoints).is_none());
    for number in 1..=4_u8 {
        assert_eq!(write(&mut checkpoints, &[number; 10]).unwrap(), number.into());
    }
    assert_eq!(checkpoints.kept(), [3, 4]);
    assert_eq!(names(&disk), [checkpoint(3), checkpoint(4)]);
    let (checkpoints, found) = open(&disk);
    assert_eq!(found.newest, Some(4));
    assert_eq!(newest(&checkpoints), Some((4, vec![4; 10])));
}

#[test]
fn the_same_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(folder.path()).unwrap());
    let (mut checkpoints, _) = Checkpoints::open(Arc::clone(&storage), 100_000).unwrap();
    assert!(checkpoints.restore_reserve().unwrap());
    assert_eq!(storage.size("reserve").unwrap(), 100_000);
    let large = vec![7; 1_000_000];
    write(&mut checkpoints, &large).unwrap();
    let (checkpoints, found) = Checkpoints::open(storage, 100_000).unwrap();
    assert_eq!(found.foreign, [] as [String; 0]);
    assert_eq!(newest(&checkpoints), Some((1, large)));
}

#[test]
fn one_that_was_not_finished_has_never_been() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = open(&disk);
    write(&mut checkpoints, b"first").unwrap();
    let mut writer = checkpoints.begin().unwrap();
    writer.section(STATE, &[1; 1_000_000]).unwrap();
    drop(writer);
    assert_eq!(names(&disk), [checkpoint(1), unfinished(2)]);
    let (mut checkpoints, _) = open(&disk);
    assert_eq!(newest(&checkpoints), Some((1, b"first".to_vec())));
    assert_eq!(names(&disk), [checkpoint(1)]);
    assert_eq!(write(&mut checkpoints, b"second").unwrap(), 2);
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_or_the_new() {
    for crash in [Crash::Process, Crash::Power] {
        for crash_at in 0.. {
            let disk = SimDisk::new(crash_at);
            let (mut checkpoints, _) = open(&disk);
            write(&mut checkpoints, b"first").unwrap();
            write(&mut checkpoints, b"second").unwrap();
            disk.crash_after(Some(crash_at));
            let written = write(&mut checkpoints, b"third");
            let off = disk.is_off();
            disk.restart(crash);
            let (checkpoints, found) = open(&disk);
            assert_eq!(found.rejected, [], "crash at {crash_at}");
            let state = newest(&checkpoints).unwrap().1;
            let expected = if written.is_ok() {
                &[b"third".to_vec()][..]
            } else {
                &[b"second".to_vec(), b"third".to_vec()]
            };
            assert!(expected.contains(&state), "crash at {crash_at}: {state:?}");
            if !off {
                break;
            }
        }
    }
}

#[test]
fn a_damaged_one_is_put_aside_and_the_one_before_is_used() {
    for (at, reason) in [
        (0, "it does not begin like a checkpoint"),
        (9, "the checksum of its header is wrong"),
        (14, "the checksum of its header is wrong"),
        (24, "the checksum of a section is wrong"),
        (28, "the checksum of a section is wrong"),
        (33, "a section is not what was written"),
        (40, "the checksum of a section is wrong"),
    ] {
        let disk = SimDisk::new(1);
        let (mut checkpoints, _) = open(&disk);
        write(&mut checkpoints, b"first").unwrap();
        write(&mut checkpoints, b"second").unwrap();
        let mut bytes = disk.contents("c", &checkpoint(2)).unwrap();
        bytes[at] ^= 0x20;
        disk.put("c", &checkpoint(2), bytes.clone());
        let (mut checkpoints, found) = open(&disk);
        assert_eq!(found.newest, Some(1));
        assert_eq!(found.rejected[0].reason, reason, "byte {at}");
        assert_eq!(disk.contents("c", &found.rejected[0].file).unwrap(), bytes);
        assert_eq!(newest(&checkpoints), Some((1, b"first".to_vec())));
        assert_eq!(write(&mut checkpoints, b"third").unwrap(), 3, "no number is used twice");
    }
}

#[test]
fn files_that_end_early_or_late_or_are_another_are_damaged() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = open(&disk);
    write(&mut checkpoints, b"first").unwrap();
    write(&mut checkpoints, b"second").unwrap();
    let (first, bytes) = (
        disk.contents("c", &checkpoint(1)).unwrap(),
        disk.contents("c", &checkpoint(2)).unwrap(),
    );
    let mut wrong: Vec<Vec<u8>> = (0..bytes.len()).map(|length| bytes[..length].to_vec()).collect();
    wrong.push([bytes.clone(), vec![0]].concat());
    wrong.push(first.clone());
    // A section of the one before in the place of its own.
    wrong.push([&bytes[..24], &first[24..]].concat());
    wrong.push(vec![0xff; 1000]);
    for content in wrong {
        disk.put("c", &checkpoint(2), content);
        let (_, found) = open(&disk);
        assert_eq!((found.newest, found.rejected.len()), (Some(1), 1));
    }
}

#[test]
fn one_that_cannot_be_read_is_left_where_it_is() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = open(&disk);
    write(&mut checkpoints, b"first").unwrap();
    write(&mut checkpoints, b"second").unwrap();
    disk.break_file("c", &checkpoint(2), 30);
    let (_, found) = open(&disk);
    assert_eq!(found.newest, Some(1));
    assert!(
        found.rejected[0].reason.contains("cannot be read"),
        "{}",
        found.rejected[0].reason
    );
    assert_eq!(names(&disk), [checkpoint(1), checkpoint(2)]);
}

#[test]
fn a_later_version_is_refused_and_nothing_is_touched() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = open(&disk);
    write(&mut checkpoints, b"first").unwrap();
    let mut bytes = disk.contents("c", &checkpoint(1)).unwrap();
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    disk.put("c", &checkpoint(2), bytes);
    disk.put("c", &checkpoint(3), vec![1; 99]);
    let before = names(&disk);
    let error = Checkpoints::open(disk.directory("c"), 0).unwrap_err();
    assert!(
        matches!(error, CheckpointError::FutureVersion { version: 9, .. }),
        "{error}"
    );
    assert_eq!(names(&disk), before);
}

#[test]
fn a_full_disk_takes_the_reserve() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = Checkpoints::open(disk.directory("c"), 5_000).unwrap();
    disk.set_capacity(Some(30_000));
    assert!(checkpoints.restore_reserve().unwrap());
    disk.put("j", "journal", vec![0; 24_900]);
    assert_eq!(write(&mut checkpoints, &[1; 3_000]).unwrap(), 1);
    assert!(!checkpoints.restore_reserve().unwrap(), "there is no space for it");
    // Nothing is left to give up.
    let error = write(&mut checkpoints, &[1; 3_000]).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(newest(&checkpoints).unwrap().0, 1);
    assert_eq!(names(&disk), [checkpoint(1)]);
    disk.directory("j").remove("journal").unwrap();
    assert!(checkpoints.restore_reserve().unwrap());
    assert!(checkpoints.give_up_reserve());
    assert!(!checkpoints.give_up_reserve());
}

#[test]
fn a_reserve_of_another_size_is_made_anew() {
    let disk = SimDisk::new(1);
    disk.put("c", "reserve", vec![1; 10]);
    let (mut checkpoints, _) = Checkpoints::open(disk.directory("c"), 5_000).unwrap();
    assert!(checkpoints.restore_reserve().unwrap());
    assert_eq!(disk.contents("c", "reserve").unwrap().len(), 5_000);
}

#[test]
fn a_failure_of_the_disk_leaves_the_one_before() {
    for faults in [
        Faults {
            write_error: 1000,
            ..Faults::default()
        },
        Faults {
            sync_error: 1000,
            ..Faults::default()
        },
        Faults {
            name_error: 1000,
            ..Faults::default()
        },
    ] {
        let disk = SimDisk::new(1);
        let (mut checkpoints, _) = open(&disk);
        write(&mut checkpoints, b"first").unwrap();
        disk.set_faults(faults);
        let error = write(&mut checkpoints, b"second").unwrap_err();
        assert!(error.to_string().contains("simulated"), "{error}");
        disk.set_faults(Faults::default());
        assert_eq!(newest(&checkpoints), Some((1, b"first".to_vec())));
        write(&mut checkpoints, b"third").unwrap();
        assert_eq!(newest(&open(&disk).0).unwrap().1, b"third");
    }
}

#[test]
fn a_section_has_a_bound() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = open(&disk);
    let mut writer = checkpoints.begin().unwrap();
    let error = writer.section(STATE, &vec![0; SECTION_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a section may have 67108864 bytes, this has 67108865; divide it"
    );
}

#[test]
fn damaged_ones_are_not_kept_for_ever() {
    let disk = SimDisk::new(1);
    for number in 1..20 {
        disk.put("c", &checkpoint(number), vec![0; 50]);
        let (_, found) = open(&disk);
        assert_eq!(found.rejected.len(), 1);
    }
    assert_eq!(names(&disk).len(), 4);
    assert_eq!(names(&disk)[3], "00000000000000000019.checkpoint.damaged");
}

proptest! {
    #[test]
    fn any_bytes_are_a_checkpoint_or_damaged(bytes in proptest::collection::vec(any::<u8>(), 0..300), with_header: bool) {
        let disk = SimDisk::new(1);
        let (mut checkpoints, _) = open(&disk);
        write(&mut checkpoints, b"first").unwrap();
        let mut content = if with_header { disk.contents("c", &checkpoint(1)).unwrap()[..24].to_vec() } else { Vec::new() };
        content.extend_from_slice(&bytes);
        disk.put("c", &checkpoint(1), content);
        let (checkpoints, found) = open(&disk);
        prop_assert_eq!(found.newest, None);
        prop_assert_eq!(found.rejected.len(), 1);
        prop_assert!(newest(&checkpoints).is_none());
    }
}
