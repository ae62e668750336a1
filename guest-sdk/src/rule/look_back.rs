//! Looking back to earlier messages: what the host remembers for a rule.

use super::builder::Messages;
use super::column::{Before, Col};
use super::draft::{ArgumentDraft, LookBackDraft, StepDraft};
use super::groups::{Comparable, Number};
use super::setting::SettingValue;
use rulemill_plan::{Accumulation, Recall};
use std::marker::PhantomData;

/// A column whose earlier values are asked for; see [`Messages::look_back`].
pub struct LookBack<'m, T: ?Sized> {
    messages: &'m Messages,
    draft: LookBackDraft,
    of: PhantomData<T>,
}

impl Messages {
    /// Looks back to what a column was in earlier messages: `rule.look_back(temperature).by(device).lag(1)`. Before
    /// [`Messages::keep`] these are all messages, after it the kept ones. What is remembered is kept by the host with the
    /// open windows, also over a restart.
    pub fn look_back<T: ?Sized>(&self, column: Col<T>) -> LookBack<'_, T> {
        LookBack {
            messages: self,
            draft: LookBackDraft {
                recall: Recall::Latest,
                column: column.id,
                default: None,
                partition: Vec::new(),
                conditions: [None; 3],
            },
            of: PhantomData,
        }
    }
}

impl<T: ?Sized> LookBack<'_, T> {
    /// Among the messages with the same value in this column, and in those of earlier calls.
    #[must_use]
    pub fn by<K: ?Sized>(mut self, column: Col<K>) -> Self {
        self.draft.partition.push(column.id);
        self
    }

    /// Among the messages for which this is true; null is false. The others look back all the same.
    #[must_use]
    pub fn when(mut self, condition: Col<bool>) -> Self {
        self.draft.conditions[0] = Some(condition.id);
        self
    }

    /// For sums and the like: from a message on for which this is true.
    #[must_use]
    pub fn begin(mut self, condition: Col<bool>) -> Self {
        self.draft.conditions[1] = Some(condition.id);
        self
    }

    /// For sums and the like: anew after a message for which this is true.
    #[must_use]
    pub fn reset(mut self, condition: Col<bool>) -> Self {
        self.draft.conditions[2] = Some(condition.id);
        self
    }

    /// For [`LookBack::lag`] and [`LookBack::latest`]: what it is when there is nothing to look back to. Otherwise null.
    #[must_use]
    pub fn or(mut self, default: impl SettingValue<Kind = T>) -> Self {
        self.draft.default = Some(ArgumentDraft::Literal(default.literal()));
        self
    }

    /// The value so many messages ago, at most 1024, nulls included.
    pub fn lag(self, messages: u32) -> Col<T> {
        let recall = Recall::Lag {
            rows: messages,
            ignore_null: false,
        };
        self.recall(recall)
    }

    /// The value so many messages with a value ago, at most 1024.
    pub fn lag_of_values(self, messages: u32) -> Col<T> {
        let recall = Recall::Lag {
            rows: messages,
            ignore_null: true,
        };
        self.recall(recall)
    }

    /// The value of the message, or the last one before it where that is null.
    pub fn latest(self) -> Col<T> {
        self.recall(Recall::Latest)
    }

    /// Whether the value is another one than in the message before. In the first one it is, unless it is null.
    pub fn changed(self) -> Col<bool> {
        self.recall(Recall::Changed { ignore_null: false })
    }

    /// Whether the value is another one than the last one before that was not null; a null has not changed.
    pub fn changed_value(self) -> Col<bool> {
        self.recall(Recall::Changed { ignore_null: true })
    }

    /// How many messages with a value there were, this one included.
    pub fn count(self) -> Col<i64> {
        self.accumulate(Accumulation::Count)
    }

    fn accumulate<R: ?Sized>(self, function: Accumulation) -> Col<R> {
        let recall = Recall::Accumulate {
            function,
            begin: None,
            reset: None,
        };
        self.recall(recall)
    }

    fn recall<R: ?Sized>(self, recall: Recall) -> Col<R, Before> {
        let draft = LookBackDraft { recall, ..self.draft };
        self.messages.add_step(StepDraft::LookBack(draft))
    }
}

impl<T: Number> LookBack<'_, T> {
    /// The sum of the values, this one included; 0 as long as there is none.
    pub fn sum(self) -> Col<T> {
        self.accumulate(Accumulation::Sum)
    }

    /// The average of the values, this one included; 0 as long as there is none.
    pub fn avg(self) -> Col<f64> {
        self.accumulate(Accumulation::Avg)
    }
}

impl<T: Comparable + ?Sized> LookBack<'_, T> {
    /// The smallest value, this one included.
    pub fn min(self) -> Col<T> {
        self.accumulate(Accumulation::Min)
    }

    /// The largest value, this one included.
    pub fn max(self) -> Col<T> {
        self.accumulate(Accumulation::Max)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::testing::RuleTest;

    #[test]
    fn a_rule_looks_back_by_device() {
        let rule = Messages::new("steps");
        let (topic, n) = (rule.topic(), rule.field::<i64>("n"));
        rule.emit("n", n);
        rule.emit("was", rule.look_back(n).by(topic).or(-1).lag(1));
        rule.emit("sum", rule.look_back(n).by(topic).sum());
        rule.emit("changed", rule.look_back(n).changed());
        let rows = RuleTest::new(rule.done())
            .message("a", r#"{"n": 1}"#)
            .message("b", r#"{"n": 5}"#)
            .message("a", r#"{"n": 5}"#)
            .rows();
        let expected = [
            r#"{"changed":true,"n":1,"sum":1,"was":-1}"#,
            r#"{"changed":true,"n":5,"sum":5,"was":-1}"#,
            r#"{"changed":false,"n":5,"sum":6,"was":1}"#,
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn conditions_say_which_messages_are_remembered_and_what_begins_anew() {
        let rule = Messages::new("steps");
        let n = rule.field::<i64>("n");
        let (on, off) = (rule.field::<bool>("on"), rule.field::<bool>("off"));
        rule.emit("kept", rule.look_back(n).when(on).lag(1));
        rule.emit("run", rule.look_back(n).begin(on).reset(off).count());
        let rows = RuleTest::new(rule.done())
            .message("a", r#"{"n": 1}"#)
            .message("a", r#"{"n": 2, "on": true}"#)
            .message("a", r#"{"n": 3, "off": true}"#)
            .message("a", r#"{"n": 4}"#)
            .rows();
        let expected = [
            r#"{"run":0}"#,
            r#"{"run":1}"#,
            r#"{"kept":2,"run":2}"#,
            r#"{"kept":2,"run":0}"#,
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_filter_before_it_decides_what_is_seen() {
        let rule = Messages::new("steps");
        let n = rule.field::<i64>("n");
        let large = rule.compute("large", n, |n| n > 2);
        rule.keep(large);
        rule.emit("was", rule.look_back(n).lag(1));
        let rows = RuleTest::new(rule.done())
            .message("a", r#"{"n": 5}"#)
            .message("a", r#"{"n": 1}"#)
            .message("a", r#"{"n": 7}"#)
            .rows();
        assert_eq!(rows, ["{}", r#"{"was":5}"#]);
    }
}
