//! What is counted about dead letters.
//!
//! | metric | kind | meaning |
//! |---|---|---|
//! | `rulemill_dead_letters_rejected_total` | counter, by `rule` and `kind` | messages and rows that could not be processed |
//! | `rulemill_dead_letters_lost_total` | counter, by `reason` | dead letters that could not be kept |

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The metrics of the dead-letter output.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterMetrics {
    kept: Family<KindLabel, Counter>,
    lost: Family<LostLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    rule: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabel {
    reason: &'static str,
}

impl DeadLetterMetrics {
    /// Adds the metrics to `registry`; its prefix is `rulemill`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("dead_letters");
        registry.register(
            "rejected",
            concat!(
                "Messages and rows that could not be processed, by rule and kind: ",
                "decode, rejected, row, guest, suspended, late, bound, oversize, topic, too_large or refused"
            ),
            self.kept.clone(),
        );
        registry.register(
            "lost",
            "Dead letters that could not be kept, by reason",
            self.lost.clone(),
        );
    }

    /// Counts a message or row that could not be processed; no rule is the empty text.
    pub(crate) fn kept(&self, rule: &str, kind: &'static str) -> Counter {
        let label = KindLabel {
            rule: rule.to_owned(),
            kind,
        };
        self.kept.get_or_create(&label).clone()
    }

    /// Counts a dead letter that could not be kept.
    pub(crate) fn lost(&self, reason: &'static str) -> Counter {
        self.lost.get_or_create(&LostLabel { reason }).clone()
    }
}
