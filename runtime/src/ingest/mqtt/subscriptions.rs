//! What a broker session is subscribed to, and which packets bring it to what is wanted.
//!
//! No I/O and no clock: the connection sends what [`Subscriptions::next`] says and reports the answers. One packet is
//! in flight at a time, so an answer cannot be attributed to the wrong one. New filters are subscribed to before old
//! ones are given up, so that a change leaves no gap. A filter that another one covers is not subscribed to, unless the
//! broker refuses the other one.

use crate::topic::{TopicFilter, widest};
use rumqttc::SubscribeReasonCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The subscriptions of one broker session, across its connections.
#[derive(Debug)]
pub(super) struct Subscriptions {
    timing: SubscribeTiming,
    /// What the lane is to serve.
    serves: Arc<BTreeSet<TopicFilter>>,
    /// What is subscribed to for it.
    wanted: BTreeSet<TopicFilter>,
    /// What the broker has granted to this session.
    held: BTreeSet<TopicFilter>,
    /// What the session may have besides: requests without an answer, and what an earlier process left behind.
    uncertain: BTreeSet<TopicFilter>,
    /// Filters to serve that the broker refused, and when to ask again; `None`: as soon as possible.
    refused: BTreeMap<TopicFilter, Option<Instant>>,
    in_flight: Option<InFlight>,
    /// Requests in a row that were not answered in time.
    timeouts: u32,
}

/// How patient to be with a broker's answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubscribeTiming {
    /// How long to wait for the answer to a request.
    pub(super) answer: Duration,
    /// How long to wait before a refused filter is tried again.
    pub(super) retry: Duration,
}

/// A request to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Not empty, at most [`FILTERS_PER_PACKET`] filters.
    Subscribe(Vec<TopicFilter>),
    /// One at a time, because the client has no request for several.
    Unsubscribe(TopicFilter),
}

/// What the broker said about one filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Granted { filter: TopicFilter, qos: u8 },
    Refused { filter: TopicFilter },
}

/// What [`Subscriptions::expire`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Nothing is late.
    Nothing,
    /// So many filters were not answered; they will be asked for again.
    Again { filters: usize },
    /// The same, too often: the connection is of no use.
    TooOften { filters: usize },
}

#[derive(Debug)]
struct InFlight {
    change: Change,
    /// Known once the packet has been written.
    packet_id: Option<u16>,
    deadline: Instant,
}

impl Subscriptions {
    /// Of a session that may be subscribed to `left_behind`, by an earlier process.
    pub(super) fn new(left_behind: BTreeSet<TopicFilter>, timing: SubscribeTiming) -> Self {
        Subscriptions {
            timing,
            serves: Arc::default(),
            wanted: BTreeSet::new(),
            held: BTreeSet::new(),
            uncertain: left_behind,
            refused: BTreeMap::new(),
            in_flight: None,
            timeouts: 0,
        }
    }

    /// From now on these filters are to be served.
    pub(super) fn serve(&mut self, filters: Arc<BTreeSet<TopicFilter>>) {
        if self.serves == filters {
            return;
        }
        self.refused.retain(|filter, _| filters.contains(filter));
        self.serves = filters;
        self.choose();
    }

    /// A new connection is up. What an earlier process left in the session is not certain, so the first connection
    /// subscribes to everything in any case.
    pub(super) fn connected(&mut self, session_present: bool) {
        self.in_flight = None;
        self.timeouts = 0;
        // They count as refused until there is another answer.
        self.refused.values_mut().for_each(|retry| *retry = None);
        if !session_present {
            self.held.clear();
            self.uncertain.clear();
        }
    }

    /// The next request to send, if one is due; it is in flight from now on.
    pub(super) fn next(&mut self, now: Instant) -> Option<Change> {
        if self.in_flight.is_some() {
            return None;
        }
        let missing = self.wanted.difference(&self.held);
        let is_due = |retry: &Option<Instant>| retry.is_none_or(|retry| retry <= now);
        let due = missing.filter(|filter| self.refused.get(*filter).is_none_or(is_due));
        let subscribe: Vec<_> = due.take(FILTERS_PER_PACKET).cloned().collect();
        let change = if subscribe.is_empty() {
            Change::Unsubscribe(self.superfluous().next()?.clone())
        } else {
            self.uncertain.extend(subscribe.iter().cloned());
            Change::Subscribe(subscribe)
        };
        self.in_flight = Some(InFlight {
            change: change.clone(),
            packet_id: None,
            deadline: now + self.timing.answer,
        });
        Some(change)
    }

    /// The request in flight was written with this packet id.
    pub(super) fn sent(&mut self, packet_id: u16) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.packet_id.get_or_insert(packet_id);
        }
    }

    /// A SUBACK. One that answers nothing in flight is ignored. A filter without a return code counts as refused.
    pub(super) fn suback(&mut self, packet_id: u16, codes: &[SubscribeReasonCode], now: Instant) -> Vec<Answer> {
        let Some(Change::Subscribe(filters)) = self.answered(packet_id) else {
            return Vec::new();
        };
        let mut codes = codes.iter();
        let mut answers = Vec::with_capacity(filters.len());
        let mut covers_changed = false;
        for filter in filters {
            self.uncertain.remove(&filter);
            let was_refused = self.refused.remove(&filter).is_some();
            let granted = match codes.next() {
                Some(SubscribeReasonCode::Success(qos)) => Some(*qos as u8),
                Some(SubscribeReasonCode::Failure) | None => None,
            };
            covers_changed |= was_refused == granted.is_some() && self.covers_others(&filter);
            answers.push(match granted {
                Some(qos) => {
                    self.held.insert(filter.clone());
                    Answer::Granted { filter, qos }
                }
                None => {
                    if self.serves.contains(&filter) {
                        self.refused.insert(filter.clone(), Some(now + self.timing.retry));
                    }
                    Answer::Refused { filter }
                }
            });
        }
        if covers_changed {
            self.choose();
        }
        answers
    }

    /// An UNSUBACK: the filter that is given up now.
    pub(super) fn unsuback(&mut self, packet_id: u16) -> Option<TopicFilter> {
        let Some(Change::Unsubscribe(filter)) = self.answered(packet_id) else {
            return None;
        };
        self.held.remove(&filter);
        self.uncertain.remove(&filter);
        Some(filter)
    }

    /// Gives up the request in flight if its answer is late.
    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let Some(late) = self.in_flight.take_if(|in_flight| in_flight.deadline <= now) else {
            return Expired::Nothing;
        };
        let filters = match late.change {
            Change::Subscribe(filters) => filters.len(),
            Change::Unsubscribe(_) => 1,
        };
        self.timeouts += 1;
        if self.timeouts < TIMEOUTS_MAX {
            Expired::Again { filters }
        } else {
            Expired::TooOften { filters }
        }
    }

    /// When [`Subscriptions::expire`] or [`Subscriptions::next`] has something to do, if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.in_flight {
            Some(in_flight) => Some(in_flight.deadline),
            None => {
                let wanted = self.refused.iter().filter(|(filter, _)| self.wanted.contains(*filter));
                wanted.filter_map(|(_, retry)| *retry).min()
            }
        }
    }

    /// What the session is, or may be, subscribed to beyond what is to be served.
    pub(super) fn leftover(&self) -> BTreeSet<TopicFilter> {
        let subscribed = self.held.iter().chain(&self.uncertain);
        let beyond = subscribed.filter(|filter| !self.serves.contains(*filter));
        beyond.cloned().collect()
    }

    /// What is to be served and cannot be, because the broker refuses it and no other filter covers it.
    pub(super) fn refused(&self) -> BTreeSet<TopicFilter> {
        let refused = self.refused.keys().filter(|filter| self.wanted.contains(*filter));
        refused.cloned().collect()
    }

    /// Decides what to subscribe to. A filter that was refused covers nothing, and is tried again all the same.
    fn choose(&mut self) {
        let (refused, others): (Vec<_>, Vec<_>) = self
            .serves
            .iter()
            .partition(|filter| self.refused.contains_key(*filter));
        self.wanted = widest(others);
        let covered = |filter: &TopicFilter| self.wanted.iter().any(|other| other.covers(filter));
        let uncovered: Vec<_> = refused.into_iter().filter(|filter| !covered(filter)).cloned().collect();
        self.wanted.extend(uncovered);
    }

    /// Whether it matters to other filters that this one is refused.
    fn covers_others(&self, filter: &TopicFilter) -> bool {
        let mut others = self.serves.iter().filter(|other| *other != filter);
        filter.has_wildcard() && others.any(|other| filter.covers(other))
    }

    /// What is, or may be, subscribed to and is not wanted.
    fn superfluous(&self) -> impl Iterator<Item = &TopicFilter> {
        let held = self.held.difference(&self.wanted);
        held.chain(self.uncertain.difference(&self.wanted))
    }

    fn answered(&mut self, packet_id: u16) -> Option<Change> {
        let answered = self
            .in_flight
            .take_if(|in_flight| in_flight.packet_id == Some(packet_id))?;
        self.timeouts = 0;
        Some(answered.change)
    }
}

/// AWS IoT Core takes no more in one packet.
const FILTERS_PER_PACKET: usize = 8;

/// Unanswered requests in a row after which a new connection is made.
const TIMEOUTS_MAX: u32 = 3;

#[cfg(test)]
mod tests;
