//! What the broker keeps for a source between two processes, as a file in the data directory.
//!
//! Written before a lane subscribes, so that the file names all that a session may be subscribed to:
//!
//! ```text
//! {"format":1,"source":"default","server":"tcp://127.0.0.1:1883","client_id":"rulemill-gateway-default",
//!  "lanes":{"1":{"serves":["devices/+/messages"],"also":["old/+"]},"2":{"serves":["+/d1/messages"],"also":[]}}}
//! ```
//!
//! `serves` is what the lane is for. `also` is what else its session may be subscribed to. A file that cannot be used is
//! not an obstacle: then nobody knows what an earlier process left behind, and it stays where it is.

use crate::config::SourceConfig;
use crate::limits::SOURCE_LANES_MAX as LANES_MAX;
use crate::topic::{TopicFilter, TopicFilterError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The lanes that have a session, or may have one, by number.
pub(super) type Sessions = BTreeMap<usize, Session>;

/// What the session of a lane may be subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) serves: BTreeSet<TopicFilter>,
    /// Not in `serves`.
    pub(super) also: BTreeSet<TopicFilter>,
}

/// The file of one source.
#[derive(Clone, Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    owner: Owner,
}

/// Why what the file says was not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionFileError {
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    #[error("it is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is not what was written: {0}")]
    Syntax(#[from] serde_json::Error),
    #[error("it has the format {0}; this version reads {FORMAT}")]
    Format(u32),
    #[error("it belongs to {found}, this is {expected}")]
    Foreign { found: Box<str>, expected: Box<str> },
    #[error("it has a lane {0}; they are numbered from 1 to {LANES_MAX}")]
    Lane(usize),
    #[error("a topic filter in it is wrong: {0}")]
    Filter(#[from] TopicFilterError),
}

/// Whose sessions they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    source: String,
    server: String,
    client_id: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    #[serde(flatten)]
    owner: Owner,
    /// People count lanes from 1.
    lanes: BTreeMap<usize, Lane>,
}

#[derive(Serialize, Deserialize)]
struct Lane {
    serves: Vec<String>,
    also: Vec<String>,
}

impl SessionFile {
    /// The file of the source `name` in the data directory.
    pub(super) fn new(data_dir: &Path, name: &str, config: &SourceConfig) -> Self {
        SessionFile {
            path: data_dir.join("sessions").join(format!("{}.json", file_name(name))),
            owner: Owner {
                source: name.to_owned(),
                server: config.server.to_string(),
                client_id: config.client_id.clone(),
            },
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; nothing, when there is no file.
    pub(super) fn read(&self) -> Result<Sessions, SessionFileError> {
        let mut text = String::new();
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sessions::new()),
            file => file.map_err(SessionFileError::Read)?,
        };
        let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
        if read.map_err(SessionFileError::Read)? as u64 > FILE_BYTES_MAX {
            return Err(SessionFileError::TooLarge);
        }
        let content: Content = serde_json::from_str(&text)?;
        if content.format != FORMAT {
            return Err(SessionFileError::Format(content.format));
        }
        if content.owner != self.owner {
            return Err(SessionFileError::Foreign {
                found: content.owner.to_string().into(),
                expected: self.owner.to_string().into(),
            });
        }
        let mut sessions = Sessions::new();
        for (number, lane) in content.lanes {
            if !(1..=LANES_MAX).contains(&number) {
                return Err(SessionFileError::Lane(number));
            }
            let serves = parsed(&lane.serves)?;
            let also = parsed(&lane.also)?.difference(&serves).cloned().collect();
            sessions.insert(number - 1, Session { serves, also });
        }
        Ok(sessions)
    }

    /// Puts a new file in the place of the old one, so that there is always a whole one.
    pub(super) fn write(&self, sessions: &Sessions) -> io::Result<()> {
        let lanes = sessions.iter().map(|(lane, session)| {
            let lane_text = Lane {
                serves: session.serves.iter().map(ToString::to_string).collect(),
                also: session.also.iter().map(ToString::to_string).collect(),
            };
            (lane + 1, lane_text)
        });
        let content = Content {
            format: FORMAT,
            owner: self.owner.clone(),
            lanes: lanes.collect(),
        };
        let mut text = serde_json::to_vec(&content)?;
        text.push(b'\n');
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        File::open(folder)?.sync_all()
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "source {} as {} at {}", self.source, self.client_id, self.server)
    }
}

fn parsed(filters: &[String]) -> Result<BTreeSet<TopicFilter>, TopicFilterError> {
    filters.iter().map(|filter| TopicFilter::parse(filter)).collect()
}

/// A name as the name of a file: what might not be allowed in one is written `%2F`.
fn file_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

const FORMAT: u32 = 1;

/// A file with thousands of filters has less than one MiB.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests;
