//! Changes of the code that runs on a mill, as a journal and a checkpoint hold them: everything that it takes to make them
//! again, in JSON, so that it can grow.

use super::super::command::{Role, RuleSpec, StreamKey};
use super::super::identity::Identity;
use crate::config::{LimitsConfig, OnChange, ReloadConfig};
use crate::rule::{ContentDigest, LimitedLibrary};
use crate::topic::TopicFilter;
use rulemill_core::Removal;
use rulemill_plan::Literal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What changes on a mill between two batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Change {
    /// A version of a rule runs from here on.
    PutRule {
        /// The version.
        rule: RuleRecord,
        /// When it begins.
        on_change: OnChange,
    },
    /// A rule goes.
    RemoveRule {
        /// Its id.
        id: String,
        /// How.
        how: Removed,
    },
    /// A version of a library runs from here on.
    PutLibrary(LibraryRecord),
    /// A library goes.
    RemoveLibrary(String),
    /// A rule is given messages of the last batch again, because the version that had them was taken back.
    ProcessAgain {
        /// The rule's id.
        rule: String,
        /// The positions of the messages in their batch.
        messages: Vec<usize>,
    },
}

/// A version of a rule, as it was deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct RuleRecord {
    pub(in super::super) id: String,
    /// The digests of its files.
    pub(in super::super) wasm: String,
    pub(in super::super) sidecar: Option<String>,
    pub(in super::super) stream: StreamRecord,
    pub(in super::super) settings: BTreeMap<String, Literal>,
    pub(in super::super) window_override_ms: Option<u64>,
    pub(in super::super) reload: ReloadConfig,
    pub(in super::super) limits: LimitsConfig,
    pub(in super::super) sinks: Vec<String>,
}

/// The stream that a rule listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct StreamRecord {
    pub(in super::super) source: Option<String>,
    pub(in super::super) filters: Vec<String>,
}

/// A version of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct LibraryRecord {
    pub(in super::super) name: String,
    /// The digest of its file.
    pub(in super::super) wasm: String,
    pub(in super::super) limits: LimitsConfig,
}

/// How a rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Removed {
    Drain,
    Retire,
    Discard,
}

impl RuleRecord {
    /// What it takes to make this version again.
    pub(in super::super) fn of(spec: &RuleSpec) -> Self {
        RuleRecord {
            id: spec.id.to_string(),
            wasm: spec.identity.wasm.to_string(),
            sidecar: spec.identity.sidecar.map(|sidecar| sidecar.to_string()),
            stream: StreamRecord::of(&spec.stream),
            settings: spec.settings.clone(),
            window_override_ms: spec.window_override_ms,
            reload: spec.reload,
            limits: spec.limits,
            sinks: spec.sink_names.clone(),
        }
    }

    /// The digests; `None`: they are not what was written.
    pub(in super::super) fn identity(&self) -> Option<Identity> {
        let sidecar = self.sidecar.as_deref();
        Some(Identity {
            wasm: ContentDigest::parse(&self.wasm)?,
            sidecar: match sidecar {
                Some(sidecar) => Some(ContentDigest::parse(sidecar)?),
                None => None,
            },
        })
    }
}

impl StreamRecord {
    pub(in super::super) fn of(key: &StreamKey) -> Self {
        StreamRecord {
            source: key.source.as_deref().map(ToOwned::to_owned),
            filters: key.filters.iter().map(|filter| filter.as_str().to_owned()).collect(),
        }
    }

    /// The key of the stream; `None`: a filter is not one.
    pub(in super::super) fn key(&self) -> Option<StreamKey> {
        let filters = self.filters.iter().map(|text| TopicFilter::parse(text).ok());
        Some(StreamKey {
            role: Role::Runs,
            source: self.source.as_deref().map(Arc::from),
            filters: filters.collect::<Option<_>>()?,
        })
    }
}

impl LibraryRecord {
    pub(in super::super) fn of(library: &LimitedLibrary) -> Self {
        LibraryRecord {
            name: library.loaded.description.name.clone(),
            wasm: library.loaded.digest.to_string(),
            limits: library.limits,
        }
    }
}

impl From<Removal> for Removed {
    fn from(removal: Removal) -> Self {
        match removal {
            Removal::Drain => Removed::Drain,
            Removal::Retire => Removed::Retire,
            Removal::Discard => Removed::Discard,
        }
    }
}

impl From<Removed> for Removal {
    fn from(removed: Removed) -> Self {
        match removed {
            Removed::Drain => Removal::Drain,
            Removed::Retire => Removal::Retire,
            Removed::Discard => Removal::Discard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RuleRecord {
        RuleRecord {
            id: "mean".to_owned(),
            wasm: "ab".repeat(32),
            sidecar: Some("cd".repeat(32)),
            stream: StreamRecord {
                source: Some("default".to_owned()),
                filters: vec!["a/+".to_owned()],
            },
            settings: BTreeMap::from([
                ("limit".to_owned(), Literal::Float(1.5)),
                ("whole".to_owned(), Literal::Int(3)),
                ("name".to_owned(), Literal::Text("x".to_owned())),
                ("on".to_owned(), Literal::Bool(true)),
            ]),
            window_override_ms: Some(2000),
            reload: ReloadConfig::default(),
            limits: LimitsConfig::default(),
            sinks: vec!["log".to_owned()],
        }
    }

    #[test]
    fn changes_come_back_as_they_were() {
        let changes = [
            Change::PutRule {
                rule: record(),
                on_change: OnChange::Now,
            },
            Change::RemoveRule {
                id: "mean".to_owned(),
                how: Removed::Drain,
            },
            Change::PutLibrary(LibraryRecord {
                name: "text".to_owned(),
                wasm: "ab".repeat(32),
                limits: LimitsConfig::default(),
            }),
            Change::RemoveLibrary("text".to_owned()),
            Change::ProcessAgain {
                rule: "mean".to_owned(),
                messages: vec![0, 7],
            },
        ];
        for change in changes {
            let text = serde_json::to_string(&change).unwrap();
            assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change, "{text}");
        }
    }

    #[test]
    fn digests_and_filters_that_are_none_are_refused() {
        assert!(record().identity().is_some());
        let identity = record().identity().unwrap();
        assert_eq!(identity.to_string(), format!("{}.{}", "ab".repeat(32), "cd".repeat(32)));
        for wrong in ["", "zz", &"ag".repeat(32), &"ab".repeat(33)] {
            let record = RuleRecord {
                wasm: wrong.to_owned(),
                ..record()
            };
            assert!(record.identity().is_none(), "{wrong}");
        }
        let mut stream = record().stream;
        assert!(stream.key().is_some());
        stream.filters.push("a/#/b".to_owned());
        assert!(stream.key().is_none());
    }
}

#[cfg(test)]
mod kept;
