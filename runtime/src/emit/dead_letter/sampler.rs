//! Which dead letters are named in the log: a few a second for each rule.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Lets a few lines a second through for each rule, and counts the others.
#[derive(Debug)]
pub(super) struct Sampler {
    lines_per_second_max: u32,
    rules: HashMap<String, Second>,
}

/// Whether to write a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampled {
    /// Yes, and say how many were left out since the last one.
    Log { suppressed: u64 },
    /// No.
    Skip,
}

#[derive(Debug)]
struct Second {
    start: Instant,
    lines: u32,
    suppressed: u64,
}

impl Sampler {
    /// At most `lines_per_second_max` lines a second for each rule.
    pub(super) fn new(lines_per_second_max: u32) -> Self {
        Sampler {
            lines_per_second_max,
            rules: HashMap::new(),
        }
    }

    /// Decides about a line for `rule` at `now`.
    pub(super) fn sample(&mut self, rule: &str, now: Instant) -> Sampled {
        // Rules beyond the bound share one allowance.
        let known = self.rules.contains_key(rule) || self.rules.len() < RULES_MAX;
        let name = if known { rule } else { "" };
        if !self.rules.contains_key(name) {
            let second = Second {
                start: now,
                lines: 0,
                suppressed: 0,
            };
            self.rules.insert(name.to_owned(), second);
        }
        let Some(second) = self.rules.get_mut(name) else {
            return Sampled::Skip;
        };
        if now.saturating_duration_since(second.start) >= Duration::from_secs(1) {
            second.start = now;
            second.lines = 0;
        }
        if second.lines >= self.lines_per_second_max {
            second.suppressed += 1;
            return Sampled::Skip;
        }
        second.lines += 1;
        Sampled::Log {
            suppressed: std::mem::take(&mut second.suppressed),
        }
    }
}

/// The most rules that are told apart.
const RULES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_a_second_for_each_rule_and_the_next_says_what_was_left_out() {
        let mut sampler = Sampler::new(2);
        let now = crate::clock::monotonic();
        let log = |suppressed| Sampled::Log { suppressed };
        let first: Vec<_> = (0..5).map(|_| sampler.sample("a", now)).collect();
        assert_eq!(first, [log(0), log(0), Sampled::Skip, Sampled::Skip, Sampled::Skip]);
        assert_eq!(sampler.sample("b", now), log(0));
        let later = now + Duration::from_secs(1);
        assert_eq!(sampler.sample("a", later), log(3));
        assert_eq!(sampler.sample("a", later), log(0));
        assert_eq!(sampler.sample("a", later), Sampled::Skip);
    }
}
