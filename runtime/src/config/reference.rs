//! The reference page of the configuration, `docs/config.md`, from the declared keys and the defaults.

use super::defaults::Defaults;
use super::node::{Table, Value};
use super::raw::{
    RawData, RawDeadLetter, RawFileSink, RawHttp, RawHttpSink, RawLimits, RawListener, RawMqttSink, RawReload,
    RawRuleLimits, RawRules, RawSidecar, RawSink, RawSource, RawTop,
};
use super::section::Key;
use std::fmt::Write;

/// The page as Markdown.
pub fn reference() -> String {
    let defaults = Defaults::read();
    let mut page = INTRODUCTION.to_owned();
    let mut add = |title: &str, about, keys, table| section(&mut page, title, about, keys, table);
    add("Top level", RawTop::ABOUT, RawTop::KEYS, Some(defaults.top()));
    add("`[rules]`", RawRules::ABOUT, RawRules::KEYS, defaults.section("rules"));
    add("`[data]`", RawData::ABOUT, RawData::KEYS, defaults.section("data"));
    let source = defaults.template("source");
    add("`[source.NAME]`", RawSource::ABOUT, RawSource::KEYS, source);
    let listener = defaults.template("listener");
    add("`[listener]`", RawListener::ABOUT, RawListener::KEYS, listener);
    add(
        "`[sink.NAME]`",
        RawSink::ABOUT,
        RawSink::KEYS,
        defaults.template("sink"),
    );
    let file = defaults.template("sink_file");
    add(
        "`[sink.NAME]` of type `file`",
        RawFileSink::ABOUT,
        RawFileSink::KEYS,
        file,
    );
    let http = defaults.template("sink_http");
    add(
        "`[sink.NAME]` of type `http`",
        RawHttpSink::ABOUT,
        RawHttpSink::KEYS,
        http,
    );
    let mqtt = defaults.template("sink_mqtt");
    add(
        "`[sink.NAME]` of type `mqtt`",
        RawMqttSink::ABOUT,
        RawMqttSink::KEYS,
        mqtt,
    );
    aws(&mut page, defaults.template("sink_mqtt_aws"));
    let mut add = |title: &str, about, keys, table| section(&mut page, title, about, keys, table);
    let dead_letter = defaults.section("dead_letter");
    add(
        "`[dead_letter]`",
        RawDeadLetter::ABOUT,
        RawDeadLetter::KEYS,
        dead_letter,
    );
    add("`[http]`", RawHttp::ABOUT, RawHttp::KEYS, defaults.template("http"));
    add(
        "`[reload]`",
        RawReload::ABOUT,
        RawReload::KEYS,
        defaults.section("reload"),
    );
    add(
        "`[limits]`",
        RawLimits::ABOUT,
        RawLimits::KEYS,
        defaults.section("limits"),
    );
    add("Beside a rule", RawSidecar::ABOUT, RawSidecar::KEYS, None);
    add(
        "Beside a rule: `[limits]`",
        RawRuleLimits::ABOUT,
        RawRuleLimits::KEYS,
        None,
    );
    page
}

fn section(page: &mut String, title: &str, about: &[&str], keys: &[Key], defaults: Option<&Table>) {
    let _ = write!(page, "\n## {title}\n\n{}\n\n", joined(about));
    page.push_str("| key | default | meaning | value |\n|---|---|---|---|\n");
    for key in keys {
        let default = defaults.and_then(|table| table.get(key.name));
        let default = default.map_or(String::new(), |node| format!("`{}`", shown(&node.value)));
        let _ = writeln!(
            page,
            "| `{}` | {default} | {} | {} |",
            key.name,
            joined(key.doc),
            key.expected
        );
    }
}

fn aws(page: &mut String, defaults: Option<&Table>) {
    page.push_str(AWS);
    for (key, node) in defaults.into_iter().flatten() {
        let _ = writeln!(page, "- `{key} = {}`", shown(&node.value));
    }
}

fn joined(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ").replace('|', "\\|")
}

fn shown(value: &Value) -> String {
    match value {
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|node| shown(&node.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(_) => "{}".to_owned(),
        Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => value.to_string(),
    }
}

const INTRODUCTION: &str = r#"# Configuration

<!-- Made from runtime/src/config/raw.rs and default.toml: BLESS=1 cargo test -p rulemill reference -->

One TOML file, given as `rulemill run --config FILE`. `rulemill validate --config FILE` lists everything that is wrong
with it, each with its line, and `--print-effective` shows what is in force with all defaults, without secrets. With a
wrong configuration rulemill does not start and exits with code 78.

```toml
[source.default]
server = "tcp://127.0.0.1:1883"

[sink.cloud]
type = "mqtt"
server = "ssl://HOST:8883"
topic = "devices/result"
cert = "certificate.pem.crt"
key = "private.pem.key"

[rules]
default_sinks = ["log", "cloud"]
```

- There must be something to read from: at least one `[source.NAME]`, or `[listener]`.
- A relative path is relative to the folder of the file.
- `${VARIABLE}` in a text stands for that environment variable; `$${` for a plain `${`.
- The environment variable `RULEMILL__SECTION__KEY` sets one key, `RULEMILL__SINK__CLOUD__SERVER` for example that of
  `[sink.cloud]`; a list is given as `a, b`. It wins over the file.
- Two connections to one broker may not have the same `client_id`: the broker would disconnect each for the other.
  The default contains the machine's name, so set it where that name changes at every start, as in many containers.
- A source whose topic filters overlap in part connects several times: as `CLIENT_ID`, `CLIENT_ID-2` and so on, up to
  `CLIENT_ID-8`. A broker that knows its clients by name must allow these too.
- Certificates and keys are read and checked at start. A private key that others than its owner can read is refused.
- SIGHUP reads the file again. When it is wrong, what runs goes on.
"#;

const AWS: &str = "\nWhen the server is AWS IoT Core (a name that ends in `.amazonaws.com` or `.amazonaws.com.cn`), its limits are checked: \
QoS 0 or 1, port 8883 or 443, a client certificate or credentials, a client id of at most 128 bytes that does not begin \
with `$`, a topic of at most 256 bytes and 7 slashes (not counting `$aws/rules/NAME/`), at most 90 publishes in flight \
and 128 KiB a payload. Defaults there:\n\n";

#[cfg(test)]
mod tests {
    use super::reference;
    use crate::config::tests::blessing;

    #[test]
    fn the_reference_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/config.md");
        if blessing() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == reference(),
            "docs/config.md is stale: run this test with BLESS=1"
        );
    }

    #[test]
    fn every_default_belongs_to_a_key_of_the_page() {
        let page = reference();
        let defaults: toml::Table = include_str!("default.toml").parse().unwrap();
        let mut keys = Vec::new();
        collect(&defaults, &mut keys);
        assert!(keys.len() > 30, "{keys:?}");
        for key in keys {
            assert!(
                page.contains(&format!("| `{key}` |")),
                "{key} has a default and no meaning"
            );
        }
    }

    fn collect(table: &toml::Table, keys: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) if !inner.is_empty() => collect(inner, keys),
                _ => keys.push(key.clone()),
            }
        }
    }
}
