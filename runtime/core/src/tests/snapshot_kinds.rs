//! The state of each kind of window that outlives the process; that of tumbling windows is in `snapshot.rs`.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, topic, version,
};
use crate::{RuleVersion, SnapshotError};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

/// Before file: 0 topic, 1 text, 2 value, 3 time, 4 and 5 whether the value is above one, and above three.
fn plan(window: Window, by_event: bool) -> Plan {
    Plan {
        needs: vec![
            topic(),
            field("text", Type::Text),
            field("value", Type::Float),
            field("time", Type::Time),
        ],
        before: vec![
            call("above", vec![column(2), literal(1.0)]),
            call("above", vec![column(2), literal(3.0)]),
        ],
        keys: vec![ColumnIndex(0)],
        window: Some(window),
        event_time: by_event.then_some(EventTime {
            column: ColumnIndex(3),
            lateness_ms: 400,
            late: LatePolicy::Drop,
            idle_ms: Some(1000),
        }),
        aggregates: vec![
            aggregate("first", "first", vec![column(1)]),
            aggregate("texts", "count_distinct", vec![column(1)]),
            aggregate("mean", "avg", vec![column(2)]),
        ],
        emits: emits(&[("topic", 0), ("first", 3), ("texts", 4), ("mean", 5)]),
        ..empty_plan()
    }
}

fn versions() -> Vec<RuleVersion> {
    let hopping = Window::Hopping {
        size_ms: 1000,
        hop_ms: 300,
    };
    let session = Window::Session {
        timeout_ms: 900,
        max_ms: 3000,
    };
    let count = Window::Count { rows: 5, every: 3 };
    let sliding = Window::Sliding {
        size_ms: 500,
        delay_ms: 300,
        when: Some(ColumnIndex(4)),
    };
    let state = Window::State {
        begin: ColumnIndex(4),
        emit: ColumnIndex(5),
    };
    let kinds = [
        ("hopping", hopping),
        ("session", session),
        ("count", count),
        ("sliding", sliding),
        ("state", state),
    ];
    let rules = kinds.iter().flat_map(|&(name, window)| {
        let by_event = [false, true].map(|by_event| {
            let id = if by_event {
                format!("{name}_by_event")
            } else {
                name.to_owned()
            };
            RuleVersion {
                tag: 7,
                ..version(&id, plan(window, by_event))
            }
        });
        by_event.into_iter()
    });
    rules.collect()
}

fn row(number: i64) -> Message {
    let at = number * 70;
    let mut fields = vec![("time", Value::Int(at - number % 4 * 90))];
    if number % 3 > 0 {
        fields.push(("text", Value::Text(format!("text {}", number % 3))));
    }
    if number % 5 > 0 {
        fields.push((
            "value",
            Value::Float(f64::from(i32::try_from(number % 5).unwrap()) - 0.5),
        ));
    }
    message(at, if number % 2 > 0 { "odd" } else { "even" }, &fields)
}

/// A driver with rows of every kind: in windows, waiting for them, and kept for later ones.
fn begun(versions: &[RuleVersion]) -> Driver {
    let mut driver = Driver::new();
    for version in versions {
        driver.try_put(version).unwrap();
    }
    for number in 0..28 {
        driver.send(&[row(number)]);
    }
    driver
}

#[test]
fn each_kind_of_window_goes_on_as_if_nothing_had_happened() {
    let versions = versions();
    let run = |restarts: bool| {
        let mut driver = begun(&versions);
        for number in 28..62 {
            if restarts {
                assert_eq!(driver.restart(&versions, u64::try_from(number).unwrap()), []);
            }
            driver.send(&[row(number)]);
        }
        driver.tick(20_000);
        driver.close_all();
        let taken = versions.iter().map(|version| driver.taken(&version.id));
        taken.collect::<Vec<_>>()
    };
    let emitted = run(false);
    for (version, emitted) in versions.iter().zip(&emitted) {
        assert!(emitted.len() > 1, "{}: {emitted:?}", version.id);
    }
    assert_eq!(run(true), emitted);
}

#[test]
fn a_window_of_another_kind_is_not_taken_for_this_one() {
    let versions = versions();
    let bytes = begun(&versions).stream.snapshot();
    let mut others = versions.clone();
    for (version, other) in others.iter_mut().zip(versions.iter().cycle().skip(2)) {
        version.plan = other.plan.clone();
    }
    let (_, lost) = Driver::restored(&bytes, &others).unwrap();
    assert_eq!(lost.len(), versions.len());
    for lost in lost {
        assert_eq!(
            (lost.reason.as_str(), lost.windows > 0),
            ("its windows are of another shape", true),
            "{}",
            lost.rule
        );
    }
}

#[test]
fn bytes_that_are_cut_or_changed_never_panic_nor_does_what_follows() {
    let versions = versions();
    let bytes = begun(&versions).stream.snapshot();
    for cut in (0..bytes.len()).step_by(7) {
        assert!(Driver::restored(&bytes[..cut], &versions).is_err(), "cut at {cut}");
    }
    for at in 2..bytes.len() {
        let flip = [0x01, 0x80, 0xff][at % 3];
        let mut changed = bytes.clone();
        changed[at] ^= flip;
        if let Ok((mut driver, _)) = Driver::restored(&changed, &versions) {
            driver.send(&[row(28), row(29), row(30)]);
            driver.tick(5000);
            driver.close_all();
        }
    }
}

/// A snapshot that was written by an earlier version of this program must stay readable. Renewed with `BLESS=1`, which is
/// right only together with a new version of the format.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment says whether to write instead of compare"
)]
fn the_snapshot_of_all_kinds_in_the_repository_can_still_be_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/snapshot.kinds.v1");
    let versions = versions();
    let bytes = begun(&versions).stream.snapshot();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    let lost = Driver::restored(&kept, &versions).map(|(_, lost)| lost);
    assert_eq!(lost, Ok::<_, SnapshotError>(Vec::new()));
    assert_eq!(kept, bytes, "the format has changed, and its version has not");
}
