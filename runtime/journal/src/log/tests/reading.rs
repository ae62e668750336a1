use super::{Bench, KIND, payload, read, to};
use crate::log::{Durability, Reader, Sequence};
use crate::sim::Faults;

#[test]
fn a_reader_follows_what_is_written() {
    let mut bench = Bench::new(1);
    let mut reader = Reader::new(Sequence(1));
    assert!(reader.next(&bench.log).unwrap().is_none());
    for number in 1..=30 {
        bench.commit([number], Durability::ProcessCrash);
        let record = reader.next(&bench.log).unwrap().unwrap();
        assert_eq!((record.sequence, record.missing), (Sequence(number), 0));
        assert_eq!(record.payload, payload(number));
        assert!(reader.next(&bench.log).unwrap().is_none());
    }
    assert_eq!(reader.position(), Sequence(31));
}

#[test]
fn reading_begins_anywhere() {
    let mut bench = Bench::new(1);
    bench.commit(1..=20, Durability::ProcessCrash);
    for from in 0..=25 {
        let (numbers, missing) = read(&bench.log, Sequence(from));
        assert_eq!(numbers, (from.max(1)..=20).collect::<Vec<_>>());
        assert_eq!(missing, u64::from(from == 0));
    }
}

#[test]
fn what_was_trimmed_is_passed_over_and_counted() {
    let mut bench = Bench::new(1);
    bench.commit(1..=20, Durability::ProcessCrash);
    bench.log.trim(Sequence(10)).unwrap();
    let first = bench.log.first().0;
    let mut reader = Reader::new(Sequence(1));
    let record = reader.next(&bench.log).unwrap().unwrap();
    assert_eq!((record.sequence.0, record.missing), (first, first - 1));
}

#[test]
fn a_reader_in_a_trimmed_segment_goes_on() {
    let mut bench = Bench::new(1);
    bench.commit(1..=9, Durability::ProcessCrash);
    let mut reader = Reader::new(Sequence(1));
    reader.next(&bench.log).unwrap().unwrap();
    bench.log.trim(Sequence(9)).unwrap();
    let mut last = 1;
    while let Some(record) = reader.next(&bench.log).unwrap() {
        last = record.sequence.0;
    }
    assert_eq!(last, 9);
}

#[test]
fn a_reader_sees_that_an_empty_segment_was_replaced() {
    let mut bench = Bench::new(1);
    bench.commit(1..=5, Durability::ProcessCrash);
    bench.log.trim(Sequence(6)).unwrap();
    let mut bench = bench.reopened();
    let mut reader = Reader::new(Sequence(6));
    assert!(reader.next(&bench.log).unwrap().is_none());
    bench.commit(6..=6, Durability::ProcessCrash);
    let record = reader.next(&bench.log).unwrap().unwrap();
    assert_eq!((record.sequence, record.missing), (Sequence(6), 0));
}

#[test]
fn a_record_is_as_large_as_it_likes() {
    let mut bench = Bench::new(1);
    bench.log.options.bytes_max = 10 << 20;
    let large = vec![3; 3 << 20];
    bench
        .log
        .append([(KIND, large.as_slice()), (KIND, b"".as_slice())])
        .unwrap();
    bench.log.commit(Durability::ProcessCrash).unwrap();
    let mut reader = Reader::new(Sequence(1));
    assert_eq!(reader.next(&bench.log).unwrap().unwrap().payload, large);
    assert_eq!(reader.next(&bench.log).unwrap().unwrap().payload, b"");
}

#[test]
fn an_error_of_the_disk_passes_no_record_over() {
    let mut bench = Bench::new(1);
    bench.commit(1..=10, Durability::ProcessCrash);
    let mut reader = Reader::new(Sequence(1));
    bench.disk.set_faults(Faults {
        read_error: 1000,
        ..Faults::default()
    });
    let error = reader.next(&bench.log).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("record 1 in 00000000000000000001.log cannot be read"),
        "{error}"
    );
    bench.disk.set_faults(Faults::default());
    let mut numbers = Vec::new();
    while let Some(record) = reader.next(&bench.log).unwrap() {
        numbers.push(record.sequence.0);
    }
    assert_eq!(numbers, to(10));
}
