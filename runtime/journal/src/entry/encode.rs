//! Entries to bytes.

use super::{
    AUDIENCE, Audience, Change, DUPLICATE_BIT, Entry, Guest, MESSAGE, Message, Qos, RETAIN_BIT, SET_BACK, SWITCH,
    Switch, TICK,
};
use crate::log::{Encode, Kind, Unencodable};

impl Encode for Entry<'_> {
    fn kind(&self) -> Kind {
        match self {
            Entry::Message(_) => MESSAGE,
            Entry::Audience(_) => AUDIENCE,
            Entry::Tick { .. } => TICK,
            Entry::Switch(_) => SWITCH,
            Entry::SetBack { .. } => SET_BACK,
        }
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        match self {
            Entry::Message(message) => message.encode(into),
            Entry::Audience(audience) => encode_audience(audience, into),
            Entry::Tick { at_us: time } | Entry::SetBack { now_us: time } => {
                into.extend_from_slice(&time.to_le_bytes());
                Ok(())
            }
            Entry::Switch(switch) => encode_switch(switch, into),
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

fn encode_switch(switch: &Switch<'_>, into: &mut Vec<u8>) -> Result<(), Unencodable> {
    into.push(match switch.guest {
        Guest::Rule => 0,
        Guest::Library => 1,
    });
    into.push(match switch.change {
        Change::Put { .. } => 0,
        Change::Drain => 1,
        Change::Retire => 2,
        Change::Discard => 3,
    });
    text(into, "the name of a guest", switch.name)?;
    match &switch.change {
        Change::Put { digest, settings } => {
            into.extend_from_slice(digest);
            into.extend_from_slice(settings);
        }
        Change::Drain | Change::Retire | Change::Discard => {}
    }
    Ok(())
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
