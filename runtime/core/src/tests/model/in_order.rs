//! Windows that depend on the order of rows. What comes out depends on nothing but the rows that are not late, in order of
//! time: not on when time passes.

use super::{Config, FUTURE_MAX, Input, Row, events, inputs, keys, millis, result, run};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, Window};

const GROUPS_MAX: usize = 4;

/// Which rows are taken, and when these are.
struct Intake {
    config: Config,
    clock: i64,
    watermark: i64,
    last_row: Option<i64>,
    rows: Vec<(i64, Row)>,
    late: u64,
    dead: u64,
}

impl Intake {
    fn new(config: Config) -> Self {
        Intake {
            config,
            clock: i64::MIN,
            watermark: i64::MIN,
            last_row: None,
            rows: Vec::new(),
            late: 0,
            dead: 0,
        }
    }

    fn tick(&mut self, now: i64) {
        self.clock = self.clock.max(now);
        if let Some((lateness, Some(idle))) = self.config.event
            && self.last_row.is_some_and(|last| self.clock - last >= idle)
        {
            self.watermark = self.watermark.max(self.clock - lateness);
        }
    }

    fn row(&mut self, row: &Row) {
        self.tick(row.at);
        if self.config.filtered && row.temperature.is_none_or(|temperature| temperature <= 0.0) {
            return;
        }
        let Some((lateness, _)) = self.config.event else {
            self.rows.push((self.clock, row.clone()));
            return;
        };
        let Some(time) = row.time.filter(|&time| time <= self.clock + FUTURE_MAX) else {
            self.dead += 1;
            return;
        };
        self.last_row = Some(self.clock);
        self.watermark = self.watermark.max(time - lateness);
        if time < self.watermark {
            self.late += 1;
        } else {
            self.rows.push((time, row.clone()));
        }
    }
}

/// A window: its start, its end, and its rows.
type Cut = (i64, i64, Vec<Row>);

fn cut(window: Window, rows: &[(i64, Row)]) -> Vec<Cut> {
    match window {
        Window::Tumbling { .. } | Window::Hopping { .. } => panic!("these do not depend on the order of rows"),
        Window::Count { rows: last, every } => counts(rows, last, every),
        Window::Sliding {
            size_ms,
            delay_ms,
            when,
        } => sliding(rows, (signed(size_ms), signed(delay_ms)), when.is_some()),
        Window::State { .. } => states(rows),
        Window::Session { timeout_ms, max_ms } => sessions(rows, signed(timeout_ms), signed(max_ms)),
    }
}

fn sessions(rows: &[(i64, Row)], timeout: i64, max: i64) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    for (time, row) in rows {
        match cuts.last_mut().filter(|(_, end, _)| time < end) {
            Some((start, end, rows)) => {
                rows.push(row.clone());
                *end = (time + timeout).min(*start + max);
            }
            None => cuts.push((*time, (time + timeout).min(time + max), vec![row.clone()])),
        }
    }
    cuts
}

fn counts(rows: &[(i64, Row)], last: u64, every: u64) -> Vec<Cut> {
    let (last, every) = (usize::try_from(last).unwrap(), usize::try_from(every).unwrap());
    // When all windows are closed, the one that is under way has the rows that are there.
    let ends = (1..=rows.len()).filter(|end| end % every == 0 || *end == rows.len());
    ends.map(|end| {
        let lacking = (every - end % every) % every;
        let rows = &rows[end.saturating_sub(last - lacking)..end];
        let times = (rows[0].0, rows[rows.len() - 1].0);
        (times.0, times.1, rows.iter().map(|(_, row)| row.clone()).collect())
    })
    .collect()
}

fn sliding(rows: &[(i64, Row)], (size, delay): (i64, i64), only_above_two: bool) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for (number, (at, row)) in rows.iter().enumerate() {
        if only_above_two && row.temperature.is_none_or(|temperature| temperature <= 2.0) {
            continue;
        }
        let until = if delay == 0 { &rows[..=number] } else { rows };
        let around = until
            .iter()
            .filter(|(time, _)| *time >= at - size && (delay == 0 || *time < at + delay));
        cuts.push((at - size, at + delay, around.map(|(_, row)| row.clone()).collect()));
    }
    cuts
}

/// From a row above zero to a row above two.
fn states(rows: &[(i64, Row)]) -> Vec<Cut> {
    let above = |row: &Row, least| row.temperature.is_some_and(|temperature| temperature > least);
    let mut cuts: Vec<Cut> = Vec::new();
    let mut open = false;
    for (time, row) in rows {
        if !open && above(row, 0.0) {
            cuts.push((*time, *time, Vec::new()));
            open = true;
        }
        if let Some((_, end, rows)) = cuts.last_mut().filter(|_| open) {
            *end = *time;
            rows.push(row.clone());
            open = !above(row, 2.0);
        }
    }
    cuts
}

/// The emission of a window, and for how many rows it is told that there was no room: for windows that are made of kept
/// rows that is once for all of them.
fn emission(config: &Config, (start, end, rows): &Cut) -> (String, u64) {
    let mut groups: Vec<(String, Vec<Row>)> = Vec::new();
    let mut refused = 0;
    let in_groups = |row: &&Row| !config.content || row.temperature.is_some_and(|temperature| temperature > 1.0);
    for row in rows.iter().filter(in_groups) {
        let key = row.key(config.keys);
        match groups.iter().position(|group| group.0 == key) {
            Some(group) => groups[group].1.push(row.clone()),
            None if groups.len() < GROUPS_MAX => groups.push((key, vec![row.clone()])),
            None => refused += 1,
        }
    }
    let rows: Vec<String> = groups.iter().map(|(key, rows)| result(key, rows)).collect();
    let told = match config.window {
        Window::Count { .. } | Window::Sliding { .. } => u64::from(refused > 0),
        Window::Tumbling { .. } | Window::Hopping { .. } | Window::Session { .. } | Window::State { .. } => refused,
    };
    (format!("[{start}, {end}) {}", rows.join("; ")), told)
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap()
}

fn windows() -> impl Strategy<Value = Window> {
    let session = (1..12_i64, 1..40_i64).prop_map(|(timeout, max)| Window::Session {
        timeout_ms: millis(timeout * 100),
        max_ms: millis(max * 100),
    });
    let count = (1..9_u64).prop_flat_map(|rows| (Just(rows), 1..=rows));
    let count = count.prop_map(|(rows, every)| Window::Count { rows, every });
    let sliding = (1..12_i64, prop_oneof![Just(0), 1..6_i64], any::<bool>());
    let sliding = sliding.prop_map(|(size, delay, when)| Window::Sliding {
        size_ms: millis(size * 100),
        delay_ms: millis(delay * 100),
        when: when.then_some(ColumnIndex(6)),
    });
    let state = Just(Window::State {
        begin: ColumnIndex(5),
        emit: ColumnIndex(6),
    });
    prop_oneof![2 => session, 2 => count, 2 => sliding, 1 => state]
}

fn configs() -> impl Strategy<Value = Config> {
    let parts = (windows(), keys(), any::<[bool; 2]>(), events());
    parts.prop_map(|(window, keys, [filtered, content], event)| Config {
        window,
        keys,
        filtered,
        content,
        groups_max: GROUPS_MAX,
        event,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_those_of_the_rows_in_order_however_these_come(
        config in configs(),
        inputs in inputs(),
        piece in prop_oneof![1..5_usize, Just(16_384)],
    ) {
        let mut intake = Intake::new(config.clone());
        for input in &inputs {
            match input {
                Input::Row(row) => intake.row(row),
                Input::Tick(now) => intake.tick(*now),
                Input::Reload | Input::Cut | Input::Restart => {}
            }
        }
        intake.rows.sort_by_key(|(time, _)| *time);
        let cuts = cut(config.window, &intake.rows);
        let (mut expected, refused): (Vec<String>, Vec<u64>) = cuts.iter().map(|cut| emission(&config, cut)).unzip();
        // Nothing is emitted for a window without a group.
        expected.retain(|emission| !emission.ends_with(") "));
        let (mut driver, rows) = run(&config, &inputs, piece);
        prop_assert_eq!(driver.taken("rule"), expected);
        let counts = driver.counts("rule");
        prop_assert_eq!(counts.rows_late, intake.late);
        prop_assert_eq!(counts.rows_dead + counts.groups_dead, intake.dead + refused.iter().sum::<u64>());
        prop_assert_eq!(driver.dead.len() as u64, counts.rows_dead + counts.groups_dead);
        let accounted = counts.rows_filtered + counts.rows_late + counts.rows_dead + counts.rows_windowed;
        prop_assert_eq!((counts.rows_in, accounted), (rows, rows));
    }
}
