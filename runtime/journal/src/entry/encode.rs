//! Entries to bytes.

use super::{
    AUDIENCE, Audience, BATCH, BATCH_TO, DUPLICATE_BIT, Entry, MESSAGE, Message, Qos, RETAIN_BIT, SWITCH, Switch, TICK,
};
use crate::log::{Encode, Kind, Unencodable};

impl Encode for Entry<'_> {
    fn kind(&self) -> Kind {
        match self {
            Entry::Message(_) => MESSAGE,
            Entry::Audience(_) => AUDIENCE,
            Entry::Tick { .. } => TICK,
            Entry::Switch(_) => SWITCH,
            Entry::Batch { last: None, .. } => BATCH,
            Entry::Batch { last: Some(_), .. } => BATCH_TO,
        }
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        match self {
            Entry::Message(message) => message.encode(into),
            Entry::Audience(audience) => encode_audience(audience, into),
            Entry::Tick { mill, at_us } => {
                into.extend_from_slice(&mill.to_le_bytes());
                into.extend_from_slice(&at_us.to_le_bytes());
                Ok(())
            }
            Entry::Switch(switch) => {
                encode_switch(switch, into);
                Ok(())
            }
            Entry::Batch { messages, now_us, last } => {
                into.extend_from_slice(&messages.to_le_bytes());
                into.extend_from_slice(&now_us.to_le_bytes());
                if let Some(last) = last {
                    into.extend_from_slice(&last.to_le_bytes());
                }
                Ok(())
            }
        }
    }
}

impl Encode for Message<'_> {
    fn kind(&self) -> Kind {
        MESSAGE
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        let qos = match self.qos {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce => 1,
            Qos::ExactlyOnce => 2,
        };
        let retain = if self.retain { RETAIN_BIT } else { 0 };
        let duplicate = if self.duplicate { DUPLICATE_BIT } else { 0 };
        into.push(qos | retain | duplicate);
        into.extend_from_slice(&self.arrival_us.to_le_bytes());
        into.extend_from_slice(&self.audience.to_le_bytes());
        text(into, "the name of a source", self.source)?;
        text(into, "a topic", self.topic)?;
        into.extend_from_slice(self.payload);
        Ok(())
    }
}

fn encode_audience(audience: &Audience<'_>, into: &mut Vec<u8>) -> Result<(), Unencodable> {
    into.extend_from_slice(&audience.number.to_le_bytes());
    for filters in [&audience.here, &audience.nowhere] {
        let count = short("an audience, in filters,", filters.len())?;
        into.extend_from_slice(&count.to_le_bytes());
        for filter in filters {
            text(into, "a topic filter", filter)?;
        }
    }
    Ok(())
}

fn encode_switch(switch: &Switch<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(&switch.mill.to_le_bytes());
    into.extend_from_slice(&switch.position.to_le_bytes());
    into.extend_from_slice(switch.change);
}

fn text(into: &mut Vec<u8>, what: &'static str, text: &str) -> Result<(), Unencodable> {
    into.extend_from_slice(&short(what, text.len())?.to_le_bytes());
    into.extend_from_slice(text.as_bytes());
    Ok(())
}

fn short(what: &'static str, length: usize) -> Result<u16, Unencodable> {
    u16::try_from(length).map_err(|_| Unencodable {
        what,
        bytes: length,
        max: u16::MAX.into(),
    })
}
