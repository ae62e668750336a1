//! Steps that remember, against a walk over all rows: whatever the batches and restarts, what comes of a row is the same.

use super::driver::{Driver, Message, Value, emits, empty_plan, field, message, version};
use super::memory::{needs, remember};
use crate::RuleVersion;
use proptest::prelude::*;
use rulemill_plan::{Accumulation, ColumnIndex, Plan, Recall, Step, Type};
use std::collections::BTreeMap;

/// A row of the naive model.
#[derive(Clone, Debug)]
struct Row {
    device: u8,
    n: Option<i64>,
    t: Option<u8>,
    when: bool,
    begin: bool,
    reset: bool,
}

impl Row {
    /// The number of the row is in its conditions, so that each is another one than that before.
    fn message(&self, number: i64) -> Message {
        let mut fields = vec![];
        fields.extend(self.n.map(|n| ("n", Value::Int(n))));
        fields.extend(self.t.map(|t| ("t", Value::Text("x".repeat(t.into())))));
        let condition = |name, holds: bool| holds.then_some((name, Value::Int(number)));
        fields.extend(condition("when", self.when));
        fields.extend(condition("begin", self.begin));
        fields.extend(condition("reset", self.reset));
        message(0, &self.device.to_string(), &fields)
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        0..3_u8,
        proptest::option::of(-3..3_i64),
        proptest::option::of(0..3_u8),
        any::<[bool; 3]>(),
    );
    let row = row.prop_map(|(device, n, t, [when, begin, reset])| Row {
        device,
        n,
        t,
        when,
        begin,
        reset,
    });
    proptest::collection::vec(row, 0..40)
}

fn steps() -> impl Strategy<Value = Recall> {
    let function = proptest::sample::select(vec![
        Accumulation::Count,
        Accumulation::Sum,
        Accumulation::Avg,
        Accumulation::Min,
        Accumulation::Max,
    ]);
    prop_oneof![
        (1..4_u32, any::<bool>()).prop_map(|(rows, ignore_null)| Recall::Lag { rows, ignore_null }),
        Just(Recall::Latest),
        any::<bool>().prop_map(|ignore_null| Recall::Changed { ignore_null }),
        (function, any::<[bool; 2]>()).prop_map(|(function, [begin, reset])| Recall::Accumulate {
            function,
            begin: begin.then_some(ColumnIndex(7)),
            reset: reset.then_some(ColumnIndex(8)),
        }),
    ]
}

/// A plan whose conditions are whether another number has come: 6 when, 7 begin, 8 reset; then 9 and 10 the outputs.
fn modelled(recall: Recall, (partitioned, conditional): (bool, bool)) -> Plan {
    let is_there = |column: u32| Step::Remember(remember(Recall::Changed { ignore_null: true }, &[column]));
    let mut needs = needs();
    needs.extend(["when", "begin", "reset"].map(|name| field(name, Type::Int)));
    let single = matches!(recall, Recall::Accumulate { .. });
    let mut step = remember(recall, if single { &[1] } else { &[1, 2] });
    step.partition = if partitioned { vec![ColumnIndex(0)] } else { vec![] };
    step.when = conditional.then_some(ColumnIndex(6));
    let emitted: &[(&str, u32)] = match recall {
        Recall::Lag { .. } | Recall::Latest => &[("one", 9), ("two", 10)],
        Recall::Changed { .. } | Recall::Accumulate { .. } => &[("one", 9)],
    };
    Plan {
        needs,
        before: vec![is_there(3), is_there(4), is_there(5), Step::Remember(step)],
        emits: emits(emitted),
        ..empty_plan()
    }
}

/// What came of each row, by walking all rows before it.
fn naive(recall: Recall, partitioned: bool, conditional: bool, rows: &[Row]) -> Vec<String> {
    type Held = (Option<i64>, Option<u8>);
    let mut held: BTreeMap<u8, (Vec<Held>, bool)> = BTreeMap::new();
    let mut out = Vec::new();
    let show = |(n, t): Held| {
        let n = n.map(|n| format!("one={n}"));
        let t = t.map(|t| format!("two={}", "x".repeat(t.into())));
        n.into_iter().chain(t).collect::<Vec<_>>().join(" ")
    };
    for row in rows {
        let counts = row.when || !conditional;
        let (values, begun) = held.entry(if partitioned { row.device } else { 0 }).or_default();
        let value = (row.n, row.t);
        let null = value == (None, None);
        match recall {
            Recall::Lag { rows, ignore_null } => {
                let place = values.len().checked_sub(rows as usize);
                out.push(place.map_or_else(String::new, |place| show(values[place])));
                if counts && !(null && ignore_null) {
                    values.push(value);
                }
            }
            Recall::Latest => {
                if counts && !null {
                    values.push(value);
                }
                out.push(values.last().map_or_else(String::new, |value| show(*value)));
            }
            Recall::Changed { ignore_null } => {
                let same = values.last().copied().unwrap_or_default() == value;
                let changed = counts && !(null && ignore_null) && !same;
                if changed {
                    values.push(value);
                }
                out.push(format!("one={changed}"));
            }
            Recall::Accumulate { function, begin, reset } => {
                let runs = counts && (begin.is_none() || *begun || row.begin);
                if runs && row.n.is_some() {
                    values.push((row.n, None));
                }
                let all: Vec<i64> = values.iter().filter_map(|value| value.0).collect();
                let sum: i64 = all.iter().sum();
                let (first, none) = (all.first().copied(), String::new());
                out.push(match function {
                    Accumulation::Count => format!("one={}", all.len()),
                    Accumulation::Sum => format!("one={sum}"),
                    Accumulation::Avg if all.is_empty() => "one=0".to_owned(),
                    Accumulation::Avg => format!("one={}", sum as f64 / all.len() as f64),
                    Accumulation::Min => first.map_or(none, |_| format!("one={}", all.iter().min().unwrap())),
                    Accumulation::Max => first.map_or(none, |_| format!("one={}", all.iter().max().unwrap())),
                });
                if runs {
                    *begun = begin.is_some();
                    if reset.is_some() && row.reset {
                        values.clear();
                        *begun = false;
                    }
                }
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn rows_recall_what_a_walk_over_all_of_them_finds(
        recall in steps(),
        partitioned in any::<bool>(),
        conditional in any::<bool>(),
        rows in rows(),
        cuts in proptest::collection::vec((1..8_usize, any::<bool>()), 1..40),
    ) {
        let plan = modelled(recall, (partitioned, conditional));
        let versions: Vec<RuleVersion> = vec![version("rule", plan.clone())];
        let mut driver = Driver::with(plan);
        let (mut rest, mut seed, mut done) = (&rows[..], 1, 0_i64);
        for (size, restarts) in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, more) = rest.split_at(rest.len().min(*size));
            let numbers = done..;
            done += i64::try_from(batch.len()).unwrap();
            let messages: Vec<Message> = batch.iter().zip(numbers).map(|(row, number)| row.message(number)).collect();
            driver.send(&messages);
            rest = more;
            if *restarts {
                seed += 1;
                prop_assert_eq!(driver.restart(&versions, seed), vec![]);
            }
        }
        let taken = driver.taken("rule").join("; ");
        prop_assert_eq!(taken, naive(recall, partitioned, conditional, &rows).join("; "));
        let reasons = driver.reasons();
        prop_assert!(reasons.is_empty(), "{reasons:?}");
    }
}
