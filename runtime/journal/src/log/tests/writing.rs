use super::{Bench, KIND, options, payload, read, storage, to};
use crate::log::{Durability, Log, LogError, LogOptions, PAYLOAD_BYTES_MAX, Sequence};
use crate::sim::{Crash, Faults, SimDisk};
use crate::storage::{Directory, Storage};
use std::sync::Arc;

#[test]
fn records_come_back_in_order_over_segments() {
    let mut bench = Bench::new(1);
    bench.commit(1..=20, Durability::ProcessCrash);
    assert!(bench.names().len() > 5, "{:?}", bench.names());
    assert_eq!(bench.numbers(), to(20));
    assert_eq!(bench.log.written(), Sequence(20));
}

#[test]
fn the_same_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(folder.path()).unwrap());
    for life in 0..3_u64 {
        let (mut log, recovered) = Log::open(Arc::clone(&storage), options(), Sequence::START).unwrap();
        assert_eq!(recovered.next.0, life * 10 + 1);
        for number in life * 10 + 1..=life * 10 + 10 {
            log.append([(KIND, payload(number).as_slice())]).unwrap();
            log.commit(Durability::PowerLoss).unwrap();
        }
        assert_eq!(read(&log, Sequence(5)), ((5..=life * 10 + 10).collect(), 0));
        log.trim(Sequence(5)).unwrap();
        if life == 1 {
            log.close().unwrap();
        }
    }
}

#[test]
fn a_batch_is_one_write() {
    let mut bench = Bench::new(1);
    bench.commit(1..=1, Durability::ProcessCrash);
    let payloads: Vec<_> = (2..1002).map(payload).collect();
    let batch = payloads.iter().map(|payload| (KIND, payload.as_slice()));
    let small = LogOptions {
        segment_bytes: 1 << 20,
        ..options()
    };
    bench.log.options = small;
    assert_eq!(bench.log.append(batch).unwrap(), Sequence(2)..Sequence(1002));
    let before = bench.disk.operations();
    bench.log.commit(Durability::ProcessCrash).unwrap();
    assert_eq!(bench.disk.operations() - before, 1);
    assert_eq!(bench.numbers(), to(1001));
}

#[test]
fn what_is_appended_is_not_there_before_it_is_committed() {
    let mut bench = Bench::new(1);
    bench.log.append([(KIND, payload(1).as_slice())]).unwrap();
    bench.log.commit(Durability::None).unwrap();
    assert!(bench.numbers().is_empty());
    assert_eq!(bench.log.written(), Sequence::START);
    bench.log.commit(Durability::ProcessCrash).unwrap();
    assert_eq!(bench.numbers(), [1]);
    assert_eq!(bench.log.synced(), Sequence::START);
    bench.log.commit(Durability::PowerLoss).unwrap();
    assert_eq!(bench.log.synced(), Sequence(1));
}

#[test]
fn without_durability_it_is_written_when_enough_has_come_together() {
    let mut bench = Bench::new(1);
    bench.log.options.bytes_max = 10 << 20;
    let large = vec![1; 100 << 10];
    for expected in [0, 0, 3] {
        bench.log.append([(KIND, large.as_slice())]).unwrap();
        bench.log.commit(Durability::None).unwrap();
        assert_eq!(bench.log.written(), Sequence(expected));
    }
}

#[test]
fn a_batch_that_does_not_fit_is_refused_as_a_whole() {
    let mut bench = Bench::new(1);
    bench.log.options.bytes_max = 500;
    bench.commit(1..=6, Durability::ProcessCrash);
    let (one, two) = (payload(7), payload(8));
    let batch = [(KIND, one.as_slice()), (KIND, two.as_slice())];
    let error = bench.log.append(batch).unwrap_err();
    assert!(matches!(error, LogError::Full { wanted: 112, .. }), "{error}");
    assert!(error.to_string().contains("at most 500 bytes"), "{error}");
    bench.log.trim(Sequence(7)).unwrap();
    assert_eq!(bench.log.append(batch).unwrap(), Sequence(7)..Sequence(9));
}

#[test]
fn what_fits_into_no_log_is_told_apart() {
    let mut bench = Bench::new(1);
    let huge = vec![0; 100_001];
    let error = bench.log.append([(KIND, huge.as_slice())]).unwrap_err();
    assert!(matches!(error, LogError::TooLarge { .. }), "{error}");
    bench.log.options.bytes_max = u64::MAX;
    let huge = vec![0; PAYLOAD_BYTES_MAX + 1];
    let error = bench.log.append([(KIND, huge.as_slice())]).unwrap_err();
    assert!(matches!(error, LogError::TooLarge { .. }), "{error}");
    bench.commit(1..=1, Durability::ProcessCrash);
    assert_eq!(bench.numbers(), [1]);
}

#[test]
fn trimming_removes_whole_segments_and_nothing_that_is_needed() {
    let mut bench = Bench::new(1);
    bench.commit(1..=20, Durability::ProcessCrash);
    let before = bench.log.bytes();
    let freed = bench.log.trim(Sequence(10)).unwrap();
    assert_eq!(bench.log.bytes(), before - freed);
    let first = bench.log.first();
    assert!(first > Sequence(5) && first <= Sequence(10), "{first}");
    assert_eq!(read(&bench.log, Sequence(10)), ((10..=20).collect(), 0));
    // More than there is.
    bench.log.trim(Sequence(1000)).unwrap();
    assert!(bench.numbers().is_empty());
    assert!(bench.log.bytes() < 100, "a log that is trimmed altogether is empty");
    bench.commit(21..=22, Durability::ProcessCrash);
    let bench = bench.reopened();
    assert_eq!(bench.recovered.next, Sequence(23), "numbers go on");
}

#[test]
fn a_failed_write_or_sync_is_the_end_of_the_handle() {
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
        let mut bench = Bench::new(1);
        bench.log.append([(KIND, payload(1).as_slice())]).unwrap();
        bench.disk.set_faults(faults);
        let error = bench.log.commit(Durability::PowerLoss).unwrap_err();
        assert!(error.to_string().contains("simulated"), "{error}");
        bench.disk.set_faults(Faults::default());
        assert!(bench.log.is_broken());
        let record = [(KIND, payload(2).to_vec())];
        let error = bench
            .log
            .append(record.iter().map(|(kind, payload)| (*kind, payload.as_slice())))
            .unwrap_err();
        assert!(error.to_string().starts_with("the log cannot be used since"), "{error}");
        bench.log.commit(Durability::ProcessCrash).unwrap_err();
        bench.log.trim(Sequence(1)).unwrap_err();
        let mut bench = bench.reopened();
        let next = bench.log.next().0;
        bench.commit(next..=3, Durability::PowerLoss);
    }
}

#[test]
fn a_full_disk_can_be_told_from_a_broken_one() {
    let mut bench = Bench::new(1);
    bench.commit(1..=3, Durability::PowerLoss);
    bench.disk.set_capacity(Some(400));
    let big = vec![0; 1000];
    bench.log.append([(KIND, big.as_slice())]).unwrap();
    let error = bench.log.commit(Durability::PowerLoss).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    bench.disk.set_capacity(None);
    assert_eq!(bench.reopened().numbers(), to(3));
}

#[test]
fn short_writes_are_continued() {
    let mut bench = Bench::new(1);
    bench.disk.set_faults(Faults {
        short_write: 900,
        ..Faults::default()
    });
    bench.commit(1..=20, Durability::ProcessCrash);
    assert_eq!(bench.numbers(), to(20));
}

#[test]
fn a_sync_elsewhere_counts_when_the_log_knows_of_it() {
    let mut bench = Bench::new(1);
    assert!(bench.log.begin_sync().unwrap().is_none());
    bench.commit(1..=1, Durability::ProcessCrash);
    let job = bench.log.begin_sync().unwrap().unwrap();
    bench.commit(2..=2, Durability::ProcessCrash);
    let done = job.run();
    assert_eq!(bench.log.synced(), Sequence::START);
    let both = bench.log.unsynced_bytes();
    bench.log.finish_sync(done).unwrap();
    assert_eq!(bench.log.synced(), Sequence(1));
    assert_eq!(bench.log.unsynced_bytes(), both / 2);
    // One that ends after its segment has.
    let job = bench.log.begin_sync().unwrap().unwrap();
    bench.commit(3..=10, Durability::ProcessCrash);
    let synced = bench.log.synced();
    bench.log.finish_sync(job.run()).unwrap();
    assert_eq!(bench.log.synced(), synced);
}

#[test]
fn a_sync_that_failed_elsewhere_is_not_made_good_by_the_next() {
    let mut bench = Bench::new(1);
    bench.commit(1..=1, Durability::ProcessCrash);
    let job = bench.log.begin_sync().unwrap().unwrap();
    bench.disk.set_faults(Faults {
        sync_error: 1000,
        ..Faults::default()
    });
    let done = job.run();
    bench.disk.set_faults(Faults::default());
    // The system has told of its failure once; here it would say that all is well.
    bench.log.commit(Durability::PowerLoss).unwrap_err();
    bench.log.finish_sync(done).unwrap_err();
    let bench = bench.reopened();
    bench.disk.restart(Crash::Power);
    let bench = bench.reopened();
    assert_eq!(bench.numbers(), [1], "opening it again wrote it once more");
}

#[test]
fn a_new_log_makes_no_file_before_it_is_needed() {
    let disk = SimDisk::new(1);
    let (log, recovered) = Log::open(storage(&disk), options(), Sequence(41)).unwrap();
    assert!(storage(&disk).list().unwrap().is_empty());
    assert_eq!((log.next(), recovered.next), (Sequence(42), Sequence(42)));
    assert!(recovered.missing.is_empty());
}
