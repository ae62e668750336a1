//! What is done to a run, in which order: a pure function of its seed.

use fastrand::Rng;
use std::fmt;

/// One thing that is done to a run; each counts as a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// `kill -9` of rulemill, which is started again.
    Rulemill,
    /// The same, and once more while it starts.
    RulemillAtStart,
    /// `kill -9` of the broker that messages come from.
    SourceBroker,
    /// `kill -9` of the broker that results go to.
    SinkBroker,
    /// The same, and of rulemill while that broker is away.
    SinkBrokerAndRulemill,
    /// Something happens to the network between rulemill and the source's broker.
    SourceNetwork(Network),
    /// Something happens to the network between rulemill and the sink's broker.
    SinkNetwork(Network),
    /// The sink's broker's PUBACKs are lost for a while, then its connections.
    LostAcknowledgements,
    /// The sink's broker's PUBACKs come in another order for a while.
    ReorderedAcknowledgements,
}

/// What happens to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// Nothing passes for a while.
    Stall,
    /// Connections are reset in the middle of a packet.
    Reset,
    /// What is sent disappears for a while, then connections end.
    Cut,
}

/// So many faults. Each ten of them have every kind; the last one is a kill of rulemill, which [`super::run`] saves for the
/// end.
pub(super) fn schedule(seed: u64, kills: usize) -> Vec<Fault> {
    let mut rng = Rng::with_seed(seed);
    let (mut deck, mut faults) = (Vec::new(), Vec::with_capacity(kills));
    let mut losses = Losses::default();
    while faults.len() + 1 < kills {
        if deck.is_empty() {
            deck = new_deck(&mut rng);
        }
        let position = deck.iter().position(|&fault| losses.allow(fault));
        let fault = position.map_or(Fault::Rulemill, |position| deck.remove(position));
        losses.note(fault);
        faults.push(fault);
    }
    faults.extend((kills > 0).then_some(Fault::Rulemill));
    faults
}

/// How often rulemill had to connect again since it started. Each time in a row it may wait twice as long, up to two
/// minutes; beyond a few, a run would do nothing but wait, and the rule's idle timeout would pass.
#[derive(Debug, Default)]
struct Losses {
    source: usize,
    sink: usize,
}

impl Losses {
    fn allow(&self, fault: Fault) -> bool {
        let (source, sink) = cost(fault);
        ends_rulemill(fault) || (self.source + source <= SOURCE_LOSSES_MAX && self.sink + sink <= SINK_LOSSES_MAX)
    }

    fn note(&mut self, fault: Fault) {
        if ends_rulemill(fault) {
            *self = Losses::default();
        }
        let (source, sink) = cost(fault);
        self.source += source;
        self.sink += sink;
    }
}

/// How often source and sink have to connect again.
fn cost(fault: Fault) -> (usize, usize) {
    match fault {
        Fault::Rulemill | Fault::RulemillAtStart | Fault::ReorderedAcknowledgements => (0, 0),
        Fault::SourceNetwork(Network::Stall) | Fault::SinkNetwork(Network::Stall) => (0, 0),
        Fault::SourceBroker | Fault::SourceNetwork(Network::Reset | Network::Cut) => (1, 0),
        Fault::SinkBroker | Fault::SinkBrokerAndRulemill | Fault::LostAcknowledgements => (0, 1),
        Fault::SinkNetwork(Network::Reset | Network::Cut) => (0, 1),
    }
}

fn ends_rulemill(fault: Fault) -> bool {
    match fault {
        Fault::Rulemill | Fault::RulemillAtStart | Fault::SinkBrokerAndRulemill => true,
        Fault::SourceBroker
        | Fault::SinkBroker
        | Fault::SourceNetwork(_)
        | Fault::SinkNetwork(_)
        | Fault::LostAcknowledgements
        | Fault::ReorderedAcknowledgements => false,
    }
}

fn new_deck(rng: &mut Rng) -> Vec<Fault> {
    let networks = [Network::Stall, Network::Reset, Network::Cut];
    let mut network = || networks[rng.usize(0..networks.len())];
    let mut deck = vec![
        Fault::Rulemill,
        Fault::Rulemill,
        Fault::RulemillAtStart,
        Fault::SourceBroker,
        Fault::SinkBroker,
        Fault::SinkBrokerAndRulemill,
        Fault::SourceNetwork(network()),
        Fault::SinkNetwork(network()),
        Fault::LostAcknowledgements,
        Fault::ReorderedAcknowledgements,
    ];
    rng.shuffle(&mut deck);
    deck
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Fault::Rulemill => "rulemill",
            Fault::RulemillAtStart => "rulemill, twice",
            Fault::SourceBroker => "broker in",
            Fault::SinkBroker => "broker out",
            Fault::SinkBrokerAndRulemill => "broker out and rulemill",
            Fault::SourceNetwork(Network::Stall) => "network in: stall",
            Fault::SourceNetwork(Network::Reset) => "network in: reset",
            Fault::SourceNetwork(Network::Cut) => "network in: cut",
            Fault::SinkNetwork(Network::Stall) => "network out: stall",
            Fault::SinkNetwork(Network::Reset) => "network out: reset",
            Fault::SinkNetwork(Network::Cut) => "network out: cut",
            Fault::LostAcknowledgements => "PUBACKs lost",
            Fault::ReorderedAcknowledgements => "PUBACKs reordered",
        };
        formatter.write_str(text)
    }
}

const SOURCE_LOSSES_MAX: usize = 2;
const SINK_LOSSES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_another_seed_others() {
        assert_eq!(schedule(1, 50), schedule(1, 50));
        assert_ne!(schedule(1, 50), schedule(2, 50));
    }

    #[test]
    fn there_are_as_many_as_wanted_and_the_last_is_rulemill() {
        assert_eq!(schedule(1, 0), []);
        for kills in 1..40 {
            let faults = schedule(3, kills);
            assert_eq!((faults.len(), faults.last()), (kills, Some(&Fault::Rulemill)));
        }
    }

    #[test]
    fn ten_have_nearly_every_kind() {
        for seed in 0..100 {
            let faults: BTreeSet<_> = schedule(seed, 10).into_iter().collect();
            assert!(faults.len() >= 7, "{seed}: {faults:?}");
        }
        let all: BTreeSet<_> = schedule(1, 200).into_iter().collect();
        assert_eq!(all.len(), 13);
    }

    #[test]
    fn rulemill_never_has_to_wait_for_long_before_it_connects() {
        for seed in 0..100 {
            let mut losses = Losses::default();
            for fault in schedule(seed, 200) {
                assert!(losses.allow(fault), "{seed}: {fault}");
                losses.note(fault);
            }
        }
    }
}
