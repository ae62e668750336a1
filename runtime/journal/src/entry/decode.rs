//! Bytes to entries.

use super::{
    AUDIENCE, Audience, BATCH, BATCH_TO, DUPLICATE_BIT, Entry, MESSAGE, Message, QOS_BITS, Qos, RETAIN_BIT, SWITCH,
    Switch, TICK,
};
use crate::fields::Fields;
use crate::log::Kind;
use thiserror::Error;

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// They end too early.
    #[error("it ends within {0}")]
    Short(&'static str),
    /// They go on where they should end.
    #[error("it goes on for {0} bytes after its end")]
    Long(usize),
    /// A number stands for nothing.
    #[error("{what} is {value}, which stands for nothing")]
    Unknown {
        /// What it should say.
        what: &'static str,
        /// What is there.
        value: u8,
    },
    /// A text is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// An audience has the number that stands for everybody.
    #[error("an audience has number 0, which stands for everybody")]
    ForAll,
}

impl<'a> Entry<'a> {
    /// The entry in a record. Its texts and payload are not copied.
    pub fn decode(kind: Kind, payload: &'a [u8]) -> Result<Entry<'a>, EntryError> {
        let mut fields = Fields::new(payload);
        let entry = if kind == MESSAGE {
            return message(fields).map(Entry::Message);
        } else if kind == AUDIENCE {
            Entry::Audience(audience(&mut fields)?)
        } else if kind == TICK {
            Entry::Tick {
                mill: fields.u16().ok_or(EntryError::Short("the mill"))?,
                at_us: fields.i64().ok_or(EntryError::Short("the time"))?,
            }
        } else if kind == SWITCH {
            return switch(fields).map(Entry::Switch);
        } else if kind == BATCH || kind == BATCH_TO {
            Entry::Batch {
                messages: fields.u32().ok_or(EntryError::Short("the messages"))?,
                now_us: fields.i64().ok_or(EntryError::Short("the time"))?,
                last: match kind == BATCH_TO {
                    true => Some(fields.u64().ok_or(EntryError::Short("the last message"))?),
                    false => None,
                },
            }
        } else {
            return Err(unknown("the kind of entry", kind.number()));
        };
        match fields.rest().len() {
            0 => Ok(entry),
            more => Err(EntryError::Long(more)),
        }
    }
}

fn message(mut fields: Fields<'_>) -> Result<Message<'_>, EntryError> {
    let flags = fields.u8().ok_or(EntryError::Short("the flags"))?;
    if flags & !(QOS_BITS | RETAIN_BIT | DUPLICATE_BIT) != 0 {
        return Err(unknown("a set of flags", flags));
    }
    let qos = match flags & QOS_BITS {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        2 => Qos::ExactlyOnce,
        other => return Err(unknown("the QoS", other)),
    };
    Ok(Message {
        qos,
        retain: flags & RETAIN_BIT != 0,
        duplicate: flags & DUPLICATE_BIT != 0,
        arrival_us: fields.i64().ok_or(EntryError::Short("the arrival"))?,
        audience: fields.u32().ok_or(EntryError::Short("the audience"))?,
        source: text(&mut fields, "the source")?,
        topic: text(&mut fields, "the topic")?,
        payload: fields.rest(),
    })
}

fn audience<'a>(fields: &mut Fields<'a>) -> Result<Audience<'a>, EntryError> {
    let number = fields.u32().ok_or(EntryError::Short("the number"))?;
    if number == Message::FOR_ALL {
        return Err(EntryError::ForAll);
    }
    Ok(Audience {
        number,
        here: filters(fields)?,
        nowhere: filters(fields)?,
    })
}

/// Grows with what is there, not with what is announced.
fn filters<'a>(fields: &mut Fields<'a>) -> Result<Vec<&'a str>, EntryError> {
    let count = fields.u16().ok_or(EntryError::Short("the filters"))?;
    let mut filters = Vec::new();
    for _ in 0..count {
        filters.push(text(fields, "a filter")?);
    }
    Ok(filters)
}

fn switch(mut fields: Fields<'_>) -> Result<Switch<'_>, EntryError> {
    Ok(Switch {
        mill: fields.u16().ok_or(EntryError::Short("the mill"))?,
        position: fields.u64().ok_or(EntryError::Short("the position"))?,
        change: fields.rest(),
    })
}

fn text<'a>(fields: &mut Fields<'a>, what: &'static str) -> Result<&'a str, EntryError> {
    let length = fields.u16().ok_or(EntryError::Short(what))?;
    let bytes = fields.slice(length.into()).ok_or(EntryError::Short(what))?;
    std::str::from_utf8(bytes).map_err(|_| EntryError::NotText(what))
}

fn unknown(what: &'static str, value: u8) -> EntryError {
    EntryError::Unknown { what, value }
}
