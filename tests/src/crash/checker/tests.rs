//! A checker that cannot fail proves nothing.

use super::{Checker, LATENESS_MS, Verdict, WINDOW_MS, Witness};

const EMISSION: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100";

/// Two devices, two windows: numbers 1, 2, 3 and 5 of `a` and 4 of `b`; 5 is in the second window.
fn sent() -> Checker {
    let mut checker = Checker::default();
    for (device, number, time) in [
        ("a", 1, 5000),
        ("a", 3, 5999),
        ("a", 2, 5001),
        ("b", 4, 5500),
        ("a", 5, 6000),
    ] {
        checker.sent(device, number, time);
    }
    checker
}

fn row(id: &str, (device, from): (&str, u64), (distinct, min, max): (u64, u64, u64), count: u64) -> String {
    format!(
        r#"{{"id":"{id}","device":"{device}","from":{from},"distinct":{distinct},"min":{min},"max":{max},"count":{count}}}"#
    )
}

/// What a run without faults emits: an array for each window.
fn right() -> [String; 2] {
    let first = [
        row(&format!("{EMISSION}-0"), ("a", 5000), (3, 1, 3), 3),
        row(&format!("{EMISSION}-1"), ("b", 5000), (1, 4, 4), 2),
    ];
    let second = row(&format!("{OTHER}-0"), ("a", 6000), (1, 5, 5), 1);
    [format!("[{}]", first.join(",")), format!("[{second}]")]
}

fn judge<'a>(received: impl IntoIterator<Item = &'a String>) -> Verdict {
    let mut checker = sent();
    for payload in received {
        checker.known(payload, Witness::Subscriber);
    }
    checker.verdict()
}

/// The verdict when one text of the first emission is replaced.
fn judge_changed(from: &str, to: &str) -> Verdict {
    let [first, second] = right();
    assert!(first.contains(from));
    judge(&[first.replacen(from, to, 1), second])
}

#[test]
fn what_is_right_is_clean() {
    let verdict = judge(&right());
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!((verdict.pairs, verdict.duplicates, verdict.lost_by_broker), (3, 0, 0));
}

#[test]
fn rows_may_come_one_by_one() {
    let row = row(&format!("{OTHER}-0"), ("a", 6000), (1, 5, 5), 1);
    let [first, _] = right();
    let verdict = judge(&[first, row]);
    assert!(verdict.is_clean(), "{verdict:?}");
}

#[test]
fn an_emission_that_never_came_is_missing() {
    let [first, _] = right();
    let verdict = judge([&first]);
    assert!(!verdict.is_clean());
    assert_eq!(verdict.missing, ["window 6000 of a: 1 numbers from 5 to 5 is missing"]);
    let nothing = judge([]);
    assert_eq!((nothing.missing.len(), nothing.pairs), (3, 3));
}

#[test]
fn a_missing_message_makes_its_window_wrong() {
    for (from, to) in [
        ("\"distinct\":3", "\"distinct\":2"),
        ("\"min\":1", "\"min\":2"),
        ("\"max\":3", "\"max\":2"),
    ] {
        let verdict = judge_changed(from, to);
        assert!(!verdict.is_clean());
        assert_eq!(verdict.wrong.len(), 1, "{verdict:?}");
        assert!(verdict.wrong[0].starts_with("window 5000 of a must be 3 numbers from 1 to 3: {"));
        assert!(verdict.missing.is_empty() && verdict.different.is_empty());
    }
}

#[test]
fn a_message_counted_in_no_number_is_wrong() {
    let verdict = judge_changed("\"count\":3", "\"count\":2");
    assert_eq!(verdict.wrong.len(), 1, "{verdict:?}");
    assert!(
        judge_changed("\"count\":3", "\"count\":9").is_clean(),
        "they may come several times"
    );
}

#[test]
fn a_window_that_nobody_sent_is_wrong() {
    let verdict = judge_changed("\"device\":\"b\"", "\"device\":\"c\"");
    assert_eq!((verdict.missing.len(), verdict.wrong.len()), (1, 1), "{verdict:?}");
    assert!(verdict.wrong[0].contains("was never sent"), "{verdict:?}");
}

#[test]
fn a_duplicate_is_counted_and_clean() {
    let [first, second] = right();
    let verdict = judge([&first, &first, &second, &first]);
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(verdict.duplicates, 4, "two rows, twice more");
}

#[test]
fn an_id_with_two_contents_is_different() {
    let [first, second] = right();
    // Also where the content would do in itself.
    for (from, to) in [("\"count\":3", "\"count\":4"), ("\"min\":1", "\"min\": 1")] {
        let verdict = judge([&first, &second, &first.replacen(from, to, 1)]);
        assert!(!verdict.is_clean());
        assert_eq!(verdict.different.len(), 1, "{verdict:?}");
        assert_eq!(verdict.duplicates, 2);
    }
}

#[test]
fn a_pair_under_two_ids_is_wrong() {
    let [first, second] = right();
    let verdict = judge([&first, &second, &second.replace("-0", "-1")]);
    assert_eq!(verdict.wrong.len(), 1, "{verdict:?}");
    assert!(verdict.wrong[0].contains("several ids"), "{verdict:?}");
    assert_eq!(verdict.duplicates, 0);
}

#[test]
fn what_is_no_row_is_wrong() {
    for payload in ["[", "{}", "[1]", "", "null"] {
        assert_eq!(judge([&payload.to_owned()]).wrong.len(), 1, "{payload}");
    }
    for id in [
        "",
        "12-0",
        &EMISSION[1..],
        &format!("{EMISSION}-x"),
        &EMISSION.to_uppercase(),
    ] {
        let verdict = judge_changed(&format!("{EMISSION}-0"), id);
        assert_eq!(verdict.wrong.len(), 1, "{id}: {verdict:?}");
    }
}

#[test]
fn what_only_the_broker_had_is_not_missing() {
    let [first, second] = right();
    let mut checker = sent();
    checker.known(&first, Witness::Subscriber);
    checker.known(&second, Witness::Broker);
    checker.known(&first, Witness::Broker);
    assert_eq!(checker.missing(), 0);
    let verdict = checker.verdict();
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!((verdict.duplicates, verdict.lost_by_broker), (0, 1));
    checker.known(&first.replace("\"count\":3", "\"count\":4"), Witness::Broker);
    assert_eq!(checker.verdict().different.len(), 1);
}

#[test]
fn what_no_message_closes_waits_for_silence() {
    let mut checker = Checker::default();
    let last = 100_000;
    for time in [
        last,
        last + 999,
        last - LATENESS_MS + 2 * WINDOW_MS,
        last - LATENESS_MS,
        1000,
    ] {
        checker.sent("a", time, time);
    }
    assert_eq!((checker.missing(), checker.missing_after_silence()), (4, 2));
    let closed = row(&format!("{EMISSION}-0"), ("a", last), (2, last, last + 999), 2);
    checker.known(&closed, Witness::Subscriber);
    assert_eq!((checker.missing(), checker.missing_after_silence()), (3, 1));
}
