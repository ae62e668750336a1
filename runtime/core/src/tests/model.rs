//! The engine against a model that keeps every row and computes in the most obvious way.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, topic, version,
};
use crate::{Bounds, RuleVersion};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};
use std::collections::{BTreeMap, BTreeSet};

const FUTURE_MAX: i64 = 20_000;
const WINDOWS_MAX: usize = 3;
const GROUPS_MAX: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Keys {
    None,
    Device,
    Number,
    Both,
}

#[derive(Clone, Debug)]
struct Config {
    size: i64,
    hop: i64,
    keys: Keys,
    filtered: bool,
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

/// Before file: 0 topic, 1 number, 2 temperature, 3 time, 4 device, 5 whether the temperature is above zero.
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
        ],
        keep: config.filtered.then_some(ColumnIndex(5)),
        keys: keys.into_iter().map(ColumnIndex).collect(),
        window: config.window(),
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
        // The windows that a row is in share what one may have.
        groups_max: GROUPS_MAX * config.overlap(),
        future_max_ms: u64::try_from(FUTURE_MAX).unwrap(),
        ..Bounds::default()
    };
    version
}

impl Config {
    fn window(&self) -> Option<Window> {
        let [size_ms, hop_ms] = [self.size, self.hop].map(|millis| u64::try_from(millis).unwrap());
        Some(if size_ms == hop_ms {
            Window::Tumbling { size_ms }
        } else {
            Window::Hopping { size_ms, hop_ms }
        })
    }

    fn overlap(&self) -> usize {
        usize::try_from((self.size + self.hop - 1) / self.hop).unwrap()
    }

    /// The ends of the windows around a time.
    fn ends(&self, time: i64) -> Vec<i64> {
        let first = time.div_euclid(self.hop) + 1;
        let ends = (first..).map(|number| number * self.hop);
        ends.take_while(|end| end - self.size <= time).collect()
    }
}

struct Model {
    config: Config,
    clock: i64,
    watermark: i64,
    last_row: Option<i64>,
    /// By end.
    windows: BTreeMap<i64, Vec<(String, Vec<Row>)>>,
    emitted: Vec<String>,
    late: u64,
    dead: u64,
}

impl Model {
    fn new(config: Config) -> Self {
        Model {
            config,
            clock: i64::MIN,
            watermark: i64::MIN,
            last_row: None,
            windows: BTreeMap::new(),
            emitted: Vec::new(),
            late: 0,
            dead: 0,
        }
    }

    fn tick(&mut self, now: i64) {
        self.clock = self.clock.max(now);
        match self.config.event {
            None => self.watermark = self.clock,
            Some((lateness, Some(idle))) if self.last_row.is_some_and(|last| self.clock - last >= idle) => {
                self.watermark = self.watermark.max(self.clock - lateness);
            }
            Some(_) => {}
        }
        self.close();
    }

    fn row(&mut self, row: &Row) {
        self.tick(row.at);
        if self.config.filtered && row.temperature.is_none_or(|temperature| temperature <= 0.0) {
            return;
        }
        let time = match self.config.event {
            None => self.clock,
            Some((lateness, _)) => {
                let Some(time) = row.time.filter(|&time| time <= self.clock + FUTURE_MAX) else {
                    self.dead += 1;
                    return;
                };
                self.last_row = Some(self.clock);
                self.watermark = self.watermark.max(time - lateness);
                self.close();
                time
            }
        };
        let mut ends = self.config.ends(time);
        ends.retain(|&end| end > self.watermark);
        if ends.is_empty() {
            self.late += 1;
            return;
        }
        let missing = ends.iter().filter(|end| !self.windows.contains_key(end)).count();
        if missing > 0 && self.windows.len() + missing > WINDOWS_MAX + self.config.overlap() - 1 {
            self.dead += 1;
            return;
        }
        let key = row.key(self.config.keys);
        let mut refused = false;
        for end in ends {
            let groups = self.windows.entry(end).or_default();
            match groups.iter().position(|group| group.0 == key) {
                Some(group) => groups[group].1.push(row.clone()),
                None if groups.len() < GROUPS_MAX => groups.push((key.clone(), vec![row.clone()])),
                None => refused = true,
            }
        }
        self.dead += u64::from(refused);
    }

    fn close(&mut self) {
        while let Some((&end, _)) = self.windows.first_key_value()
            && end <= self.watermark
        {
            self.close_first();
        }
    }

    fn close_first(&mut self) {
        if let Some((end, groups)) = self.windows.pop_first() {
            let rows: Vec<String> = groups.iter().map(|(key, rows)| result(key, rows)).collect();
            let start = end - self.config.size;
            self.emitted.push(format!("[{start}, {end}) {}", rows.join("; ")));
        }
    }
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

fn configs() -> impl Strategy<Value = Config> {
    let keys = prop_oneof![
        Just(Keys::None),
        Just(Keys::Device),
        Just(Keys::Number),
        Just(Keys::Both)
    ];
    let event = proptest::option::of((coarse(0..30), proptest::option::of(coarse(5..50))));
    let windows = prop_oneof![
        Just((1000_i64, 1000_i64)),
        Just((3000, 3000)),
        Just((1000, 500)),
        Just((3000, 1000)),
        Just((1000, 300))
    ];
    (windows, keys, any::<bool>(), event).prop_map(|((size, hop), keys, filtered, event)| Config {
        size,
        hop,
        keys,
        filtered,
        event,
    })
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn emissions_are_those_of_the_model_however_the_rows_are_batched(
        config in configs(),
        inputs in inputs(),
        piece in prop_oneof![1..5_usize, Just(16_384)],
    ) {
        let mut model = Model::new(config.clone());
        for input in &inputs {
            match input {
                Input::Row(row) => model.row(row),
                Input::Tick(now) => model.tick(*now),
                Input::Reload | Input::Cut | Input::Restart => {}
            }
        }
        while !model.windows.is_empty() {
            model.close_first();
        }
        let (mut driver, rows) = run(&config, &inputs, piece);
        prop_assert_eq!(driver.taken("rule"), model.emitted);
        let counts = driver.counts("rule");
        prop_assert_eq!((counts.rows_late, counts.rows_dead), (model.late, model.dead));
        prop_assert_eq!(driver.dead.len() as u64, model.dead);
        let accounted = counts.rows_filtered + counts.rows_late + counts.rows_dead + counts.rows_windowed;
        prop_assert_eq!((counts.rows_in, accounted), (rows, rows));
    }
}
