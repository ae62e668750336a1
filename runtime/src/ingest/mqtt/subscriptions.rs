//! What a broker session is subscribed to, and which packets bring it to what is wanted.
//!
//! No I/O and no clock: the connection sends what [`Subscriptions::next`] says and reports the answers. One packet is
//! in flight at a time, so an answer cannot be attributed to the wrong one. New filters are subscribed to before old
//! ones are given up, so that a change leaves no gap.

use crate::topic::{TopicFilter, covering};
use rumqttc::SubscribeReasonCode;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The subscriptions of one broker session, across its connections.
#[derive(Debug)]
pub(super) struct Subscriptions {
    share_group: Option<String>,
    timing: SubscribeTiming,
    /// What is needed now: no two filters overlap.
    wanted: BTreeSet<TopicFilter>,
    /// What the broker has granted to this session.
    held: BTreeSet<TopicFilter>,
    /// Wanted filters that the broker refused, and when to ask again.
    refused: BTreeMap<TopicFilter, Instant>,
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
    pub(super) fn new(share_group: Option<String>, timing: SubscribeTiming) -> Self {
        Subscriptions {
            share_group,
            timing,
            wanted: BTreeSet::new(),
            held: BTreeSet::new(),
            refused: BTreeMap::new(),
            in_flight: None,
            timeouts: 0,
        }
    }

    /// From now on these filters are needed, any number of times each and overlapping.
    pub(super) fn want(&mut self, filters: &[TopicFilter]) {
        let shared = |filter: &TopicFilter| match &self.share_group {
            // The configuration has checked the group; were it wrong, an unshared subscription loses nothing.
            Some(group) if filter.share_group().is_none() => filter.shared(group).unwrap_or_else(|_| filter.clone()),
            Some(_) | None => filter.clone(),
        };
        let filters: Vec<_> = filters.iter().map(shared).collect();
        self.wanted = covering(&filters).into_iter().collect();
        self.refused.retain(|filter, _| self.wanted.contains(filter));
    }

    /// A new connection is up. What an earlier process left in the session is not known, so the first connection
    /// subscribes to everything in any case.
    pub(super) fn connected(&mut self, session_present: bool) {
        self.in_flight = None;
        self.timeouts = 0;
        self.refused.clear();
        if !session_present {
            self.held.clear();
        }
    }

    /// The next request to send, if one is due; it is in flight from now on.
    pub(super) fn next(&mut self, now: Instant) -> Option<Change> {
        if self.in_flight.is_some() {
            return None;
        }
        let missing = self.wanted.difference(&self.held);
        let due = missing.filter(|filter| self.refused.get(*filter).is_none_or(|retry| *retry <= now));
        let subscribe: Vec<_> = due.take(FILTERS_PER_PACKET).cloned().collect();
        let change = if subscribe.is_empty() {
            Change::Unsubscribe(self.held.difference(&self.wanted).next()?.clone())
        } else {
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
        for filter in filters {
            answers.push(match codes.next() {
                Some(SubscribeReasonCode::Success(qos)) => {
                    self.refused.remove(&filter);
                    self.held.insert(filter.clone());
                    Answer::Granted {
                        filter,
                        qos: *qos as u8,
                    }
                }
                Some(SubscribeReasonCode::Failure) | None => {
                    self.refused.insert(filter.clone(), now + self.timing.retry);
                    Answer::Refused { filter }
                }
            });
        }
        answers
    }

    /// An UNSUBACK: the filter that is given up now.
    pub(super) fn unsuback(&mut self, packet_id: u16) -> Option<TopicFilter> {
        let Some(Change::Unsubscribe(filter)) = self.answered(packet_id) else {
            return None;
        };
        self.held.remove(&filter);
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
            None => self.refused.values().min().copied(),
        }
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
