//! What can be wrong with a topic name or filter.

use super::TOPIC_BYTES_MAX;

/// Why a text is not a topic filter. The one who wrote the filter is at fault; trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicFilterError {
    /// Nothing in it, or nothing after the share group.
    #[error("a topic filter must have at least one character")]
    Empty,
    /// Longer than a packet can carry.
    #[error("a topic filter has at most {TOPIC_BYTES_MAX} bytes, got {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// U+0000 is not allowed anywhere in MQTT.
    #[error("a topic filter must not contain the character U+0000")]
    NullCharacter,
    /// A control character or a non-character: brokers may close the connection over one.
    #[error(
        "a topic filter must not contain control characters or what is no character of Unicode, since brokers close the \
         connection then; got U+{:04X} in `{}`",
        u32::from(*.character),
        .filter.escape_debug()
    )]
    UnsafeCharacter {
        /// The whole filter.
        filter: String,
        /// The first such character.
        character: char,
    },
    /// `+` or `#` beside other characters of its level.
    #[error("a wildcard must be alone in its level, got `{level}` in the topic filter `{filter}`")]
    WildcardNotAlone {
        /// The whole filter.
        filter: String,
        /// The level at fault.
        level: String,
    },
    /// `#` with levels after it.
    #[error("`#` must be the last level of a topic filter, got `{filter}`")]
    HashNotLast {
        /// The whole filter.
        filter: String,
    },
    /// `$share` without both a group and a filter.
    #[error("a shared subscription is written $share/GROUP/FILTER, got `{filter}`")]
    ShareWithoutFilter {
        /// The whole text.
        filter: String,
    },
    /// An impossible group name.
    #[error("the group of a shared subscription must be one level without wildcards and control characters, got `{}`", .group.escape_debug())]
    ShareGroup {
        /// The group.
        group: String,
    },
}

/// Why a text is not a topic name. The publisher is at fault; trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicNameError {
    /// Nothing in it.
    #[error("a topic name must have at least one character")]
    Empty,
    /// Longer than a packet can carry.
    #[error("a topic name has at most {TOPIC_BYTES_MAX} bytes, got {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// U+0000 is not allowed anywhere in MQTT.
    #[error("a topic name must not contain the character U+0000")]
    NullCharacter,
    /// `+` and `#` are for filters.
    #[error("a topic name must not contain the wildcards + and #, got `{topic}`")]
    Wildcard {
        /// The name.
        topic: String,
    },
}
