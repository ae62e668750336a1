use super::{Bench, options, storage, to};
use crate::log::{Durability, Log, Missing, OpenError, Sequence};
use crate::sim::{Crash, Faults, SimDisk};

#[test]
fn the_end_of_the_process_loses_nothing_that_was_written() {
    let mut bench = Bench::new(1);
    bench.commit(1..=20, Durability::ProcessCrash);
    bench.disk.restart(Crash::Process);
    let bench = bench.reopened();
    assert_eq!(bench.numbers(), to(20));
    assert!(bench.recovered.secured > 0);
    assert!(bench.recovered.quarantined.is_empty());
}

#[test]
fn a_loss_of_power_loses_nothing_that_was_synced() {
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.commit(1..=11, Durability::PowerLoss);
        bench.commit(12..=14, Durability::ProcessCrash);
        bench.disk.restart(Crash::Power);
        let bench = bench.reopened();
        let numbers = bench.numbers();
        assert!((11..=14).contains(&numbers.len()), "seed {seed}: {numbers:?}");
        assert_eq!(numbers, to(numbers.len() as u64), "seed {seed}");
        assert_eq!(bench.recovered.quarantined, [], "seed {seed}");
        assert_eq!(bench.recovered.missing, [], "seed {seed}");
    }
}

#[test]
fn what_was_recovered_is_on_disk() {
    for seed in 0..100 {
        let mut bench = Bench::new(seed);
        bench.commit(1..=10, Durability::ProcessCrash);
        // Nobody can know that this did not reach the disk.
        bench.disk.set_faults(Faults {
            sync_error: 1000,
            ..Faults::default()
        });
        bench.log.sync().unwrap_err();
        bench.disk.set_faults(Faults::default());
        let bench = bench.reopened();
        assert_eq!(bench.numbers(), to(10));
        bench.disk.restart(Crash::Power);
        assert_eq!(bench.reopened().numbers(), to(10), "seed {seed}");
    }
}

#[test]
fn a_log_that_was_closed_is_not_copied() {
    let mut bench = Bench::new(1);
    bench.commit(1..=6, Durability::ProcessCrash);
    bench.log.close().unwrap();
    let names = storage(&bench.disk).list().unwrap();
    let bench = Bench::on(bench.disk, Sequence::START);
    assert_eq!(bench.recovered.secured, 0);
    assert_eq!(storage(&bench.disk).list().unwrap(), names);
    assert_eq!(bench.numbers(), to(6));
}

#[test]
fn opening_again_and_again_changes_nothing() {
    let mut bench = Bench::new(1);
    bench.commit(1..=10, Durability::ProcessCrash);
    for _ in 0..5 {
        bench = bench.reopened();
        assert_eq!(bench.numbers(), to(10));
        assert_eq!(bench.recovered.cut_bytes, 0);
    }
}

#[test]
fn a_crash_at_any_operation_of_opening_loses_nothing() {
    for crash_at in 0.. {
        let mut bench = Bench::new(crash_at);
        bench.commit(1..=10, Durability::PowerLoss);
        bench.commit(11..=12, Durability::ProcessCrash);
        bench.disk.restart(Crash::Process);
        bench.disk.crash_after(Some(crash_at));
        let opened = Log::open(storage(&bench.disk), options(), Sequence::START);
        let finished = opened.is_ok();
        bench.disk.restart(Crash::Process);
        let bench = bench.reopened();
        assert_eq!(bench.numbers(), to(12), "crash at {crash_at}");
        assert!(bench.recovered.quarantined.is_empty(), "crash at {crash_at}");
        bench.disk.restart(Crash::Power);
        let bench = bench.reopened();
        assert_eq!(bench.numbers(), to(12), "crash at {crash_at}, then the power");
        if finished {
            assert!(crash_at > 10);
            return;
        }
    }
}

#[test]
fn numbers_go_on_above_what_is_covered() {
    let mut bench = Bench::new(1);
    bench.commit(1..=3, Durability::PowerLoss);
    // The checkpoint was synced, the last records were not.
    let mut bench = Bench::on(bench.disk, Sequence(7));
    assert_eq!(bench.recovered.next, Sequence(8));
    assert_eq!(bench.recovered.missing, []);
    bench.commit(8..=9, Durability::PowerLoss);
    let bench = Bench::on(bench.disk, Sequence(7));
    assert_eq!(bench.recovered.missing, []);
    // The checkpoint before is used after all, and needs what is not there.
    let bench = Bench::on(bench.disk, Sequence(2));
    let missing = Missing {
        first: Sequence(4),
        last: Sequence(7),
    };
    assert_eq!(bench.recovered.missing, [missing]);
    assert_eq!(bench.numbers(), [1, 2, 3, 8, 9]);
}

#[test]
fn a_later_version_is_refused_and_nothing_is_touched() {
    let mut bench = Bench::new(1);
    bench.commit(1..=10, Durability::ProcessCrash);
    let name = bench.names()[1].clone();
    let mut bytes = bench.disk.contents("d", &name).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..24]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    bench.disk.put("d", &name, bytes);
    bench.disk.put("d", "00000000000000000099.log.new", vec![1]);
    let before = bench.names();
    let error = Log::open(storage(&bench.disk), options(), Sequence::START).unwrap_err();
    assert!(matches!(error, OpenError::FutureVersion { version: 2, .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("{name} has format 2, and this version")),
        "{error}"
    );
    assert_eq!(bench.names(), before);
}

#[test]
fn foreign_files_are_named_and_left_alone() {
    let disk = SimDisk::new(1);
    for name in ["notes.txt", "1.log"] {
        disk.put("d", name, b"mine".to_vec());
    }
    let bench = Bench::on(disk, Sequence::START);
    assert_eq!(bench.recovered.foreign, ["1.log", "notes.txt"]);
    assert_eq!(bench.names().len(), 2);
}

#[test]
fn what_was_begun_and_never_finished_is_removed() {
    let disk = SimDisk::new(1);
    disk.put("d", "00000000000000000001.log.new", vec![0; 10]);
    let bench = Bench::on(disk, Sequence::START);
    assert!(bench.names().is_empty());
    assert_eq!(bench.recovered.next, Sequence(1));
}

#[test]
fn an_error_of_the_disk_while_opening_is_told() {
    let bench = Bench::new(1);
    bench.disk.set_faults(Faults {
        name_error: 1000,
        ..Faults::default()
    });
    let error = Log::open(storage(&bench.disk), options(), Sequence::START).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory cannot be listed: simulated: the directory cannot be read"
    );
}
