//! What was on disk and is not what was written any more.

use super::{Bench, KIND, options, payload, storage, to};
use crate::log::{Durability, Log, LogOptions, Missing, Sequence};
use crate::sim::{Crash, SimDisk};
use proptest::prelude::*;

/// A log of ten synced records in several segments, and the name of the segment that holds a record.
fn ten() -> Bench {
    let mut bench = Bench::new(1);
    bench.commit(1..=10, Durability::PowerLoss);
    bench
}

fn segment_of(bench: &Bench, number: u64) -> String {
    let mut names = bench.names();
    names.retain(|name| name.as_str() <= format!("{number:020}.log").as_str());
    names.pop().unwrap()
}

/// Changes the byte at `offset` of the record `number`.
fn damage(bench: &Bench, number: u64, offset: usize) -> String {
    let name = segment_of(bench, number);
    let mut bytes = bench.disk.contents("d", &name).unwrap();
    let text = format!("record {number:032}");
    let at = bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap();
    bytes[at - 17 + offset] ^= 0x10;
    bench.disk.put("d", &name, bytes);
    name
}

fn missing(first: u64, last: u64) -> Missing {
    Missing {
        first: Sequence(first),
        last: Sequence(last),
    }
}

#[test]
fn a_damaged_record_costs_itself_alone() {
    // In its checksum, length, sequence, kind and payload.
    for offset in [0, 4, 6, 8, 15, 16, 17, 40] {
        let bench = ten();
        let name = damage(&bench, 2, offset);
        let bench = bench.reopened();
        assert_eq!(bench.recovered.missing, [missing(2, 2)], "byte {offset}");
        let quarantined = &bench.recovered.quarantined[0];
        assert_eq!(quarantined.file, format!("{name}.damaged"));
        assert!(
            quarantined.reason.starts_with("record 2 at byte "),
            "{}",
            quarantined.reason
        );
        let numbers = [1, 3, 4, 5, 6, 7, 8, 9, 10];
        assert_eq!(bench.numbers(), numbers);
        let bench = bench.reopened();
        assert_eq!(bench.numbers(), numbers, "it is read after the next start too");
        assert_eq!(bench.recovered.quarantined, [], "it is told once");
        assert_eq!(bench.recovered.missing, [missing(2, 2)]);
    }
}

#[test]
fn damage_in_the_last_segment_is_told_from_a_torn_end_by_a_later_mark() {
    let bench = ten();
    let last = segment_of(&bench, 10);
    let first = last[..20].parse::<u64>().unwrap();
    assert!(first < 10, "{first}");
    damage(&bench, first, 20);
    let bench = bench.reopened();
    assert_eq!(bench.recovered.quarantined[0].file, format!("{last}.damaged"));
    assert_eq!(bench.recovered.missing, [missing(first, first)]);
    assert!(bench.numbers().ends_with(&[8, 10]));
}

#[test]
fn the_last_record_cannot_be_told_from_a_torn_one() {
    let bench = ten();
    damage(&bench, 10, 20);
    let mut bench = bench.reopened();
    assert_eq!(bench.numbers(), to(9));
    assert!(bench.recovered.cut_bytes > 0);
    assert_eq!(bench.recovered.next, Sequence(10));
    bench.commit(10..=12, Durability::PowerLoss);
    assert_eq!(bench.reopened().numbers(), to(12));
}

#[test]
fn a_segment_without_a_header_is_put_aside() {
    for bytes in [
        vec![],
        vec![0; 27],
        vec![0; 500],
        b"RMILLLOG and something else, longer than that".to_vec(),
    ] {
        let bench = ten();
        let name = segment_of(&bench, 5);
        let (first, next) = (
            name[..20].parse::<u64>().unwrap(),
            (5..).find(|number| segment_of(&bench, *number) != name).unwrap(),
        );
        bench.disk.put("d", &name, bytes.clone());
        let bench = bench.reopened();
        assert_eq!(bench.recovered.missing, [missing(first, next - 1)]);
        assert_eq!(bench.recovered.quarantined[0].file, format!("{name}.damaged"));
        assert_eq!(bench.disk.contents("d", &format!("{name}.damaged")).unwrap(), bytes);
        assert_eq!(bench.numbers().len() as u64, 10 - (next - first));
    }
}

#[test]
fn a_segment_that_is_gone_is_missed() {
    let bench = ten();
    let name = segment_of(&bench, 5);
    storage(&bench.disk).remove(&name).unwrap();
    let bench = bench.reopened();
    assert_eq!(bench.recovered.missing.len(), 1);
    assert!(bench.recovered.missing[0].contains(Sequence(5)));
    assert_eq!(bench.recovered.quarantined, []);
}

#[test]
fn a_segment_under_the_name_of_another_is_put_aside() {
    let bench = ten();
    let bytes = bench.disk.contents("d", &segment_of(&bench, 1)).unwrap();
    let name = segment_of(&bench, 5);
    bench.disk.put("d", &name, bytes);
    let bench = bench.reopened();
    assert_eq!(bench.recovered.quarantined[0].reason, "it begins with record 1");
    assert!(bench.recovered.missing[0].contains(Sequence(5)));
}

#[test]
fn a_segment_that_cannot_be_read_is_put_aside_and_not_cut() {
    for number in [2, 10] {
        let bench = ten();
        let name = segment_of(&bench, number);
        let bytes = bench.disk.contents("d", &name).unwrap();
        bench.disk.break_file("d", &name, bytes.len() - 30);
        let bench = bench.reopened();
        assert!(
            bench.recovered.quarantined[0].reason.contains("cannot be read"),
            "{number}"
        );
        assert_eq!(bench.disk.contents("d", &format!("{name}.damaged")).unwrap(), bytes);
    }
}

#[test]
fn a_payload_that_looks_like_records_is_not_taken_for_them() {
    // A device sends what records and marks would be, if it could guess the salt.
    let guessed = LogOptions { salt: 1, ..options() };
    let disk = SimDisk::new(2);
    let (mut guess, _) = Log::open(storage(&disk), guessed, Sequence(1)).unwrap();
    guess
        .append([(KIND, payload(2).as_slice()), (KIND, payload(3).as_slice())])
        .unwrap();
    guess.close().unwrap();
    let bytes = disk.contents("d", "00000000000000000002.log").unwrap();

    let mut bench = Bench::new(1);
    bench.commit([1], Durability::PowerLoss);
    bench.log.append([(KIND, bytes.as_slice())]).unwrap();
    bench.log.commit(Durability::PowerLoss).unwrap();
    let name = segment_of(&bench, 2);
    let mut stored = bench.disk.contents("d", &name).unwrap();
    let at = stored.windows(bytes.len()).position(|window| window == bytes).unwrap();
    stored[at - 1] ^= 1;
    bench.disk.put("d", &name, stored);
    let bench = bench.reopened();
    assert_eq!(bench.numbers(), [1]);
    assert_eq!(bench.recovered.quarantined, [], "nothing says that it was synced");
    assert_eq!(bench.recovered.next, Sequence(2));
}

#[test]
fn damaged_segments_are_kept_when_they_are_trimmed_but_not_for_ever() {
    let mut bench = Bench::new(1);
    for round in 0..20 {
        let first = bench.log.next().0;
        bench.commit(first..first + 12, Durability::PowerLoss);
        damage(&bench, first + 1, 20);
        bench = bench.reopened();
        bench.log.trim(bench.log.next()).unwrap();
        let aside = bench.names().iter().filter(|name| name.contains("damaged")).count();
        assert_eq!(aside, (round + 1).min(8));
    }
    assert!(bench.log.bytes() < 200, "they do not count");
}

#[test]
fn very_many_holes_are_reported_in_ranges() {
    let mut bench = Bench::new(1);
    bench.log.options.segment_bytes = 1 << 20;
    bench.log.options.bytes_max = 10 << 20;
    bench.commit(1..=5000, Durability::ProcessCrash);
    bench.log.close().unwrap();
    let mut bytes = bench.disk.contents("d", "00000000000000000001.log").unwrap();
    for at in (28 + 20..bytes.len() - 60).step_by(2 * 56) {
        bytes[at] ^= 1;
    }
    bench.disk.put("d", "00000000000000000001.log", bytes);
    let bench = Bench::on(bench.disk, Sequence::START);
    assert!(bench.recovered.missing.len() <= 1024);
    assert_eq!(bench.recovered.quarantined.len(), 1);
    assert!(bench.recovered.missing[0].contains(Sequence(1)));
}

proptest! {
    #[test]
    fn any_bytes_in_the_place_of_a_segment_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), with_header: bool) {
        let bench = ten();
        let name = segment_of(&bench, 5);
        let mut content = if with_header { bench.disk.contents("d", &name).unwrap()[..28].to_vec() } else { Vec::new() };
        content.extend_from_slice(&bytes);
        bench.disk.put("d", &name, content);
        let bench = bench.reopened();
        prop_assert!(bench.recovered.missing[0].contains(Sequence(5)));
        prop_assert!(bench.numbers().contains(&1) && bench.numbers().contains(&10));
    }

    #[test]
    fn any_change_of_bytes_is_found(at in 0..1000_usize, value: u8, seed: u64) {
        let bench = ten();
        let names = bench.names();
        let name = &names[at % names.len()];
        let mut bytes = bench.disk.contents("d", name).unwrap();
        let length = bytes.len();
        let before = std::mem::replace(&mut bytes[at % length], value);
        bench.disk.put("d", name, bytes);
        bench.disk.restart(Crash::Power);
        let bench = bench.reopened();
        let told = !bench.recovered.missing.is_empty() || bench.recovered.cut_bytes > 0 || !bench.recovered.quarantined.is_empty();
        prop_assert_eq!(told, before != value, "{} {} {}", name, at, seed);
    }
}

#[test]
fn a_directory_of_rubbish_is_a_new_log() {
    let disk = SimDisk::new(1);
    for name in [
        "00000000000000000001.log",
        "18446744073709551615.log",
        "00000000000000000007.log.damaged",
    ] {
        disk.put("d", name, vec![0xff; 100]);
    }
    let mut bench = Bench::on(disk, Sequence::START);
    assert_eq!(bench.recovered.quarantined.len(), 1);
    assert_eq!(bench.recovered.aside.len(), 2);
    assert_eq!(bench.recovered.foreign.len(), 1, "no number would be left after it");
    assert_eq!(bench.recovered.next, Sequence(7), "its name says that there were six");
    bench.commit(7..=9, Durability::PowerLoss);
    assert_eq!(bench.reopened().numbers(), [7, 8, 9]);
}

#[test]
fn numbers_are_not_given_away_twice_when_nothing_can_be_read() {
    let bench = ten();
    for name in bench.names() {
        bench.disk.break_file("d", &name, 28);
    }
    let last = segment_of(&bench, 10)[..20].parse().unwrap();
    let mut bench = bench.reopened();
    assert_eq!(bench.recovered.missing, [missing(1, last - 1)]);
    bench.commit([last, last + 1], Durability::PowerLoss);
    assert_eq!(bench.reopened().numbers(), [last, last + 1]);
}

#[test]
fn what_could_be_read_of_an_unreadable_segment_is_read_once() {
    let mut bench = Bench::new(1);
    bench.commit(1..=2, Durability::ProcessCrash);
    let name = segment_of(&bench, 1);
    let size = bench.disk.contents("d", &name).unwrap().len();
    bench.disk.break_file("d", &name, size - 10);
    let mut bench = bench.reopened();
    assert_eq!(bench.recovered.quarantined.len(), 1);
    assert_eq!(
        bench.numbers(),
        [1],
        "nothing says that the second was synced, and the first is on disk now"
    );
    bench.commit(2..=4, Durability::ProcessCrash);
    assert_eq!(bench.numbers(), to(4));
    assert_eq!(bench.reopened().numbers(), to(4));
}
