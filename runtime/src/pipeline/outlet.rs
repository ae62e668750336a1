//! What leaves a mill thread: emissions to sinks, dead rows to the dead-letter output, counts to the metrics.

use super::account;
use crate::decode::BadMessage;
use crate::emit::{DeadLetterKind, DeadLetters, EncodedEmission, EncodedRow, Encoder, encode_row};
use crate::message::Message;
use crate::sink::SinkHandle;
use crate::telemetry::rule::RuleMetrics;
use rulemill_core::{DeadRow, Emission, Output};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The way out of one mill thread.
pub(super) struct Outlet {
    routes: HashMap<Arc<str>, Route>,
    dead_letters: DeadLetters,
    tap: Option<SyncSender<EncodedEmission>>,
}

/// Where the emissions of one rule go.
struct Route {
    sinks: Vec<SinkHandle>,
    encoder: Encoder,
    metrics: RuleMetrics,
}

impl Outlet {
    /// An outlet without rules. `tap` gets a copy of each emission that it has room for, to be shown to somebody.
    pub(super) fn new(dead_letters: DeadLetters, tap: Option<SyncSender<EncodedEmission>>) -> Self {
        Outlet {
            routes: HashMap::new(),
            dead_letters,
            tap,
        }
    }

    /// Adds a rule, or changes where it sends to. A rule that is removed keeps its way out, for its last windows.
    pub(super) fn add(&mut self, rule: &Arc<str>, sinks: Vec<SinkHandle>, metrics: RuleMetrics) {
        let encoder = self
            .routes
            .remove(rule)
            .map_or_else(Encoder::new, |route| route.encoder);
        self.routes.insert(
            Arc::clone(rule),
            Route {
                sinks,
                encoder,
                metrics,
            },
        );
    }

    /// Messages that could not be decoded, for any rule of their stream.
    pub(super) fn bad_messages(&self, bad: &[BadMessage], messages: &[&Message], source: &str) {
        for bad in bad {
            let message = messages[bad.position as usize];
            self.dead_letters
                .message(None, source, message, DeadLetterKind::Decode, &bad.detail);
        }
    }

    /// Sends out what a batch gave; `message_of` finds the message behind a row of it.
    pub(super) fn flush<'m>(&mut self, output: &mut Output, message_of: impl Fn(u32) -> &'m Message, source: &str) {
        for dead in &output.dead {
            match dead {
                DeadRow::Message { rule, row, reason } => {
                    let message = message_of(*row);
                    self.dead_letters
                        .message(Some(rule), source, message, DeadLetterKind::Row, reason);
                    self.failed(rule, reason);
                }
                DeadRow::Group { .. } => self.dead_group(dead),
            }
        }
        self.send(output);
    }

    /// Sends out what the passing of time gave.
    pub(super) fn flush_results(&mut self, output: &mut Output) {
        for dead in &output.dead {
            self.dead_group(dead);
        }
        self.send(output);
    }

    fn dead_group(&self, dead: &DeadRow) {
        if let DeadRow::Group {
            rule,
            window,
            names,
            columns,
            reason,
        } = dead
        {
            let json = encode_row(names, columns, 0);
            let row = EncodedRow { json: json.as_bytes() };
            self.dead_letters
                .row(rule, Some(*window), row, DeadLetterKind::Row, reason);
            self.failed(rule, reason);
        }
    }

    fn failed(&self, rule: &Arc<str>, reason: &str) {
        if let Some(route) = self.routes.get(rule) {
            account::failed(&route.metrics, reason);
        }
    }

    fn send(&mut self, output: &mut Output) {
        for emission in &output.emissions {
            self.emit(emission);
        }
        for counts in &output.counts {
            if let Some(route) = self.routes.get(&counts.rule) {
                account::count(&route.metrics, &counts.counts);
            }
        }
        output.clear();
    }

    fn emit(&mut self, emission: &Emission) {
        let Some(route) = self.routes.get_mut(&emission.rule) else {
            return;
        };
        let mut rows = 0..emission.rows;
        while let Some(encoded) = route.encoder.encode(
            &emission.rule,
            emission.window,
            &emission.names,
            &emission.columns,
            &mut rows,
        ) {
            if let Some(tap) = &self.tap {
                // Whoever watches may be slow or gone; the sinks are what counts.
                drop(tap.try_send(encoded.clone()));
            }
            for sink in &route.sinks {
                // What a sink's bound drops is counted and named there.
                let _pushed = sink.push(encoded.clone());
            }
        }
    }
}
