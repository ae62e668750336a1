use super::{EmissionId, OnFull, Outbox, OutboxOptions, OutboxRecovered, Pushed};
use crate::log::{Durability, Log, LogOptions, Sequence};
use crate::sim::{Crash, Faults, SimDisk};
use crate::storage::Storage;

fn options() -> OutboxOptions {
    OutboxOptions {
        bytes_max: 1 << 20,
        on_full: OnFull::Block,
        segment_bytes: 400,
        salt: 0xb0b,
    }
}

/// Room for ten of the emissions below.
fn small(on_full: OnFull) -> OutboxOptions {
    OutboxOptions {
        bytes_max: 10 * 50,
        on_full,
        ..options()
    }
}

struct Bench {
    disk: SimDisk,
    options: OutboxOptions,
    outbox: Outbox,
    recovered: OutboxRecovered,
}

impl Bench {
    fn new(options: OutboxOptions) -> Self {
        Bench::on(SimDisk::new(1), options)
    }

    fn on(disk: SimDisk, options: OutboxOptions) -> Self {
        let (outbox, recovered) = Outbox::open(disk.directory("o"), options).unwrap();
        Bench {
            disk,
            options,
            outbox,
            recovered,
        }
    }

    fn reopened(self) -> Self {
        Bench::on(self.disk, self.options)
    }

    /// Pushes an emission of 50 bytes on disk with this number as its id.
    fn push(&mut self, number: u8) -> Pushed {
        self.outbox
            .push(EmissionId([number; 16]), &[b"{\"number\"", b": 1234}]"])
            .unwrap()
    }

    fn commit(&mut self, numbers: impl IntoIterator<Item = u8>) {
        for number in numbers {
            assert!(matches!(self.push(number), Pushed::Queued { .. }));
        }
        self.outbox.commit(Durability::ProcessCrash).unwrap();
    }

    fn disk_bytes(&self) -> u64 {
        let directory = self.disk.directory("o");
        let names = directory.list().unwrap();
        names.iter().map(|name| directory.size(name).unwrap()).sum()
    }

    /// Takes all that there is: the numbers, and by what they are acknowledged.
    fn take(&mut self) -> (Vec<u8>, Vec<Sequence>) {
        let mut taken = (Vec::new(), Vec::new());
        while let Some(emission) = self.outbox.take().unwrap() {
            assert_eq!(emission.bytes, b"{\"number\": 1234}]");
            taken.0.push(emission.id.0[0]);
            taken.1.push(emission.sequence);
        }
        taken
    }
}

#[test]
fn emissions_come_out_in_order_once() {
    let mut bench = Bench::new(options());
    bench.commit(1..=5);
    assert_eq!(bench.take().0, [1, 2, 3, 4, 5]);
    assert_eq!(bench.take().0, [0; 0]);
    bench.commit(6..=7);
    assert_eq!(bench.take().0, [6, 7]);
    assert_eq!(bench.outbox.waiting(), 7);
    assert_eq!(bench.outbox.waiting_bytes(), 350);
}

#[test]
fn what_is_not_committed_is_not_taken() {
    let mut bench = Bench::new(options());
    let _ = bench.push(1);
    assert_eq!(bench.take().0, [0; 0]);
    bench.outbox.commit(Durability::PowerLoss).unwrap();
    assert_eq!(bench.take().0, [1]);
}

#[test]
fn what_was_not_acknowledged_comes_again_after_a_restart() {
    let mut bench = Bench::new(options());
    bench.commit(1..=10);
    let (_, sequences) = bench.take();
    for at in [0, 1, 2, 5, 9] {
        assert!(bench.outbox.acknowledge(sequences[at]));
    }
    assert_eq!(bench.outbox.cursor(), sequences[2]);
    bench.commit([11]);
    bench.disk.restart(Crash::Process);
    let mut bench = bench.reopened();
    assert_eq!(bench.recovered.waiting, 8);
    // What was acknowledged out of order comes once more.
    assert_eq!(bench.take().0, [4, 5, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn a_cursor_that_was_not_committed_makes_duplicates_and_no_losses() {
    let mut bench = Bench::new(options());
    bench.commit(1..=3);
    let (_, sequences) = bench.take();
    for sequence in sequences {
        bench.outbox.acknowledge(sequence);
    }
    assert_eq!(bench.outbox.waiting(), 0);
    bench.disk.restart(Crash::Process);
    let mut bench = bench.reopened();
    let (numbers, sequences) = bench.take();
    assert_eq!(numbers, [1, 2, 3]);
    for sequence in sequences {
        bench.outbox.acknowledge(sequence);
    }
    bench.outbox.close().unwrap();
    let bench = Bench::on(bench.disk, options());
    assert_eq!(bench.recovered.waiting, 0);
    assert_eq!(bench.recovered.log.missing, []);
}

#[test]
fn an_acknowledgement_counts_once() {
    let mut bench = Bench::new(options());
    bench.commit(1..=2);
    assert!(!bench.outbox.acknowledge(Sequence(1)), "it was not taken");
    let (_, sequences) = bench.take();
    assert!(bench.outbox.acknowledge(sequences[1]));
    assert!(!bench.outbox.acknowledge(sequences[1]));
    assert!(!bench.outbox.acknowledge(Sequence(99)));
    assert_eq!(bench.outbox.waiting(), 1);
}

#[test]
fn a_lost_connection_brings_what_was_in_flight_again() {
    let mut bench = Bench::new(options());
    bench.commit(1..=6);
    let (_, sequences) = bench.take();
    bench.outbox.acknowledge(sequences[0]);
    bench.outbox.acknowledge(sequences[3]);
    bench.outbox.rewind();
    assert!(!bench.outbox.acknowledge(sequences[1]), "of the connection before");
    assert_eq!(bench.take().0, [2, 3, 5, 6]);
}

#[test]
fn a_full_queue_blocks_or_drops_and_counts() {
    let mut bench = Bench::new(small(OnFull::Block));
    bench.commit(1..=10);
    assert_eq!(bench.push(11), Pushed::Full);
    let (_, sequences) = bench.take();
    bench.outbox.acknowledge(sequences[4]);
    assert!(matches!(bench.push(11), Pushed::Queued { dropped: 0, .. }));

    let mut bench = Bench::new(small(OnFull::DropNewest));
    bench.commit(1..=10);
    let dropped = Pushed::Dropped {
        older: 0,
        older_bytes: 0,
    };
    assert_eq!(bench.push(11), dropped);
    assert_eq!(bench.take().0, (1..=10).collect::<Vec<_>>());

    let mut bench = Bench::new(small(OnFull::DropOldest));
    bench.commit(1..=10);
    for number in 11..=13 {
        let pushed = bench.push(number);
        assert!(
            matches!(
                pushed,
                Pushed::Queued {
                    dropped: 1,
                    dropped_bytes: 50,
                    ..
                }
            ),
            "{pushed:?}"
        );
    }
    bench.commit([]);
    assert_eq!(bench.take().0, (4..=13).collect::<Vec<_>>());
    assert_eq!(bench.outbox.waiting(), 10);
    assert_eq!(bench.outbox.dropped(), 3);
    // All of these may have arrived.
    assert_eq!(bench.push(14), dropped);
}

#[test]
fn what_is_pushed_and_not_committed_can_be_dropped_too() {
    let mut bench = Bench::new(small(OnFull::DropOldest));
    for number in 1..=30 {
        assert!(matches!(bench.push(number), Pushed::Queued { .. }));
    }
    bench.commit([]);
    assert_eq!(bench.take().0, (21..=30).collect::<Vec<_>>());
}

#[test]
fn one_that_is_larger_than_the_queue_is_told_apart() {
    let mut bench = Bench::new(small(OnFull::DropOldest));
    bench.commit(1..=3);
    let pushed = bench.outbox.push(EmissionId([9; 16]), &[&[0; 500]]).unwrap();
    assert_eq!(pushed, Pushed::TooLarge);
    assert_eq!(bench.outbox.waiting(), 3, "nothing was dropped for it");
}

#[test]
fn files_of_what_is_done_go() {
    let mut bench = Bench::new(small(OnFull::Block));
    for round in 0..200_u8 {
        bench.commit([round]);
        let (_, sequences) = bench.take();
        bench.outbox.acknowledge(sequences[0]);
        let bytes = bench.disk_bytes();
        assert!(bytes < 500 + 6 * 400, "{bytes}");
    }
    assert_eq!(bench.outbox.waiting(), 0);
}

#[test]
fn one_that_never_arrives_holds_the_files_but_not_beyond_the_bound() {
    let mut bench = Bench::new(small(OnFull::DropOldest));
    bench.commit([1]);
    bench.take();
    let mut dropped = 0;
    for number in 2..=200 {
        match bench.push(number) {
            Pushed::Queued { dropped: older, .. } => dropped += older,
            Pushed::Dropped { older, .. } => dropped += older + 1,
            Pushed::Full | Pushed::TooLarge => panic!("it drops"),
        }
        bench.outbox.commit(Durability::ProcessCrash).unwrap();
    }
    let bytes = bench.disk_bytes();
    assert!(bytes < 500 + 6 * 400, "{bytes}");
    assert_eq!(bench.outbox.waiting() + dropped, 200);
    bench.outbox.acknowledge(Sequence(1));
    bench.take();
    bench.outbox.commit(Durability::PowerLoss).unwrap();
}

#[test]
fn when_nothing_happens_nothing_is_written() {
    let mut bench = Bench::new(options());
    bench.commit(1..=2);
    let (_, sequences) = bench.take();
    for sequence in sequences {
        bench.outbox.acknowledge(sequence);
    }
    bench.commit([]);
    let before = bench.disk.operations();
    for _ in 0..10 {
        bench.commit([]);
    }
    assert_eq!(bench.disk.operations(), before);
    let mut bench = bench.reopened();
    bench.commit([]);
    let before = bench.disk.operations();
    bench.commit([]);
    assert_eq!(bench.disk.operations(), before);
}

#[test]
fn a_damaged_emission_is_lost_alone_and_told() {
    let mut bench = Bench::new(options());
    bench.commit(1..=20);
    bench.outbox.close().unwrap();
    let name = "00000000000000000001.log";
    let mut bytes = bench.disk.contents("o", name).unwrap();
    bytes[28 + 50 + 20] ^= 1;
    bench.disk.put("o", name, bytes);
    let mut bench = Bench::on(bench.disk, options());
    assert_eq!(bench.recovered.waiting, 19);
    let missing = &bench.recovered.log.missing[0];
    assert_eq!((missing.first, missing.last), (Sequence(2), Sequence(2)));
    let (numbers, sequences) = bench.take();
    assert_eq!(numbers.len(), 19);
    for sequence in sequences {
        bench.outbox.acknowledge(sequence);
    }
    assert_eq!(bench.outbox.waiting_bytes(), 0);
    bench.outbox.close().unwrap();
    let bench = Bench::on(bench.disk, options());
    assert_eq!(bench.recovered.waiting, 0);
    assert_eq!(bench.recovered.log.missing, []);
}

#[test]
fn records_of_another_kind_are_passed_over() {
    let disk = SimDisk::new(1);
    let log_options = LogOptions {
        segment_bytes: 400,
        bytes_max: 10_000,
        salt: 1,
    };
    let (mut log, _) = Log::open(disk.directory("o"), log_options, Sequence::START).unwrap();
    let kind = |number| crate::log::Kind::new(number).unwrap();
    let long = [&[7; 16][..], b"{\"number\": 1234}]"].concat();
    // A short emission, cursors that cannot be, something unknown, and an emission.
    let future = 99_u64.to_le_bytes();
    let records = [
        (1, &[0; 15][..]),
        (2, &future[..]),
        (2, &[0; 9][..]),
        (9, b"?"),
        (1, long.as_slice()),
    ];
    log.append(records.map(|(number, bytes)| (kind(number), bytes)))
        .unwrap();
    log.close().unwrap();
    let mut bench = Bench::on(disk, options());
    assert_eq!((bench.recovered.unknown, bench.recovered.waiting), (4, 1));
    let (numbers, sequences) = bench.take();
    assert_eq!(numbers, [7]);
    bench.outbox.acknowledge(sequences[0]);
    assert_eq!(bench.outbox.cursor(), Sequence(5));
}

#[test]
fn a_failed_disk_is_told_and_opening_again_goes_on() {
    let mut bench = Bench::new(options());
    bench.commit(1..=3);
    let _ = bench.push(4);
    bench.disk.set_faults(Faults {
        write_error: 1000,
        ..Faults::default()
    });
    bench.outbox.commit(Durability::ProcessCrash).unwrap_err();
    assert!(bench.outbox.is_broken());
    bench.disk.set_faults(Faults::default());
    let mut bench = bench.reopened();
    assert!(bench.take().0.starts_with(&[1, 2, 3]));
}
