//! What leaves a mill thread: emissions to sinks, dead rows to the dead-letter output, counts to the metrics.

use super::account;
use super::command::Role;
use super::comparison::{Comparison, Side};
use crate::decode::BadMessage;
use crate::emit::{
    Array, DeadLetterKind, DeadLetters, EncodedEmission, EncodedRow, Encoder, Place, ROW_BYTES_MAX, encode_row,
};
use crate::message::Message;
use crate::sink::SinkHandle;
use crate::telemetry::rule::RuleMetrics;
use rulemill_core::{DeadRow, Emission, Fault, Micros, Output, RuleCounts};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The way out of one mill thread.
pub(super) struct Outlet {
    routes: HashMap<Arc<str>, Route>,
    dead_letters: DeadLetters,
    tap: Option<SyncSender<EncodedEmission>>,
    /// Rules with a shadow: nearly always none.
    compared: Vec<Compared>,
    /// The time of arrival, for them.
    now: Micros,
    /// The batch or tick at hand.
    position: u64,
}

/// A rule and its shadow on this thread.
struct Compared {
    running: Arc<str>,
    shadow: Arc<str>,
    comparison: Comparison,
}

/// Where the emissions of one rule go.
struct Route {
    /// Whether anything goes out at all. Of a shadow, neither emissions nor dead rows do; of a query that somebody looks on, emissions.
    role: Role,
    sinks: Vec<SinkHandle>,
    encoder: Encoder,
    metrics: RuleMetrics,
    /// The place of its last emission.
    place: Place,
}

impl Outlet {
    /// An outlet without rules. `tap` gets a copy of each emission that it has room for, to be shown to somebody.
    pub(super) fn new(dead_letters: DeadLetters, tap: Option<SyncSender<EncodedEmission>>) -> Self {
        Outlet {
            routes: HashMap::new(),
            dead_letters,
            tap,
            compared: Vec::new(),
            now: Micros(i64::MIN),
            position: 0,
        }
    }

    /// Adds a rule, or changes where it sends to. A rule that is removed keeps its way out, for its last windows.
    pub(super) fn add(&mut self, rule: &Arc<str>, role: Role, sinks: Vec<SinkHandle>, metrics: RuleMetrics) {
        let known = self.routes.remove(rule).map(|route| (route.encoder, route.place));
        let (encoder, place) = known.unwrap_or_else(|| (Encoder::new(), Place::default()));
        self.routes.insert(
            Arc::clone(rule),
            Route {
                role,
                sinks,
                encoder,
                metrics,
                place,
            },
        );
    }

    /// Compares what a shadow gives with what the rule gives that runs.
    pub(super) fn compare(&mut self, running: &Arc<str>, shadow: &Arc<str>, comparison: Comparison) {
        self.compared.retain(|compared| compared.shadow != *shadow);
        self.compared.push(Compared {
            running: Arc::clone(running),
            shadow: Arc::clone(shadow),
            comparison,
        });
    }

    /// What comes from here on is of this batch or tick.
    pub(super) fn begin_batch(&mut self, position: u64) {
        self.position = position;
    }

    /// The time of arrival is this now.
    pub(super) fn tell_time(&mut self, now: Micros) {
        self.now = now;
    }

    /// All that a batch gave has been sent out, of all streams.
    pub(super) fn end_batch(&mut self) {
        for compared in &mut self.compared {
            compared.comparison.end_batch(self.now);
        }
    }

    /// Time passes for comparisons too.
    pub(super) fn pass_time(&mut self) {
        for compared in &mut self.compared {
            compared.comparison.pass(self.now);
        }
    }

    /// The shadow is gone.
    pub(super) fn end_comparison(&mut self, shadow: &str) {
        self.compared.retain(|compared| *compared.shadow != *shadow);
    }

    /// Whether it has a way out for the rule.
    pub(super) fn knows(&self, rule: &str) -> bool {
        self.routes.contains_key(rule)
    }

    /// The rules that have a way out, with their counters.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&Arc<str>, &RuleMetrics)> {
        self.routes.iter().map(|(rule, route)| (rule, &route.metrics))
    }

    /// The counters of a rule.
    pub(super) fn metrics(&self, rule: &str) -> Option<&RuleMetrics> {
        self.routes.get(rule).map(|route| &route.metrics)
    }

    /// Takes the way out from rules that are not to keep it: those that will emit nothing more.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Arc<str>, &RuleMetrics) -> bool) {
        self.routes.retain(|rule, route| keep(rule, &route.metrics));
    }

    /// Whether what becomes of a rule's rows is kept: that of a shadow and of a query that somebody looks on is not.
    fn is_kept(&self, rule: &str) -> bool {
        self.routes.get(rule).is_none_or(|route| route.role == Role::Runs)
    }

    /// Messages that could not be decoded, for any rule of their stream.
    pub(super) fn bad_messages(&self, bad: &[BadMessage], messages: &[&Message], source: &str) {
        for bad in bad {
            let message = messages[bad.position as usize];
            self.dead_letters
                .message(None, source, message, DeadLetterKind::Decode, &bad.detail);
        }
    }

    /// Sends out what a batch gave; `message_of` finds the message behind a row of it. `pieces` is the stream's emission of
    /// which there are only pieces yet.
    pub(super) fn flush<'m>(
        &mut self,
        output: &mut Output,
        pieces: &mut Array,
        message_of: impl Fn(u32) -> &'m Message,
        source: &str,
    ) {
        for dead in &output.dead {
            match dead {
                DeadRow::Message {
                    rule,
                    row,
                    fault,
                    reason,
                } => {
                    if self.is_kept(rule) {
                        let message = message_of(*row);
                        self.dead_letters
                            .message(Some(rule), source, message, kind_of(*fault), reason);
                    }
                }
                DeadRow::Group { .. } => self.dead_group(dead),
            }
        }
        self.send(output, pieces);
    }

    /// Sends out what the passing of time gave.
    pub(super) fn flush_results(&mut self, output: &mut Output, pieces: &mut Array) {
        for dead in &output.dead {
            self.dead_group(dead);
        }
        self.send(output, pieces);
    }

    /// Books what was counted.
    pub(super) fn book(&self, counts: &mut Vec<RuleCounts>) {
        for counts in counts.drain(..) {
            if let Some(route) = self.routes.get(&counts.rule) {
                account::count(&route.metrics, &counts.counts);
            }
        }
    }

    fn dead_group(&self, dead: &DeadRow) {
        if let DeadRow::Group {
            rule,
            window,
            names,
            columns,
            fault,
            reason,
        } = dead
            && self.is_kept(rule)
        {
            let json = encode_row(names, columns, 0);
            let row = EncodedRow { json: json.as_bytes() };
            self.dead_letters.row(rule, Some(*window), row, kind_of(*fault), reason);
        }
    }

    /// Books dead rows, those of one rule and kind together: a batch often has many of them.
    fn count_dead(&self, dead: &[DeadRow]) {
        for alike in dead.chunk_by(|one, next| one.fault() == next.fault() && one.rule() == next.rule()) {
            let Some(last) = alike.last() else { continue };
            if let Some(route) = self.routes.get(last.rule()) {
                let reason = kind_of(last.fault()).label();
                account::dead(&route.metrics, reason, alike.len(), last.reason());
            }
        }
    }

    fn send(&mut self, output: &mut Output, pieces: &mut Array) {
        self.count_dead(&output.dead);
        for emission in &output.emissions {
            match emission.window {
                Some(_) => self.emit(emission, pieces),
                None => self.emit(emission, &mut Array::default()),
            }
        }
        self.book(&mut output.counts);
        output.clear();
    }

    fn emit(&mut self, emission: &Emission, array: &mut Array) {
        let Some(route) = self.routes.get_mut(&emission.rule) else {
            // Nothing of it must get into the next one.
            *array = Array::default();
            return;
        };
        let Route {
            role,
            encoder,
            sinks,
            place,
            ..
        } = route;
        let mut compared = comparison_of(&mut self.compared, &emission.rule);
        let mut rows = 0..emission.rows;
        let too_large_before = encoder.rows_too_large();
        let mut full = true;
        while full {
            full = encoder.append(array, &emission.names, &emission.columns, &mut rows);
            if !full && emission.more {
                break;
            }
            let Some(mut encoded) = encoder.finish(array, &emission.rule, emission.window) else {
                continue;
            };
            if emission.window.is_none() {
                place.number = if place.position == self.position {
                    place.number + 1
                } else {
                    0
                };
                place.position = self.position;
                encoded.place = Some(*place);
            }
            if let Some((side, comparison)) = &mut compared {
                comparison.rows(*side, &encoded);
            }
            if *role == Role::Shadow {
                continue;
            }
            if *role == Role::Runs
                && let Some(tap) = &self.tap
            {
                // Whoever watches may be slow or gone; the sinks are what counts.
                drop(tap.try_send(encoded.clone()));
            }
            for sink in sinks.iter() {
                // What a sink's bound drops is counted and named there.
                let _pushed = sink.push(encoded.clone());
            }
        }
        if let Some((side, comparison)) = &mut compared
            && let Some(window) = emission.window.filter(|_| !emission.more)
        {
            comparison.end_window(*side, window, self.now);
        }
        let too_large = route.encoder.rows_too_large() - too_large_before;
        if too_large > 0 && route.role == Role::Runs {
            // Such a row would not fit into a dead letter either; that it was there is what can be kept.
            let reason = format!("{too_large} rows of the emission are larger than {ROW_BYTES_MAX} bytes");
            let row = EncodedRow { json: b"{}" };
            self.dead_letters
                .row(&emission.rule, emission.window, row, DeadLetterKind::TooLarge, &reason);
            let rows = usize::try_from(too_large).unwrap_or(usize::MAX);
            account::dead(&route.metrics, DeadLetterKind::TooLarge.label(), rows, &reason);
        }
    }
}

/// The comparison that a rule is a side of.
fn comparison_of<'c>(compared: &'c mut [Compared], rule: &Arc<str>) -> Option<(Side, &'c mut Comparison)> {
    compared.iter_mut().find_map(|compared| {
        let side = match rule {
            rule if *rule == compared.running => Side::Running,
            rule if *rule == compared.shadow => Side::Shadow,
            _ => return None,
        };
        Some((side, &mut compared.comparison))
    })
}

/// The same words in the file, in the log and in the metrics.
fn kind_of(fault: Fault) -> DeadLetterKind {
    match fault {
        Fault::Rejected => DeadLetterKind::Rejected,
        Fault::Row => DeadLetterKind::Row,
        Fault::Guest => DeadLetterKind::Guest,
        Fault::Suspended => DeadLetterKind::Suspended,
        Fault::Late => DeadLetterKind::Late,
        Fault::Bound => DeadLetterKind::Bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeadLetterConfig, FileSinkConfig};
    use crate::telemetry::Telemetry;
    use crate::telemetry::dead_letter::DeadLetterMetrics;
    use crate::telemetry::rule::RuleFamilies;
    use bytes::Bytes;
    use rulemill_core::{Cells, Column};
    use std::time::Duration;

    #[test]
    fn dead_rows_have_the_same_kind_in_the_file_and_in_the_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let config = DeadLetterConfig {
            file: FileSinkConfig {
                path: path.clone(),
                rotate_bytes: 1 << 20,
                keep: 1,
            },
            payload_bytes_max: 1000,
        };
        let letters = DeadLetters::start(&config, DeadLetterMetrics::default()).unwrap();
        let mut telemetry = Telemetry::start();
        let families = RuleFamilies::register(&mut telemetry.registry);
        let rule: Arc<str> = Arc::from("mean");
        let metrics = families.rule(&rule);
        let mut outlet = Outlet::new(letters.clone(), None);
        outlet.add(&rule, Role::Runs, Vec::new(), metrics.clone());
        let message = Message {
            topic: Arc::from("a"),
            payload: Bytes::from_static(b"{}"),
            qos: 1,
            retain: false,
            arrival: Micros(0),
        };
        let faults = [
            Fault::Rejected,
            Fault::Late,
            Fault::Late,
            Fault::Bound,
            Fault::Guest,
            Fault::Suspended,
            Fault::Late,
        ];
        let mut output = Output::default();
        output
            .dead
            .extend((0..).zip(faults).map(|(row, fault)| DeadRow::Message {
                rule: Arc::clone(&rule),
                row,
                fault,
                reason: format!("reason {row}"),
            }));
        output.dead.push(DeadRow::Group {
            rule: Arc::clone(&rule),
            window: (Micros(0), Micros(1_000_000)),
            names: Arc::from([Arc::from("device")]),
            columns: vec![Column::new(Cells::Ints(vec![7]))],
            fault: Fault::Row,
            reason: "the sum does not fit".to_owned(),
        });

        outlet.flush(&mut output, &mut Array::default(), |_| &message, "default");

        assert!(letters.flush(Duration::from_secs(30)));
        let text = std::fs::read_to_string(&path).unwrap();
        let words = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["kind"].as_str().unwrap().to_owned()
        });
        let words: Vec<String> = words.collect();
        assert_eq!(
            words,
            ["rejected", "late", "late", "bound", "guest", "suspended", "late", "row"]
        );
        let exposed = telemetry.encode();
        for (reason, count) in [
            ("rejected", 1),
            ("late", 3),
            ("bound", 1),
            ("guest", 1),
            ("suspended", 1),
            ("row", 1),
        ] {
            let line = format!("rulemill_rule_dead_rows_total{{rule=\"mean\",reason=\"{reason}\"}} {count}");
            assert!(
                exposed.lines().any(|other| other == line),
                "{line} is not in\n{exposed}"
            );
        }
        assert_eq!(metrics.last_exception().unwrap().message, "the sum does not fit");
    }
}
