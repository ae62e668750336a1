//! Reading a log in order, from some record on.

use super::appending::Log;
use super::error::ReadError;
use super::segment::Segment;
use super::sequence::{Kind, Sequence};
use super::walk::{Found, Step, Walk};
use std::io;

/// A place in a log. It reads ahead by a quarter of a megabyte, or one record when that is larger.
#[derive(Debug)]
pub struct Reader {
    /// The record that is wanted next.
    position: Sequence,
    at: Option<Place>,
    missing: u64,
    /// What was read last, while it is in memory.
    last: Option<(Found, u64)>,
}

/// A record that was read.
#[derive(Debug)]
pub struct Record<'r> {
    /// Its number.
    pub sequence: Sequence,
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub payload: &'r [u8],
    /// How many records right before it are not there.
    pub missing: u64,
}

#[derive(Debug)]
struct Place {
    id: u64,
    first: Sequence,
    name: String,
    walk: Walk,
}

impl Reader {
    /// From the record `position` on.
    pub fn new(position: Sequence) -> Self {
        Reader {
            position,
            at: None,
            missing: 0,
            last: None,
        }
    }

    /// The record that is read next, if it is there.
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// How many records were passed over because they are not there.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The next record that was written to `log`, which must be the same each time; `None` when there is none yet.
    pub fn next<'r>(&'r mut self, log: &Log) -> Result<Option<Record<'r>>, ReadError> {
        self.last = None;
        let before = self.missing;
        loop {
            let Some(place) = self.place(log)? else {
                return Ok(None);
            };
            let step = place.walk.step();
            match step {
                Ok(Step::Record(found)) if found.sequence >= self.position => {
                    self.pass_over(found.sequence);
                    self.position = found.sequence.next();
                    self.last = Some((found, self.missing - before));
                    return Ok(self.last());
                }
                Ok(Step::Record(_) | Step::Mark(_) | Step::Damage) => {}
                Ok(Step::End) => {
                    if !self.go_on(log) {
                        return Ok(None);
                    }
                }
                Err(source) => return Err(self.failed(source)),
            }
        }
    }

    /// What [`Reader::next`] gave last.
    pub fn last(&self) -> Option<Record<'_>> {
        let (found, missing) = self.last.as_ref()?;
        let place = self.at.as_ref()?;
        Some(Record {
            sequence: found.sequence,
            kind: found.kind,
            payload: place.walk.payload(found),
            missing: *missing,
        })
    }

    /// Where to read. `None` when there is nothing to read.
    fn place(&mut self, log: &Log) -> Result<Option<&mut Place>, ReadError> {
        if self.at.is_none() {
            let Some(segment) = log.segment_of(self.position) else {
                return Ok(None);
            };
            self.pass_over(segment.first);
            let opened = log.storage().open(&segment.name);
            let file = opened.map_err(|source| ReadError {
                sequence: self.position,
                file: segment.name.clone(),
                source,
            })?;
            self.at = Some(Place {
                id: segment.id,
                first: segment.first,
                name: segment.name.clone(),
                walk: Walk::new(file, segment.salt, segment.first, segment.end),
            });
        }
        Ok(self.at.as_mut())
    }

    /// Past the end of a segment as it was known. False when nothing follows.
    fn go_on(&mut self, log: &Log) -> bool {
        let Some(place) = &mut self.at else {
            return false;
        };
        let grown = |segment: &&Segment| segment.id == place.id && segment.end > place.walk.offset();
        if let Some(segment) = log.segments().iter().find(grown) {
            place.walk.extend(segment.end);
            return true;
        }
        let segments = log.segments();
        let follower = match segments.iter().position(|segment| segment.id == place.id) {
            Some(at) => segments.get(at + 1),
            // It was trimmed, or another one has taken its place.
            None => segments.iter().find(|segment| segment.first >= place.first),
        };
        let Some(follower) = follower else {
            return false;
        };
        let first = follower.first;
        self.at = None;
        self.pass_over(first);
        true
    }

    fn pass_over(&mut self, to: Sequence) {
        if to > self.position {
            self.missing += to.0 - self.position.0;
            self.position = to;
        }
    }

    fn failed(&self, source: io::Error) -> ReadError {
        ReadError {
            sequence: self.position,
            file: self.at.as_ref().map(|place| place.name.clone()).unwrap_or_default(),
            source,
        }
    }
}
