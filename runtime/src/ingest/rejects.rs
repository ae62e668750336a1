//! Messages that came in and cannot be processed: whoever connects the stages keeps them.

use crate::message::Message;
use std::fmt;
use std::sync::Arc;

/// Where messages go that a source refuses. Cheap to clone.
#[derive(Clone)]
pub struct Rejects {
    keep: Arc<Keep>,
}

/// With the name of the source, the message, and the reason. It must not wait.
type Keep = dyn Fn(&str, &Message, &str) + Send + Sync;

impl Rejects {
    /// Refused messages are handed to `keep`, with the name of the source and the reason. It must not wait.
    pub fn new(keep: impl Fn(&str, &Message, &str) + Send + Sync + 'static) -> Self {
        Rejects { keep: Arc::new(keep) }
    }

    /// Hands over a message of `source`; of a large one it may have only the beginning of the payload.
    pub(super) fn keep(&self, source: &str, message: &Message, reason: &str) {
        (self.keep)(source, message, reason);
    }
}

impl fmt::Debug for Rejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rejects")
    }
}
