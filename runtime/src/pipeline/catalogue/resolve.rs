//! What the deployment decides about a rule: where it listens, where it sends, and its settings.

use super::super::command::StreamKey;
use crate::config::{RulesConfig, Sidecar};
use crate::topic::TopicFilter;
use rulemill_plan::{Literal, Plan, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a rule's names are resolved against.
pub(super) struct Names<'a> {
    /// The `[rules]` section.
    pub(super) rules: &'a RulesConfig,
    /// The names of all sources, the listener's included.
    pub(super) sources: &'a BTreeSet<String>,
    /// The names of all sinks.
    pub(super) sinks: &'a BTreeSet<String>,
}

/// The stream that the rule listens to.
pub(super) fn stream(plan: &Plan, sidecar: &Sidecar, names: &Names<'_>) -> Result<StreamKey, String> {
    let source = sidecar.source.as_ref().or(names.rules.default_source.as_ref());
    if let Some(source) = source
        && !names.sources.contains(source)
    {
        let known = list(names.sources);
        return Err(format!("its source {source} is not configured (there are: {known})"));
    }
    let texts = sidecar.topics.as_ref().unwrap_or(&plan.topics);
    if texts.is_empty() {
        return Err("it listens to no topic; set topics in the rule or in the .toml file beside it".to_owned());
    }
    if texts.len() > TOPICS_MAX {
        let count = texts.len();
        return Err(format!("it may listen to {TOPICS_MAX} topic filters, got {count}"));
    }
    let mut filters = Vec::with_capacity(texts.len());
    for text in texts {
        filters.push(TopicFilter::parse(text).map_err(|error| format!("its topic filter {text:?}: {error}"))?);
    }
    filters.sort();
    filters.dedup();
    Ok(StreamKey {
        source: source.map(|name| Arc::from(name.as_str())),
        filters,
    })
}

/// The names of the sinks that the rule sends to.
pub(super) fn sinks(plan: &Plan, sidecar: &Sidecar, names: &Names<'_>) -> Result<Vec<String>, String> {
    let wanted = match &sidecar.sinks {
        Some(wanted) => wanted,
        None if !plan.sinks.is_empty() => &plan.sinks,
        None => &names.rules.default_sinks,
    };
    match wanted.iter().find(|name| !names.sinks.contains(*name)) {
        None => Ok(wanted.clone()),
        Some(name) => Err(format!(
            "its sink {name} is not configured (there are: {}); set sinks in the .toml file beside it",
            list(names.sinks)
        )),
    }
}

/// The rule's settings: the deployment's values, else the defaults. All problems are in the error.
pub(super) fn settings(plan: &Plan, sidecar: &Sidecar) -> Result<BTreeMap<String, Literal>, String> {
    let mut problems = Vec::new();
    for name in sidecar.settings.keys() {
        if !plan.settings.iter().any(|setting| setting.name == *name) {
            let known: BTreeSet<String> = plan.settings.iter().map(|setting| setting.name.clone()).collect();
            problems.push(format!("it has no setting {name} (it has: {})", list(&known)));
        }
    }
    let mut settings = BTreeMap::new();
    for setting in &plan.settings {
        match sidecar.settings.get(&setting.name).or(setting.default.as_ref()) {
            None => problems.push(format!("its setting {} ({}) must be set", setting.name, setting.kind)),
            Some(value) if !value.fits(setting.kind) => problems.push(format!(
                "its setting {} must be of type {}, got {value}",
                setting.name, setting.kind
            )),
            Some(value) => {
                settings.insert(setting.name.clone(), as_kind(value, setting.kind));
            }
        }
    }
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(problems.join("; "))
    }
}

/// An int for a float setting becomes a float, so that guests see the described type.
fn as_kind(value: &Literal, kind: Type) -> Literal {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a float setting has the precision of a float")]
        Literal::Int(value) if kind == Type::Float => Literal::Float(*value as f64),
        Literal::Null | Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_) => value.clone(),
    }
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The most topic filters of a rule: each is compared with every new topic.
const TOPICS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(topics: usize) -> Result<StreamKey, String> {
        let topics: Vec<String> = (0..topics).map(|number| format!("devices/{number}")).collect();
        let plan = serde_json::json!({"name": "greedy", "topics": topics, "emits": [{"name": "n", "column": 0}]});
        let plan = Plan::from_json(&plan.to_string()).unwrap();
        let names = Names {
            rules: &RulesConfig {
                dir: "rules.d".into(),
                default_sinks: Vec::new(),
                default_source: None,
                poll_interval: std::time::Duration::from_secs(2),
            },
            sources: &BTreeSet::new(),
            sinks: &BTreeSet::new(),
        };
        stream(&plan, &Sidecar::default(), &names)
    }

    #[test]
    fn a_rule_that_listens_to_too_many_topics_is_refused() {
        assert_eq!(resolved(1024).unwrap().filters.len(), 1024);
        let reason = resolved(1025).unwrap_err();
        assert_eq!(reason, "it may listen to 1024 topic filters, got 1025");
    }
}
