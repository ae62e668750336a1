//! What the deployment decides about a rule: where it listens, where it sends, and its settings.

use super::super::command::{Role, StreamKey};
use crate::config::{GuestDefaults, RulesConfig, Sidecar, SinkConfig};
use crate::sink::topic_columns;
use crate::topic::TopicFilter;
use rulemill_plan::{Literal, Plan, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a rule's names are resolved against.
pub(super) struct Names<'a> {
    /// The `[rules]` section.
    pub(super) rules: &'a RulesConfig,
    /// The names of all sources, the listener's included; `None`: nobody knows, and none is wrong.
    pub(super) sources: Option<&'a BTreeSet<String>>,
    /// All sinks, with what they need of rows; `None`: nobody knows, and none is wrong.
    pub(super) sinks: Option<&'a BTreeMap<String, SinkRows>>,
}

/// What a sink needs of the rows that it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct SinkRows {
    /// The columns that are part of its topic.
    pub(in super::super) columns: Vec<String>,
    /// The member that it adds.
    pub(in super::super) id_field: Option<String>,
}

impl SinkRows {
    /// Those of a sink with this configuration.
    pub(in super::super) fn of(sink: &SinkConfig) -> Self {
        SinkRows {
            columns: topic_columns(&sink.kind),
            id_field: sink.id_field.clone(),
        }
    }
}

/// What the deployment has decided.
pub(super) struct Resolved {
    /// The stream that the rule listens to.
    pub(super) stream: StreamKey,
    /// The names of the sinks that it sends to.
    pub(super) sinks: Vec<String>,
    /// Its settings: the deployment's values, else the defaults.
    pub(super) settings: BTreeMap<String, Literal>,
}

/// Everything that the deployment decides about a rule, or everything that is wrong with it.
pub(super) fn resolve(plan: &Plan, sidecar: &Sidecar, names: &Names<'_>) -> Result<Resolved, String> {
    let mut problems = Vec::new();
    let sinks = match &sidecar.sinks {
        Some(wanted) => wanted,
        None if !plan.sinks.is_empty() => &plan.sinks,
        None => &names.rules.default_sinks,
    };
    check_sinks(sinks, sidecar, names, &mut problems);
    check_topic_columns(plan, sinks, sidecar, names, &mut problems);
    let source = sidecar.source.as_ref().or(plan.source.as_ref());
    let source = source.or(names.rules.default_source.as_ref());
    check_source(source, names, &mut problems);
    let topics = sidecar.topics.as_ref().unwrap_or(&plan.topics);
    if topics.is_empty() {
        problems.push("it listens to no topic; set topics in the rule or in the .toml file beside it".to_owned());
    }
    if sidecar.window.is_some() && plan.window.is_none() {
        problems.push("it has no window; remove window from the .toml file beside it".to_owned());
    }
    let resolved = Resolved {
        stream: StreamKey {
            role: Role::Runs,
            source: source.map(|name| Arc::from(name.as_str())),
            filters: filters(topics, &mut problems),
        },
        sinks: sinks.clone(),
        settings: settings(plan, sidecar, &mut problems),
    };
    if problems.is_empty() {
        Ok(resolved)
    } else {
        Err(problems.join("; "))
    }
}

/// Reads the text of the file beside a guest, if there is one. The error has all its problems, wrong names included.
pub(super) fn read_sidecar(
    guest: &str,
    text: Option<&str>,
    defaults: &GuestDefaults,
    names: &Names<'_>,
) -> Result<Sidecar, String> {
    let Some(text) = text else {
        return Ok(Sidecar::absent(defaults));
    };
    Sidecar::parse(text, &format!("{guest}.toml"), defaults).map_err(|bad| {
        let mut problems = vec![bad.problems.to_string().replace('\n', "; ")];
        if let Some(readable) = &bad.readable {
            problems.extend(wrong_names(readable, names));
        }
        problems.join("; ")
    })
}

/// What is wrong with the names in a file beside a rule, whatever the rule is.
fn wrong_names(sidecar: &Sidecar, names: &Names<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let sinks = sidecar.sinks.as_deref().unwrap_or_default();
    check_sinks(sinks, sidecar, names, &mut problems);
    check_source(sidecar.source.as_ref(), names, &mut problems);
    filters(sidecar.topics.as_deref().unwrap_or_default(), &mut problems);
    problems
}

fn check_source(source: Option<&String>, names: &Names<'_>, problems: &mut Vec<String>) {
    if let (Some(source), Some(known)) = (source, names.sources)
        && !known.contains(source)
    {
        let known = list(known.iter());
        problems.push(format!("its source {source} is not configured (there are: {known})"));
    }
}

fn check_sinks(wanted: &[String], sidecar: &Sidecar, names: &Names<'_>, problems: &mut Vec<String>) {
    let Some(known) = names.sinks else { return };
    let is_known = |name: &String| known.contains_key(name) || sidecar.own_sinks.contains_key(name);
    let unknown = wanted.iter().filter(|name| !is_known(name));
    for name in unknown.take(UNKNOWN_SINKS_MAX) {
        problems.push(format!(
            "its sink {name} is not configured (there are: {}); set sinks in the .toml file beside it",
            list(known.keys())
        ));
    }
}

/// A topic that needs a column needs it in every row.
fn check_topic_columns(
    plan: &Plan,
    sinks: &[String],
    sidecar: &Sidecar,
    names: &Names<'_>,
    problems: &mut Vec<String>,
) {
    let sinks: BTreeSet<&String> = sinks.iter().collect();
    for sink in sinks {
        let own = sidecar.own_sinks.get(sink).map(SinkRows::of);
        let known = names.sinks.and_then(|known| known.get(sink).cloned());
        let Some(rows) = own.or(known) else { continue };
        let emits = |name: &str| plan.emits.iter().any(|emit| emit.name == *name);
        if let Some(id) = rows.id_field.as_deref().filter(|id| emits(id)) {
            problems.push(format!(
                "its sink {sink} adds the member {id} (id_field), which it emits itself; give one of them another name"
            ));
        }
        let needed: BTreeSet<&String> = rows.columns.iter().collect();
        for column in needed {
            if !emits(column) {
                problems.push(format!(
                    "the topic of its sink {sink} needs the column {column}, which it does not emit; set sinks in the .toml file \
                     beside it"
                ));
            }
        }
    }
}

/// Those that are right, sorted, each once.
fn filters(texts: &[String], problems: &mut Vec<String>) -> Vec<TopicFilter> {
    if texts.len() > TOPICS_MAX {
        let count = texts.len();
        problems.push(format!("it may listen to {TOPICS_MAX} topic filters, got {count}"));
        return Vec::new();
    }
    let mut filters = Vec::with_capacity(texts.len());
    for text in texts {
        match TopicFilter::parse(text) {
            Ok(filter) => filters.push(filter),
            Err(error) => problems.push(format!("its topic filter {text:?}: {error}")),
        }
    }
    filters.sort();
    filters.dedup();
    filters
}

fn settings(plan: &Plan, sidecar: &Sidecar, problems: &mut Vec<String>) -> BTreeMap<String, Literal> {
    for name in sidecar.settings.keys() {
        if !plan.settings.iter().any(|setting| setting.name == *name) {
            let known: BTreeSet<String> = plan.settings.iter().map(|setting| setting.name.clone()).collect();
            problems.push(format!("it has no setting {name} (it has: {})", list(known.iter())));
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
    settings
}

/// An int for a float setting becomes a float, so that guests see the described type.
fn as_kind(value: &Literal, kind: Type) -> Literal {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a float setting has the precision of a float")]
        Literal::Int(value) if kind == Type::Float => Literal::Float(*value as f64),
        Literal::Null | Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_) => value.clone(),
    }
}

fn list<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

/// The most sinks that a refusal names: a rule may ask for any number.
const UNKNOWN_SINKS_MAX: usize = 16;

/// The most topic filters of a rule: each is compared with every new topic.
const TOPICS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::Duration;

    const TEXT: &str = "topics = [\"a/#/b\", \"a\"]\nsinks = [\"nowhere\", \"log\", \"nobody\"]\nsource = \"x\"\n";

    fn rules() -> RulesConfig {
        RulesConfig {
            dir: PathBuf::new(),
            default_sinks: vec!["log".to_owned()],
            default_source: None,
            poll_interval: Duration::from_secs(1),
        }
    }

    fn sinks(sinks: &[(&str, &[&str])]) -> BTreeMap<String, SinkRows> {
        let columns = |columns: &[&str]| SinkRows {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            id_field: None,
        };
        let sinks = sinks.iter().map(|&(name, needed)| (name.to_owned(), columns(needed)));
        sinks.collect()
    }

    fn assert_all_named(problems: &str) {
        for expected in [
            "its sink nowhere is not configured (there are: log)",
            "its sink nobody is not configured",
            "its source x is not configured (there are: listener)",
            "its topic filter \"a/#/b\": ",
        ] {
            assert!(problems.contains(expected), "{problems}");
        }
        assert!(!problems.contains("its sink log"), "{problems}");
    }

    #[test]
    fn everything_that_is_wrong_with_a_deployment_is_named_at_once() {
        let rules = rules();
        let names = Names {
            rules: &rules,
            sources: Some(&BTreeSet::from(["listener".to_owned()])),
            sinks: Some(&sinks(&[("log", &[])])),
        };
        let text = format!("{TEXT}window = \"5s\"\n[settings]\nlimit = 5\n");
        let sidecar = Sidecar::parse(&text, "r.toml", &GuestDefaults::default()).unwrap();
        let problems = resolve(
            &Plan::from_json(r#"{"name":"r","emits":[]}"#).unwrap(),
            &sidecar,
            &names,
        )
        .err()
        .unwrap();
        assert_all_named(&problems);
        assert!(problems.contains("it has no setting limit"), "{problems}");
        assert!(problems.contains("it has no window"), "{problems}");
    }

    #[test]
    fn wrong_names_are_told_together_with_what_else_is_wrong_with_the_file() {
        let rules = rules();
        let names = Names {
            rules: &rules,
            sources: Some(&BTreeSet::from(["listener".to_owned()])),
            sinks: Some(&sinks(&[("log", &[])])),
        };
        let text = format!("windw = \"1s\"\n{TEXT}");
        let problems = read_sidecar("r", Some(&text), &GuestDefaults::default(), &names).unwrap_err();
        assert!(
            problems.starts_with("r.toml:1: windw is not a known key; did you mean window?; "),
            "{problems}"
        );
        assert_all_named(&problems);
        let typed = read_sidecar("r", Some("sinks = 5"), &GuestDefaults::default(), &names).unwrap_err();
        assert!(!typed.contains("its sink"), "{typed}");
    }

    fn resolved(topics: usize) -> Result<Resolved, String> {
        let topics: Vec<String> = (0..topics).map(|number| format!("devices/{number}")).collect();
        let plan = serde_json::json!({"name": "greedy", "topics": topics, "emits": [{"name": "n", "column": 0}]});
        let plan = Plan::from_json(&plan.to_string()).unwrap();
        let rules = RulesConfig {
            default_sinks: Vec::new(),
            ..rules()
        };
        let names = Names {
            rules: &rules,
            sources: Some(&BTreeSet::new()),
            sinks: Some(&BTreeMap::new()),
        };
        resolve(&plan, &Sidecar::default(), &names)
    }

    #[test]
    fn a_rule_must_emit_what_the_topics_of_its_sinks_need() {
        let rules = RulesConfig {
            default_sinks: vec!["aws".to_owned()],
            ..rules()
        };
        let names = Names {
            rules: &rules,
            sources: Some(&BTreeSet::new()),
            sinks: Some(&sinks(&[("aws", &["device", "line"]), ("log", &["other"])])),
        };
        let plan = serde_json::json!({
            "name": "r",
            "topics": ["a"],
            "needs": [{"name": "device", "type": "text", "origin": {"field": ["d"]}}],
            "emits": [{"name": "device", "column": 0}],
        });
        let plan = Plan::from_json(&plan.to_string()).unwrap();
        let reason = resolve(&plan, &Sidecar::default(), &names).err().unwrap();
        let expected = "the topic of its sink aws needs the column line, which it does not emit; ";
        assert!(reason.starts_with(expected), "{reason}");
    }

    #[test]
    fn a_rule_may_not_emit_what_its_sink_adds() {
        let rules = RulesConfig {
            default_sinks: vec!["aws".to_owned()],
            ..rules()
        };
        let adds = SinkRows {
            columns: Vec::new(),
            id_field: Some("device".to_owned()),
        };
        let names = Names {
            rules: &rules,
            sources: Some(&BTreeSet::new()),
            sinks: Some(&BTreeMap::from([("aws".to_owned(), adds)])),
        };
        let plan = serde_json::json!({
            "name": "r",
            "topics": ["a"],
            "needs": [{"name": "device", "type": "text", "origin": {"field": ["d"]}}],
            "emits": [{"name": "device", "column": 0}],
        });
        let plan = Plan::from_json(&plan.to_string()).unwrap();
        let reason = resolve(&plan, &Sidecar::default(), &names).err().unwrap();
        assert!(reason.starts_with("its sink aws adds the member device"), "{reason}");
    }

    #[test]
    fn a_rule_that_listens_to_too_many_topics_is_refused() {
        assert_eq!(resolved(1024).unwrap().stream.filters.len(), 1024);
        let reason = resolved(1025).err().unwrap();
        assert_eq!(reason, "it may listen to 1024 topic filters, got 1025");
    }
}
