//! State that outlives the process: written, read by a new stream, and gone on with.

use super::driver::{
    Driver, Message, Value, aggregate, column, emits, empty_plan, field, message, reading, topic, tumbling,
    tutorial_plan, version,
};
use crate::{Bounds, HashSeed, Removal, RuleVersion, SnapshotError, Stream};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type};

/// Aggregates whose states are texts, sets, and a library's.
fn everything_plan() -> Plan {
    Plan {
        needs: vec![
            topic(),
            field("text", Type::Text),
            field("number", Type::Int),
            field("value", Type::Float),
        ],
        keys: vec![ColumnIndex(1), ColumnIndex(3)],
        window: tumbling(10_000),
        aggregates: vec![
            aggregate("longest", "max", vec![column(1)]),
            aggregate("first", "first", vec![column(1)]),
            aggregate("texts", "count_distinct", vec![column(1)]),
            aggregate("numbers", "count_distinct", vec![column(2)]),
            aggregate("spread", "stddev", vec![column(3)]),
            aggregate("total", "total", vec![column(2)]),
            aggregate("sum", "sum", vec![column(2)]),
        ],
        // The after file: 0 text, 1 value, 2 start, 3 end, 4 to 10 the aggregates.
        emits: emits(&[
            ("text", 0),
            ("value", 1),
            ("longest", 4),
            ("first", 5),
            ("texts", 6),
            ("numbers", 7),
            ("spread", 8),
            ("total", 9),
            ("sum", 10),
        ]),
        ..empty_plan()
    }
}

fn mixed(at: i64, number: i64) -> Message {
    let mut fields = vec![("number", Value::Int(number))];
    if number % 3 > 0 {
        fields.push(("text", Value::Text(format!("text {}", number % 3))));
    }
    if number % 2 > 0 {
        fields.push((
            "value",
            Value::Float(f64::from(u8::try_from(number % 5).unwrap()) / 2.0),
        ));
    }
    message(at, "a", &fields)
}

fn tagged(id: &str, plan: Plan, tag: u64) -> RuleVersion {
    RuleVersion {
        tag,
        ..version(id, plan)
    }
}

#[test]
fn every_kind_of_state_goes_on_as_if_nothing_had_happened() {
    let version = tagged("rule", everything_plan(), 7);
    let (mut steady, mut restarted) = (Driver::new(), Driver::new());
    for driver in [&mut steady, &mut restarted] {
        driver.try_put(&version).unwrap();
    }
    for (seed, number) in (2..).zip(0..60) {
        let messages = [mixed(number * 150, number), mixed(number * 150, number + 100)];
        steady.send(&messages);
        restarted.send(&messages);
        if number % 7 == 0 {
            assert_eq!(restarted.restart(std::slice::from_ref(&version), seed), []);
        }
    }
    steady.tick(20_000);
    restarted.tick(20_000);
    let emitted = steady.taken("rule");
    assert!(emitted.len() == 1 && emitted[0].contains("total="), "{emitted:?}");
    assert_eq!(restarted.taken("rule"), emitted);
}

#[test]
fn a_window_of_rows_goes_on_with_those_that_it_had() {
    let rows = Plan {
        keys: Vec::new(),
        each_row: true,
        window: tumbling(10_000),
        aggregates: vec![
            aggregate("text", "first", vec![column(1)]),
            aggregate("value", "first", vec![column(3)]),
        ],
        emits: emits(&[("text", 2), ("value", 3)]),
        ..everything_plan()
    };
    let version = tagged("rule", rows, 7);
    let (mut steady, mut restarted) = (Driver::new(), Driver::new());
    for driver in [&mut steady, &mut restarted] {
        driver.try_put(&version).unwrap();
    }
    for number in 0..40 {
        steady.send(&[mixed(number * 100, number)]);
        restarted.send(&[mixed(number * 100, number)]);
        if number % 7 == 0 {
            assert_eq!(restarted.restart(std::slice::from_ref(&version), 5), []);
        }
    }
    steady.close_all();
    restarted.close_all();
    assert_eq!(restarted.taken("rule"), steady.taken("rule"));
    assert_eq!(
        (steady.counts("rule").rows_out, restarted.rows_so_far()),
        (40, steady.rows_so_far())
    );
}

#[test]
fn a_version_that_finishes_its_windows_and_the_one_after_it_both_go_on() {
    let before = tagged("rule", tutorial_plan(), 1);
    let slower = Plan {
        window: tumbling(15_000),
        ..tutorial_plan()
    };
    let after = tagged("rule", slower, 2);
    let versions = [before.clone(), after.clone()];
    let run = |restarts: bool| {
        let mut driver = Driver::new();
        driver.try_put(&before).unwrap();
        driver.send(&[reading(1000, "001", 20.0)]);
        driver.try_put(&after).unwrap();
        for at in (2..40).map(|second| second * 1000) {
            if restarts {
                assert_eq!(driver.restart(&versions, u64::try_from(at).unwrap()), []);
            }
            driver.send(&[reading(at, "001", 30.0)]);
        }
        driver.close_all();
        driver.taken("rule")
    };
    let emitted = run(false);
    assert!(emitted.len() > 2, "{emitted:?}");
    assert_eq!(run(true), emitted);
}

#[test]
fn rules_that_share_their_windows_share_them_again() {
    let versions: Vec<RuleVersion> = ["a", "b", "c"].map(|id| tagged(id, tutorial_plan(), 1)).to_vec();
    let mut driver = Driver::new();
    for version in &versions {
        driver.try_put(version).unwrap();
    }
    driver.send(&[reading(1000, "001", 20.0)]);
    assert_eq!(driver.stream.folds(), 1);

    assert_eq!(driver.restart(&versions, 5), []);

    assert_eq!(driver.stream.folds(), 1);
    driver.send(&[reading(2000, "001", 22.0)]);
    driver.tick(10_000);
    for rule in ["a", "b", "c"] {
        assert_eq!(
            driver.taken(rule),
            ["[0, 10000) device_id=001 t_av=21 t_count=2 t_max=22 t_min=20"]
        );
    }
}

#[test]
fn a_removed_rule_in_event_time_still_ends_by_the_time_of_arrival() {
    let plan = Plan {
        needs: vec![topic(), field("time", Type::Time)],
        window: tumbling(10_000),
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms: 1000,
            late: LatePolicy::Drop,
            idle_ms: None,
        }),
        aggregates: vec![aggregate("n", "count", vec![])],
        emits: emits(&[("n", 2)]),
        ..empty_plan()
    };
    let version = tagged("rule", plan, 3);
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[message(1000, "a", &[("time", Value::Int(500))])]);
    driver.remove("rule", Removal::Drain);

    assert_eq!(driver.restart(&[version], 2), []);

    driver.tick(10_999);
    assert_eq!(driver.taken("rule"), [] as [&str; 0]);
    driver.tick(11_000);
    assert_eq!(driver.taken("rule"), ["[0, 10000) n=1"]);
    assert!(driver.stream.is_idle());
}

#[test]
fn what_cannot_be_taken_over_is_named_and_loses_nothing_else() {
    let good = tagged("good", tutorial_plan(), 1);
    let gone = tagged("gone", everything_plan(), 2);
    let other = tagged(
        "other",
        Plan {
            window: tumbling(20_000),
            ..tutorial_plan()
        },
        3,
    );
    let mut driver = Driver::new();
    for version in [&good, &gone, &other] {
        driver.try_put(version).unwrap();
    }
    driver.send(&[reading(1000, "001", 20.0)]);
    let reshaped = RuleVersion {
        plan: gone.plan.clone(),
        ..other.clone()
    };

    let lost = driver.restart(&[good, reshaped], 2);

    let lost: Vec<String> = lost
        .iter()
        .map(|lost| format!("{} {} {} {}", lost.rule, lost.tag, lost.windows, lost.reason))
        .collect();
    assert_eq!(
        lost,
        [
            "gone 2 1 its code is not there any more",
            "other 3 1 its windows are of another shape"
        ]
    );
    driver.tick(10_000);
    assert_eq!(
        driver.taken("good"),
        ["[0, 10000) device_id=001 t_av=20 t_count=1 t_max=20 t_min=20"]
    );
}

/// A stream with every kind of state.
fn written() -> (Vec<u8>, RuleVersion) {
    let version = tagged("rule", everything_plan(), 7);
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    for number in 0..10 {
        driver.send(&[mixed(number, number)]);
    }
    (driver.stream.snapshot(), version)
}

fn read(bytes: &[u8], version: &RuleVersion) -> Result<usize, SnapshotError> {
    let mut stream = Stream::new(Bounds::default(), HashSeed::new(1));
    let mut library = super::doubles::Library::default();
    let lost = stream.restore(bytes, &mut |_, _| Some(version.clone()), &mut library)?;
    Ok(lost.len())
}

#[test]
fn bytes_that_are_cut_or_changed_never_panic() {
    let (bytes, version) = written();
    for cut in 0..bytes.len() {
        assert!(read(&bytes[..cut], &version).is_err(), "cut at {cut}");
    }
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            // Some changes are other states; none may panic, and one of the version is told apart.
            let result = read(&changed, &version);
            assert!(
                at >= 2 || matches!(result, Err(SnapshotError::Version { .. })),
                "{result:?}"
            );
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        read(&longer, &version),
        Err(SnapshotError::Damaged("something follows its end"))
    );
}

/// A snapshot that was written by an earlier version of this program must stay readable. Renewed with `BLESS=1`, which is right
/// only together with a new version of the format.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment says whether to write instead of compare"
)]
fn the_snapshot_in_the_repository_can_still_be_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/snapshot.v1");
    let (bytes, version) = written();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    assert_eq!(read(&kept, &version), Ok(0));
    assert_eq!(kept, bytes, "the format has changed, and its version has not");
}
