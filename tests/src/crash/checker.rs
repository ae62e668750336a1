//! What must come out of a crash run, and whether it did. It knows nothing of processes and networks.
//!
//! From what was sent follows what each pair of a window and a device must be. Messages may be sent and may arrive several
//! times, so only the numbers of messages that differ, their smallest and their largest are exact; `count` is at least
//! the first.

use super::rule::{LATENESS_MS, WINDOW_MS};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

#[cfg(test)]
mod tests;

/// Everything that was sent and received.
#[derive(Debug, Default)]
pub(super) struct Checker {
    expected: BTreeMap<Pair, Expected>,
    /// By their ids.
    rows: HashMap<String, Row>,
    /// The ids under which each pair came.
    ids: BTreeMap<Pair, Vec<String>>,
    problems: Vec<String>,
    different: Vec<String>,
}

/// From where the checker knows of an emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// The subscriber got it.
    Subscriber,
    /// The broker acknowledged it. If the subscriber never gets it, the broker lost it when it was killed.
    Broker,
}

/// What the checker found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Pairs of a window and a device for which something was sent.
    pub pairs: usize,
    /// Those of which nothing came.
    pub missing: Vec<String>,
    /// What came and is not what was sent, or came under several ids.
    pub wrong: Vec<String>,
    /// Ids that came again with other bytes.
    pub different: Vec<String>,
    /// How often a row came again as it was.
    pub duplicates: usize,
    /// Rows that the broker acknowledged and the subscriber never got.
    pub lost_by_broker: usize,
}

/// The start of a window, and a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pair {
    from: u64,
    device: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    distinct: u64,
    min: u64,
    max: u64,
}

#[derive(Debug)]
struct Row {
    text: String,
    /// How often the subscriber got it.
    received: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    id: String,
    device: String,
    from: u64,
    distinct: u64,
    min: u64,
    max: u64,
    count: u64,
}

impl Checker {
    /// A message is sent for the first time.
    pub(super) fn sent(&mut self, device: &str, number: u64, time: u64) {
        let pair = Pair {
            from: time - time % WINDOW_MS,
            device: device.to_owned(),
        };
        let of_first = Expected {
            distinct: 0,
            min: number,
            max: number,
        };
        let expected = self.expected.entry(pair).or_insert(of_first);
        expected.distinct += 1;
        expected.min = expected.min.min(number);
        expected.max = expected.max.max(number);
    }

    /// An emission, or one row of it, is known.
    pub(super) fn known(&mut self, payload: &str, witness: Witness) {
        let rows = if payload.starts_with('[') {
            serde_json::from_str::<Vec<&RawValue>>(payload).map(|rows| rows.into_iter().map(RawValue::get).collect())
        } else {
            Ok(vec![payload])
        };
        match rows {
            Ok(rows) => rows.into_iter().for_each(|row| self.row(row, witness)),
            Err(error) => self.problems.push(format!("{error}: {payload}")),
        }
    }

    /// How many pairs are still missing.
    pub(super) fn missing(&self) -> usize {
        self.expected.keys().filter(|pair| !self.ids.contains_key(pair)).count()
    }

    /// How many of them are in windows that no message can close, as they end within the lateness of the last one.
    pub(super) fn missing_after_silence(&self) -> usize {
        let last = self.expected.keys().next_back().map_or(0, |pair| pair.from);
        let open = |pair: &&Pair| pair.from + LATENESS_MS > last + WINDOW_MS;
        let open = self.expected.keys().rev().take_while(open);
        open.filter(|pair| !self.ids.contains_key(pair)).count()
    }

    /// How many messages were sent.
    pub(super) fn messages(&self) -> u64 {
        self.expected.values().map(|expected| expected.distinct).sum()
    }

    /// How many rows are known.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many rows the broker acknowledged that the subscriber has not got.
    pub(super) fn lost_by_broker(&self) -> usize {
        self.rows.values().filter(|row| row.received == 0).count()
    }

    /// The judgement of all that is known.
    pub(super) fn verdict(&self) -> Verdict {
        let missing = self.expected.iter().filter(|(pair, _)| !self.ids.contains_key(pair));
        let several = self.ids.iter().filter(|(_, ids)| ids.len() > 1);
        let several = several.map(|(pair, ids)| format!("{pair} came under several ids: {}", ids.join(", ")));
        let again = self.rows.values().map(|row| row.received.saturating_sub(1));
        Verdict {
            pairs: self.expected.len(),
            missing: missing
                .map(|(pair, expected)| format!("{pair}: {expected} is missing"))
                .collect(),
            wrong: self
                .problems
                .iter()
                .cloned()
                .chain(self.wrong())
                .chain(several)
                .collect(),
            different: self.different.clone(),
            duplicates: again.sum(),
            lost_by_broker: self.lost_by_broker(),
        }
    }

    fn row(&mut self, text: &str, witness: Witness) {
        let members: Members = match serde_json::from_str(text) {
            Ok(members) => members,
            Err(error) => return self.problems.push(format!("{error}: {text}")),
        };
        if !is_id(&members.id) {
            self.problems.push(format!("{:?} is no id: {text}", members.id));
        }
        let received = usize::from(witness == Witness::Subscriber);
        if let Some(row) = self.rows.get_mut(&members.id) {
            row.received += received;
            if row.text != text {
                let told = format!("{} came as {} and as {text}", members.id, row.text);
                self.different.push(told);
            }
            return;
        }
        let pair = Pair {
            from: members.from,
            device: members.device,
        };
        self.ids.entry(pair).or_default().push(members.id.clone());
        let row = Row {
            text: text.to_owned(),
            received,
        };
        self.rows.insert(members.id, row);
    }

    /// The rows that are not what they must be, in the order of their windows.
    fn wrong(&self) -> impl Iterator<Item = String> {
        let each = self
            .ids
            .iter()
            .flat_map(|(pair, ids)| ids.iter().map(move |id| (pair, id)));
        each.filter_map(|(pair, id)| {
            let text = &self.rows[id].text;
            let members: Members = serde_json::from_str(text).ok()?;
            let is = Expected {
                distinct: members.distinct,
                min: members.min,
                max: members.max,
            };
            match self.expected.get(pair) {
                None => Some(format!("{pair} was never sent: {text}")),
                Some(expected) if *expected != is => Some(format!("{pair} must be {expected}: {text}")),
                Some(_) if members.count < members.distinct => {
                    Some(format!("{pair} has fewer messages than numbers: {text}"))
                }
                Some(_) => None,
            }
        })
    }
}

impl Verdict {
    /// Nothing is missing, wrong or different.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty() && self.different.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} pairs checked, {} missing, {} wrong, {} different, {} duplicates, {} rows lost by the broker's kills",
            self.pairs,
            self.missing.len(),
            self.wrong.len(),
            self.different.len(),
            self.duplicates,
            self.lost_by_broker
        )
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "window {} of {}", self.from, self.device)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expected { distinct, min, max } = self;
        write!(formatter, "{distinct} numbers from {min} to {max}")
    }
}

/// 32 hexadecimal digits, and the number of a row.
fn is_id(id: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.split_once('-').is_some_and(|(emission, row)| {
        emission.len() == 32 && emission.bytes().all(digit) && row.parse::<u32>().is_ok()
    })
}
