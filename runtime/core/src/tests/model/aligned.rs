//! Tumbling and hopping windows.

use super::{Config, FUTURE_MAX, Input, Row, WINDOWS_MAX, events, inputs, keys, millis, result, run};
use proptest::prelude::*;
use rulemill_plan::Window;
use std::collections::BTreeMap;

const GROUPS_MAX: usize = 4;

/// Windows of a size and a hop.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    size: i64,
    hop: i64,
}

impl Sizes {
    fn window(self) -> Window {
        let (size_ms, hop_ms) = (millis(self.size), millis(self.hop));
        if size_ms == hop_ms {
            Window::Tumbling { size_ms }
        } else {
            Window::Hopping { size_ms, hop_ms }
        }
    }

    fn overlap(self) -> usize {
        usize::try_from((self.size + self.hop - 1) / self.hop).unwrap()
    }

    /// The ends of the windows around a time.
    fn ends(self, time: i64) -> Vec<i64> {
        let first = time.div_euclid(self.hop) + 1;
        let ends = (first..).map(|number| number * self.hop);
        ends.take_while(|end| end - self.size <= time).collect()
    }
}

struct Model {
    config: Config,
    sizes: Sizes,
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
    fn new(config: Config, sizes: Sizes) -> Self {
        Model {
            config,
            sizes,
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
        let mut ends = self.sizes.ends(time);
        ends.retain(|&end| end > self.watermark);
        if ends.is_empty() {
            self.late += 1;
            return;
        }
        let missing = ends.iter().filter(|end| !self.windows.contains_key(end)).count();
        if missing > 0 && self.windows.len() + missing > WINDOWS_MAX + self.sizes.overlap() - 1 {
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
            let start = end - self.sizes.size;
            self.emitted.push(format!("[{start}, {end}) {}", rows.join("; ")));
        }
    }
}

fn configs() -> impl Strategy<Value = (Config, Sizes)> {
    let sizes = prop_oneof![
        Just((1000_i64, 1000_i64)),
        Just((3000, 3000)),
        Just((1000, 500)),
        Just((3000, 1000)),
        Just((1000, 300))
    ];
    (sizes, keys(), any::<bool>(), events()).prop_map(|((size, hop), keys, filtered, event)| {
        let sizes = Sizes { size, hop };
        let config = Config {
            window: sizes.window(),
            keys,
            filtered,
            content: false,
            // The windows that a row is in share what one may have.
            groups_max: GROUPS_MAX * sizes.overlap(),
            event,
        };
        (config, sizes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn emissions_are_those_of_the_model_however_the_rows_are_batched(
        (config, sizes) in configs(),
        inputs in inputs(),
        piece in prop_oneof![1..5_usize, Just(16_384)],
    ) {
        let mut model = Model::new(config.clone(), sizes);
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
