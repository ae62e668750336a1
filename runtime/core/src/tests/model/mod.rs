//! The engine against models that keep every row and compute in the most obvious way.

mod aligned;
mod in_order;

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, topic, version,
};
use crate::{Bounds, RuleVersion};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};
use std::collections::{BTreeMap, BTreeSet};

const FUTURE_MAX: i64 = 20_000;
const WINDOWS_MAX: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Keys {
    None,
    Device,
    Number,
    Both,
}

#[derive(Clone, Debug)]
struct Config {
    window: Window,
    keys: Keys,
    filtered: bool,
    /// Only rows above one are in groups.
    content: bool,
    groups_max: usize,
    /// Lateness and idle time.
    event: Option<(i64, Option<i64>)>,
}

#[derive(Clone, Debug)]
struct Row {
    at: i64,
    device: u8,
    number: Option<i64>,
    temperature: Option<f64>,
    time: Option<i64>,
}

#[derive(Clone, Debug)]
enum Input {
    Row(Row),
    Tick(i64),
    /// The rule is replaced by a version of the same layout.
    Reload,
    /// The batch ends here.
    Cut,
    /// The process begins again.
    Restart,
}

impl Row {
    fn message(&self) -> Message {
        let mut fields = Vec::new();
        fields.extend(self.number.map(|number| ("number", Value::Int(number))));
        fields.extend(
            self.temperature
                .map(|temperature| ("temperature", Value::Float(temperature))),
        );
        fields.extend(self.time.map(|time| ("time", Value::Int(time))));
        message(self.at, &format!("devices/{}/messages", self.device), &fields)
    }

    fn key(&self, keys: Keys) -> String {
        let device = format!("d={}", self.device);
        let number = self.number.map(|number| format!("k={number}"));
        let parts = match keys {
            Keys::None => vec![],
            Keys::Device => vec![device],
            Keys::Number => number.into_iter().collect(),
            Keys::Both => [device].into_iter().chain(number).collect(),
        };
        parts.join(" ")
    }
}

/// Before file: 0 topic, 1 number, 2 temperature, 3 time, 4 device, 5 to 7 whether the temperature is above zero, two and one.
fn rule(config: &Config) -> RuleVersion {
    let keys = match config.keys {
        Keys::None => vec![],
        Keys::Device => vec![4],
        Keys::Number => vec![1],
        Keys::Both => vec![4, 1],
    };
    let key_names = match config.keys {
        Keys::None => vec![],
        Keys::Device => vec![("d", 0)],
        Keys::Number => vec![("k", 0)],
        Keys::Both => vec![("d", 0), ("k", 1)],
    };
    let first = u32::try_from(keys.len()).unwrap() + 2;
    let results = ["a", "c", "f", "l", "mn", "mx", "n", "s", "u"];
    let results = results.into_iter().zip(first..);
    let plan = Plan {
        needs: vec![
            topic(),
            field("number", Type::Int),
            field("temperature", Type::Float),
            field("time", Type::Time),
        ],
        before: vec![
            call("split_value", vec![column(0), literal("/"), literal(1)]),
            call("above", vec![column(2), literal(0.0)]),
            call("above", vec![column(2), literal(2.0)]),
            call("above", vec![column(2), literal(1.0)]),
        ],
        keep: config.filtered.then_some(ColumnIndex(5)),
        content: config.content.then_some(ColumnIndex(7)),
        keys: keys.into_iter().map(ColumnIndex).collect(),
        window: Some(config.window),
        event_time: config.event.map(|(lateness, idle)| EventTime {
            column: ColumnIndex(3),
            lateness_ms: u64::try_from(lateness).unwrap(),
            late: LatePolicy::Drop,
            idle_ms: idle.map(|idle| u64::try_from(idle).unwrap()),
        }),
        aggregates: vec![
            aggregate("a", "avg", vec![column(2)]),
            aggregate("c", "count", vec![column(2)]),
            aggregate("f", "first", vec![column(2)]),
            aggregate("l", "last", vec![column(2)]),
            aggregate("mn", "min", vec![column(2)]),
            aggregate("mx", "max", vec![column(2)]),
            aggregate("n", "count", vec![]),
            aggregate("s", "sum", vec![column(1)]),
            aggregate("u", "count_distinct", vec![column(2)]),
        ],
        emits: emits(&key_names.into_iter().chain(results).collect::<Vec<_>>()),
        ..empty_plan()
    };
    let mut version = version("rule", plan);
    version.bounds = Bounds {
        windows_max: WINDOWS_MAX,
        groups_max: config.groups_max,
        future_max_ms: u64::try_from(FUTURE_MAX).unwrap(),
        ..Bounds::default()
    };
    version
}

fn result(key: &str, rows: &[Row]) -> String {
    let values: Vec<f64> = rows.iter().filter_map(|row| row.temperature).collect();
    let mut cells: BTreeMap<&str, String> = BTreeMap::new();
    for part in key.split(' ').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap();
        cells.insert(name, value.to_owned());
    }
    if let (Some(first), Some(last)) = (values.first(), values.last()) {
        let largest = values.iter().copied().reduce(f64::max).unwrap();
        let smallest = values.iter().copied().reduce(f64::min).unwrap();
        cells.insert("a", (values.iter().sum::<f64>() / values.len() as f64).to_string());
        cells.insert("f", first.to_string());
        cells.insert("l", last.to_string());
        cells.insert("mn", smallest.to_string());
        cells.insert("mx", largest.to_string());
    }
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.number).collect();
    if !numbers.is_empty() {
        cells.insert("s", numbers.iter().sum::<i64>().to_string());
    }
    let distinct: BTreeSet<u64> = values.iter().map(|value| value.to_bits()).collect();
    cells.insert("c", values.len().to_string());
    cells.insert("n", rows.len().to_string());
    cells.insert("u", distinct.len().to_string());
    let cells: Vec<String> = cells
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    cells.join(" ")
}

/// Multiples of 100 ms, so that times often fall on the ends of windows and of waits.
fn coarse(range: std::ops::Range<i64>) -> impl Strategy<Value = i64> {
    range.prop_map(|tenths| tenths * 100)
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    // Of times, first the distance to the input before; the sums are made below.
    let row = (
        prop_oneof![8 => coarse(0..4), 1 => coarse(0..60)],
        0..6_u8,
        proptest::option::weighted(0.9, 0..3_i64),
        proptest::option::weighted(0.9, (-4..8_i32).prop_map(|value| f64::from(value) / 2.0)),
        proptest::option::weighted(0.95, prop_oneof![20 => coarse(-40..10), 1 => coarse(0..400)]),
    );
    let row = row.prop_map(|(at, device, number, temperature, time)| {
        Input::Row(Row {
            at,
            device,
            number,
            temperature,
            time,
        })
    });
    let input = prop_oneof![
        12 => row,
        1 => coarse(0..30).prop_map(Input::Tick),
        1 => Just(Input::Reload),
        4 => Just(Input::Cut),
        1 => Just(Input::Restart),
    ];
    proptest::collection::vec(input, 0..120).prop_map(|mut inputs| {
        let mut now = -5000;
        for input in &mut inputs {
            match input {
                Input::Row(row) => {
                    now += row.at;
                    row.at = now;
                    row.time = row.time.map(|time| now + time);
                }
                Input::Tick(at) => {
                    now += *at;
                    *at = now;
                }
                Input::Reload | Input::Cut | Input::Restart => {}
            }
        }
        inputs
    })
}

fn run(config: &Config, inputs: &[Input], groups_per_call: usize) -> (Driver, u64) {
    let bounds = Bounds {
        groups_per_call,
        ..Bounds::default()
    };
    let mut driver = Driver::bounded(bounds, 1);
    driver.try_put(&rule(config)).unwrap();
    let mut batch: Vec<Message> = Vec::new();
    let (mut rows, mut seed) = (0, 1);
    for input in inputs {
        if let Input::Row(row) = input {
            batch.push(row.message());
            rows += 1;
            continue;
        }
        if !batch.is_empty() {
            driver.send(&std::mem::take(&mut batch));
        }
        match input {
            Input::Tick(now) => driver.tick(*now),
            Input::Reload => {
                driver.try_put(&rule(config)).unwrap();
            }
            Input::Restart => {
                seed += 1;
                assert_eq!(driver.restart(&[rule(config)], seed), []);
            }
            Input::Row(_) | Input::Cut => {}
        }
    }
    if !batch.is_empty() {
        driver.send(&batch);
    }
    driver.close_all();
    (driver, rows)
}

fn keys() -> impl Strategy<Value = Keys> {
    prop_oneof![
        Just(Keys::None),
        Just(Keys::Device),
        Just(Keys::Number),
        Just(Keys::Both)
    ]
}

/// Lateness and idle time.
fn events() -> impl Strategy<Value = Option<(i64, Option<i64>)>> {
    proptest::option::of((coarse(0..30), proptest::option::of(coarse(5..50))))
}

fn millis(millis: i64) -> u64 {
    u64::try_from(millis).unwrap()
}
