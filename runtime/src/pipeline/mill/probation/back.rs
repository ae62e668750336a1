//! The way back to the version before, and the messages that only the new one failed on.

use super::super::super::command::LastGood;
use super::super::super::journal::change::{Change, LibraryRecord, RuleRecord};
use super::super::super::streams::SourceBatch;
use super::{Incident, Mill, OffendingBatch, Part, Verdict, Who};
use crate::config::OnChange;
use std::sync::Arc;

impl Mill {
    /// Takes the versions back that were found to be worse, and processes the messages again that only they failed on.
    pub(in super::super) fn take_back(&mut self, verdicts: Vec<Verdict>, given: &SourceBatch<'_>) {
        for verdict in verdicts {
            let batch = OffendingBatch {
                source: given.source.into(),
                messages: given.messages.iter().map(|message| (*message).clone()).collect(),
            };
            match verdict.who {
                Who::Rule(id) => self.take_rule_back(&id, verdict.reason, batch),
                Who::Library(name) => self.take_library_back(&name, verdict.reason, batch),
            }
            for (rule, survivors) in verdict.survivors {
                let change = Change::ProcessAgain {
                    rule: rule.to_string(),
                    messages: survivors.clone(),
                };
                self.keeping.try_record(&change);
                self.process_again(&rule, &survivors, given);
            }
        }
    }

    pub(super) fn take_rule_back(&mut self, id: &Arc<str>, reason: String, batch: OffendingBatch) {
        let Some(probation) = self.probations.rules.remove(id) else {
            return;
        };
        let Some(placed) = self.rules.get(id) else { return };
        let bad = placed.spec.identity;
        let LastGood { spec, here, .. } = probation.last_good;
        if here {
            let change = Change::PutRule {
                rule: RuleRecord::of(&spec),
                on_change: OnChange::Now,
            };
            self.keeping.try_record(&change);
        }
        if here && let Err(error) = self.install(spec, OnChange::Now) {
            tracing::error!(rule = &**id, %error, "the version before cannot come back");
        }
        self.probations.tell(Incident::RuleWorse {
            id: Arc::clone(id),
            bad,
            reason,
            batch,
        });
    }

    pub(super) fn take_library_back(&mut self, name: &str, reason: String, batch: OffendingBatch) {
        let Some(probation) = self.probations.libraries.remove(name) else {
            return;
        };
        let Some(bad) = self.guests.library(name).map(|library| Arc::clone(&library.loaded)) else {
            return;
        };
        let change = Change::PutLibrary(LibraryRecord::of(&probation.last_good));
        self.keeping.try_record(&change);
        let sites = self.guests.put_library(probation.last_good);
        self.forget(&sites);
        self.probations.tell(Incident::LibraryWorse { bad, reason, batch });
    }

    pub(in super::super) fn process_again(&mut self, rule: &Arc<str>, survivors: &[usize], given: &SourceBatch<'_>) {
        let Some(placed) = self.rules.get(rule) else { return };
        let stream = &placed.spec.stream;
        let Some(position) = self.streams.iter().position(|entry| entry.key() == stream) else {
            return;
        };
        let part = Part::of(survivors, given);
        let entry = &mut self.streams[position];
        entry.process_for(rule, &part.batch(given), &mut self.guests, &mut self.output);
        let mut pieces = std::mem::take(&mut entry.pieces);
        let message_of = |row| part.messages[entry.message_of(row)];
        self.outlet
            .flush(&mut self.output, &mut pieces, message_of, given.source);
        entry.pieces = pieces;
    }
}
