//! Which messages of one connection wait for their PUBACK.

use super::packets::{Packet, Splitter};
use super::{Direction, Observer};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The messages of one connection, in both directions.
pub(super) struct Ledger {
    open: Mutex<HashMap<(bool, u16), Vec<u8>>>,
    acknowledged: Observer,
}

impl Ledger {
    pub(super) fn new(acknowledged: Observer) -> Self {
        Ledger {
            open: Mutex::default(),
            acknowledged,
        }
    }

    /// A packet has arrived. The client's PUBACK counts from here on: what it says is true, whether the broker gets to
    /// know or not.
    pub(super) fn arrived(&self, packet: &[u8], direction: Direction) {
        match (Packet::read(packet), direction) {
            (Packet::Publish { id, payload }, _) => {
                let key = (direction == Direction::ToBroker, id);
                self.open().insert(key, payload.to_vec());
            }
            (Packet::Acknowledgement { id }, Direction::ToBroker) => self.settle((false, id)),
            (Packet::Acknowledgement { .. }, Direction::ToClient) | (Packet::Other, _) => {}
        }
    }

    /// These packets leave for the client. The broker's PUBACK counts from here on: one that is lost on the way obliges
    /// nobody.
    pub(super) fn leaving_for_client(&self, packets: &[u8]) {
        let mut splitter = Splitter::default();
        splitter.push(packets);
        while let Ok(Some(packet)) = splitter.next_packet() {
            if let Packet::Acknowledgement { id } = Packet::read(packet) {
                self.settle((true, id));
            }
        }
    }

    fn settle(&self, key: (bool, u16)) {
        let payload = self.open().remove(&key);
        if let Some(payload) = payload {
            (self.acknowledged)(&payload);
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<(bool, u16), Vec<u8>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
