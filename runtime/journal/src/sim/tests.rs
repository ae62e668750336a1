use super::{Crash, Faults, SimDisk};
use crate::storage::{LockError, Storage, StorageFile, append_all, is_full};

/// Whether something that may happen does, within a few hundred seeds.
fn happens(what: impl FnMut(u64) -> bool) -> bool {
    (0..300).any(what)
}

fn written(seed: u64, bytes: &[u8]) -> (SimDisk, Box<dyn StorageFile>) {
    let disk = SimDisk::new(seed);
    let directory = disk.directory("d");
    let file = directory.create("a").unwrap();
    directory.sync_directory().unwrap();
    append_all(file.as_ref(), bytes).unwrap();
    (disk, file)
}

#[test]
fn what_was_synced_survives_a_loss_of_power() {
    for seed in 0..300 {
        let (disk, file) = written(seed, &[7; 2000]);
        file.sync().unwrap();
        disk.restart(Crash::Power);
        assert_eq!(disk.contents("d", "a").unwrap(), [7; 2000]);
    }
}

#[test]
fn what_was_not_synced_is_there_or_not_or_torn_or_in_another_order() {
    let after = |seed| {
        let (disk, _file) = written(seed, &[7; 2000]);
        disk.restart(Crash::Power);
        disk.contents("d", "a").unwrap()
    };
    assert!(happens(|seed| after(seed).is_empty()));
    assert!(happens(|seed| after(seed) == [7; 2000]));
    assert!(happens(|seed| {
        let found = after(seed);
        !found.is_empty() && found.len() < 2000 && found.iter().all(|byte| *byte == 7)
    }));
    assert!(happens(|seed| after(seed).windows(2).any(|pair| pair == [0, 7])));
    assert!(happens(|seed| after(seed).iter().any(|byte| ![0, 7].contains(byte))));
}

#[test]
fn the_end_of_the_process_loses_nothing_that_was_written() {
    let (disk, file) = written(1, &[7; 2000]);
    disk.restart(Crash::Process);
    assert_eq!(disk.contents("d", "a").unwrap(), [7; 2000]);
    assert!(file.sync().is_err(), "a handle of the process before");
}

#[test]
fn names_may_be_lost_until_the_directory_is_synced() {
    let after = |seed| {
        let disk = SimDisk::new(seed);
        let directory = disk.directory("d");
        directory.create("a").unwrap().sync().unwrap();
        directory.rename("a", "b").unwrap();
        disk.restart(Crash::Power);
        let mut names = directory.list().unwrap();
        names.sort();
        names.join(" ")
    };
    for possible in ["", "a", "b"] {
        assert!(happens(|seed| after(seed) == possible), "{possible}");
    }
}

#[test]
fn what_a_failed_sync_was_to_save_is_read_until_the_power_goes() {
    assert!(happens(|seed| {
        let (disk, file) = written(seed, &[7; 2000]);
        disk.set_faults(Faults {
            sync_error: 1000,
            ..Faults::default()
        });
        file.sync().unwrap_err();
        disk.set_faults(Faults::default());
        file.sync().unwrap();
        assert_eq!(disk.contents("d", "a").unwrap(), [7; 2000]);
        disk.restart(Crash::Power);
        disk.contents("d", "a").unwrap() != [7; 2000]
    }));
}

#[test]
fn writes_are_short_fail_or_find_no_space() {
    let (disk, file) = written(1, &[7; 10]);
    disk.set_capacity(Some(15));
    assert_eq!(file.append(&[8; 10]).unwrap(), 5);
    assert!(is_full(&file.append(&[8; 10]).unwrap_err()));
    assert_eq!(disk.directory("d").free_bytes().unwrap(), 0);
    disk.set_capacity(None);
    disk.set_faults(Faults {
        short_write: 1000,
        ..Faults::default()
    });
    assert!(file.append(&[9; 10]).unwrap() < 10);
    append_all(file.as_ref(), &[9; 10]).unwrap();
    disk.set_faults(Faults {
        write_error: 1000,
        ..Faults::default()
    });
    append_all(file.as_ref(), &[9; 10]).unwrap_err();
    assert!(disk.faults_hit() > 2);
}

#[test]
fn the_machine_goes_off_at_the_operation_it_was_told() {
    let (disk, file) = written(1, &[7; 10]);
    disk.crash_after(Some(1));
    file.sync().unwrap();
    file.append(&[8; 10]).unwrap_err();
    assert!(disk.is_off());
    disk.directory("d").list().unwrap_err();
    disk.restart(Crash::Process);
    assert!(disk.contents("d", "a").unwrap().starts_with(&[7; 10]));
}

#[test]
fn bits_flip_and_media_break() {
    let (disk, _file) = written(1, &[0; 100]);
    assert_eq!(disk.flip_bit("d").unwrap(), "a");
    let ones: u32 = disk
        .contents("d", "a")
        .unwrap()
        .iter()
        .map(|byte| byte.count_ones())
        .sum();
    assert_eq!(ones, 1);
    disk.break_file("d", "a", 50);
    let file = disk.directory("d").open("a").unwrap();
    assert_eq!(file.read_at(0, &mut [0; 50]).unwrap(), 50);
    assert_eq!(file.read_at(40, &mut [0; 50]).unwrap(), 10);
    file.read_at(50, &mut [0; 50]).unwrap_err();
}

#[test]
fn a_lock_is_held_until_it_is_dropped_or_the_machine_goes_off() {
    let disk = SimDisk::new(1);
    let directory = disk.directory("d");
    let lock = directory.lock().unwrap();
    assert!(matches!(directory.lock(), Err(LockError::InUse { .. })));
    drop(lock);
    let lock = directory.lock().unwrap();
    disk.restart(Crash::Process);
    let again = directory.lock().unwrap();
    drop(lock);
    assert!(directory.lock().is_err(), "the lock of the life before is not this one");
    drop(again);
}
