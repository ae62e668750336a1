//! MQTT topic names and topic filters, after MQTT 3.1.1 section 4.7.
//!
//! Filters are parsed once, at the edge, and are valid from then on. Nothing here allocates while matching.
//! Used by the configuration, by sources (what to subscribe to) and by streams (what belongs to them).

mod error;
mod overlap;

pub use error::{TopicFilterError, TopicNameError};
pub use overlap::widest;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest topic name or filter, in bytes: its length is a 16-bit number in every packet.
pub const TOPIC_BYTES_MAX: usize = 65_535;

/// A valid topic filter, such as `devices/+/messages`, `plant/#`, or `$share/group/devices/+/messages`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter {
    /// Without the `$share/group/`; valid.
    filter: Arc<str>,
    /// Not empty, without `/`, `+` and `#`.
    share_group: Option<Arc<str>>,
}

/// Whether a message may come with `topic`: not empty, at most [`TOPIC_BYTES_MAX`] bytes, no wildcards, no U+0000.
/// Empty levels are legal, so `/` and `a//b` are valid. So are control characters and non-characters, although no topic
/// filter and no topic of a sink may have them.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_topic_name(topic: &str) -> Result<(), TopicNameError> {
    if topic.is_empty() {
        return Err(TopicNameError::Empty);
    }
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(TopicNameError::TooLong { bytes: topic.len() });
    }
    match topic.bytes().find(|byte| matches!(byte, b'+' | b'#' | 0)) {
        None => Ok(()),
        Some(0) => Err(TopicNameError::NullCharacter),
        Some(_) => Err(TopicNameError::Wildcard { topic: topic.into() }),
    }
}

/// The first character of `text` over which a receiver may close the connection (MQTT 3.1.1 section 1.5.3), and over
/// which many brokers do: U+0000, which must not be sent at all, the control characters, and what Unicode says is no
/// character. Nothing that has one is published or subscribed to; a topic that comes with one is taken.
pub(crate) fn unsafe_character(text: &str) -> Option<char> {
    text.chars().find(|character| is_unsafe(*character))
}

/// Whether `character` is one that [`unsafe_character`] finds.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{FDD0}'..='\u{FDEF}') || u32::from(character) & 0xFFFE == 0xFFFE
}

impl TopicFilter {
    /// Parses a filter, with or without a leading `$share/GROUP/`.
    ///
    /// # Errors
    /// The first rule of MQTT 3.1.1 section 4.7 (or 4.8.2 of MQTT 5 for shared subscriptions) that it breaks.
    pub fn parse(text: &str) -> Result<Self, TopicFilterError> {
        match text.strip_prefix("$share/") {
            None if text == "$share" => Err(TopicFilterError::ShareWithoutFilter { filter: text.into() }),
            None => Self::parse_plain(text),
            Some(rest) => {
                let (group, filter) = rest
                    .split_once('/')
                    .ok_or_else(|| TopicFilterError::ShareWithoutFilter { filter: text.into() })?;
                Self::parse_plain(filter)?.shared(group)
            }
        }
    }

    /// The same filter as a shared subscription of `group`; a group that it already has is replaced.
    ///
    /// # Errors
    /// When `group` is empty or has a `/`, `+`, `#`, a control character or a non-character.
    pub fn shared(&self, group: &str) -> Result<Self, TopicFilterError> {
        if group.is_empty() || group.contains(|c| matches!(c, '/' | '+' | '#') || is_unsafe(c)) {
            return Err(TopicFilterError::ShareGroup { group: group.into() });
        }
        Ok(TopicFilter {
            filter: Arc::clone(&self.filter),
            share_group: Some(group.into()),
        })
    }

    /// The filter without its share group.
    pub fn as_str(&self) -> &str {
        &self.filter
    }

    /// The group of a shared subscription.
    pub fn share_group(&self) -> Option<&str> {
        self.share_group.as_deref()
    }

    /// The same filter as a subscription of nobody's group. Of the filters with one text it is the first in order.
    pub fn without_share_group(&self) -> TopicFilter {
        TopicFilter {
            filter: Arc::clone(&self.filter),
            share_group: None,
        }
    }

    /// Whether the filter has a `+` or `#`.
    pub fn has_wildcard(&self) -> bool {
        // In a valid filter these characters are nothing else.
        self.filter.contains(['+', '#'])
    }

    /// Whether a message published to `topic` is for this filter. A wildcard in the first level does not match a
    /// topic that starts with `$`. The share group plays no part.
    pub fn matches(&self, topic: &str) -> bool {
        let mut topic_levels = topic.split('/');
        for (index, level) in self.filter.split('/').enumerate() {
            let reserved = index == 0 && topic.starts_with('$');
            match (level, topic_levels.next()) {
                ("#" | "+", _) if reserved => return false,
                ("#", _) => return true,
                (_, None) => return false,
                ("+", Some(_)) => {}
                (literal, Some(topic_level)) if literal == topic_level => {}
                (_, Some(_)) => return false,
            }
        }
        topic_levels.next().is_none()
    }

    /// Whether every topic that `other` matches is also matched by this filter, in the same share group: then a
    /// subscription to this filter makes one to `other` superfluous.
    pub fn covers(&self, other: &TopicFilter) -> bool {
        self.share_group == other.share_group && filter_covers(&self.filter, &other.filter)
    }

    fn parse_plain(text: &str) -> Result<Self, TopicFilterError> {
        if text.is_empty() {
            return Err(TopicFilterError::Empty);
        }
        if text.len() > TOPIC_BYTES_MAX {
            return Err(TopicFilterError::TooLong { bytes: text.len() });
        }
        match unsafe_character(text) {
            None => {}
            Some('\0') => return Err(TopicFilterError::NullCharacter),
            Some(character) => {
                return Err(TopicFilterError::UnsafeCharacter {
                    filter: text.into(),
                    character,
                });
            }
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.len() > 1 && level.contains(['+', '#']) {
                return Err(TopicFilterError::WildcardNotAlone {
                    filter: text.into(),
                    level: level.into(),
                });
            }
            if level == "#" && levels.peek().is_some() {
                return Err(TopicFilterError::HashNotLast { filter: text.into() });
            }
        }
        Ok(TopicFilter {
            filter: text.into(),
            share_group: None,
        })
    }
}

impl fmt::Display for TopicFilter {
    /// As it is subscribed to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.share_group {
            Some(group) => write!(f, "$share/{group}/{}", self.filter),
            None => f.write_str(&self.filter),
        }
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicFilter({self})")
    }
}

impl FromStr for TopicFilter {
    type Err = TopicFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TopicFilter::parse(text)
    }
}

/// The filter, or one that matches the same and says so level by level: no topic is empty, so that what `/#` matches has
/// a second level, although `#` may stand for none elsewhere.
fn explicit(filter: &str) -> &str {
    if filter == "/#" { "/+/#" } else { filter }
}

fn filter_covers(wide: &str, narrow: &str) -> bool {
    // `+/#` matches just what `#` does: a topic has at least one level.
    let wide = if wide == "+/#" { "#" } else { wide };
    let mut narrow_levels = explicit(narrow).split('/');
    for (index, level) in wide.split('/').enumerate() {
        let reserved = index == 0 && narrow.starts_with('$');
        match (level, narrow_levels.next()) {
            ("#" | "+", _) if reserved => return false,
            // Also when `narrow` has ended: `a/#` matches `a`.
            ("#", _) => return true,
            (_, None | Some("#")) => return false,
            ("+", Some(_)) => {}
            (literal, Some(narrow_level)) if literal == narrow_level => {}
            (_, Some(_)) => return false,
        }
    }
    narrow_levels.next().is_none()
}

#[cfg(test)]
mod tests;
