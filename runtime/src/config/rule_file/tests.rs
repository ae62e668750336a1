use super::{RuleFile, RuleTiming, with_triggered};
use crate::config::{GuestDefaults, Sidecar, SinkFormat, SinkKind, SinkQueue};
use std::time::Duration;

fn parse(text: &str) -> RuleFile {
    RuleFile::parse(text).unwrap_or_else(|reason| panic!("{reason}\n{text}"))
}

fn sidecar(text: &str) -> Sidecar {
    let file = parse(text);
    let sidecar = Sidecar::parse(&file.sidecar(None), "r.toml", &GuestDefaults::default());
    sidecar.unwrap_or_else(|bad| panic!("{}\n{}", bad.problems, file.sidecar(None)))
}

fn reason(text: &str) -> String {
    RuleFile::parse(text).expect_err("it must be refused")
}

#[test]
fn actions_become_sinks_of_the_rule() {
    let sidecar = sidecar(
        r#"{"id": "r", "sql": "SELECT * FROM demo", "actions": [
            {"log": {}},
            {"mqtt": {"server": "tcp://127.0.0.1:1883", "topic": "result/{{.device_id}}/x", "qos": "0", "clientId": "demo_001",
                      "retained": true, "sendSingle": true, "enableCache": true, "protocolVersion": "3.1.1"}},
            {"rest": {"url": "http://127.0.0.1:1/a", "method": "post", "timeout": 5000, "headers": {"X-A": "b"}}},
            {"file": {"path": "out/results.jsonl", "rollingSize": 8192, "fileType": "lines"}},
            {"mqtt": {"server": "tcp://127.0.0.1:1884", "topic": "again"}}
        ]}"#,
    );
    let names: Vec<&String> = sidecar.own_sinks.keys().collect();
    assert_eq!(names, ["r.file", "r.log", "r.mqtt", "r.mqtt-2", "r.rest"]);
    assert_eq!(sidecar.sinks.as_ref().map(Vec::len), Some(5));
    let mqtt = &sidecar.own_sinks["r.mqtt"];
    assert_eq!((mqtt.format, mqtt.queue), (SinkFormat::Single, SinkQueue::Disk));
    let SinkKind::Mqtt(config) = &mqtt.kind else {
        panic!("{mqtt:?}")
    };
    assert_eq!(
        (
            config.topic.as_str(),
            config.qos,
            config.retain,
            config.client_id.as_str()
        ),
        ("result/{device_id}/x", 0, true, "demo_001")
    );
    let SinkKind::Mqtt(second) = &sidecar.own_sinks["r.mqtt-2"].kind else {
        panic!("{sidecar:?}")
    };
    assert!(second.client_id.ends_with("-sink-r.mqtt-2"), "{}", second.client_id);
    let SinkKind::Http(http) = &sidecar.own_sinks["r.rest"].kind else {
        panic!("{sidecar:?}")
    };
    assert_eq!(
        (http.timeout, http.headers["X-A"].as_str()),
        (Duration::from_secs(5), "b")
    );
    let SinkKind::File(file) = &sidecar.own_sinks["r.file"].kind else {
        panic!("{sidecar:?}")
    };
    assert_eq!(file.rotate_bytes, 8192);
}

#[test]
fn a_rule_may_send_nothing_and_be_stopped() {
    let text = r#"{"sql": "SELECT * FROM demo", "actions": [{"nop": {"log": true}}], "triggered": false}"#;
    let stopped = sidecar(text);
    assert_eq!((stopped.sinks, stopped.stopped), (Some(Vec::new()), true));
    let started = with_triggered(text, true).unwrap();
    assert!(!sidecar(&started).stopped);
}

#[test]
fn a_file_beside_the_rule_adds_what_the_rule_cannot_say() {
    let file = parse(r#"{"sql": "SELECT * FROM demo", "actions": [{"log": {}}], "triggered": false}"#);
    let beside = "probation = \"0s\"\n[limits]\ngroups_max = 7\n[sink.extra]\ntype = \"log\"";
    let text = file.sidecar(Some(beside));
    let both =
        Sidecar::parse(&text, "r.toml", &GuestDefaults::default()).unwrap_or_else(|bad| panic!("{}", bad.problems));
    assert_eq!((both.stopped, both.limits.groups_max), (true, 7));
    assert_eq!(both.sinks, Some(vec!["r.extra".to_owned(), "r.log".to_owned()]));
}

#[test]
fn options_say_which_time_counts() {
    let with = |options: &str| {
        let text = format!(r#"{{"sql": "SELECT * FROM demo", "actions": [{{"log": {{}}}}], "options": {options}}}"#);
        parse(&text).timing
    };
    assert_eq!(with("{}"), RuleTiming::Arrival);
    assert_eq!(with(r#"{"qos": 1, "lateTolerance": 5}"#), RuleTiming::Arrival);
    for late in ["1500", "\"1500\"", "\"1500ms\"", "\"1s 500ms\""] {
        let options = format!(r#"{{"isEventTime": true, "lateTolerance": {late}}}"#);
        assert_eq!(with(&options), RuleTiming::Event(Duration::from_millis(1500)), "{late}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let reason = reason(
        r#"{"sq": 1, "actions": [{"lgo": {}}, {"mqtt": {"server": "tcp://h", "topic": "{{json .}}", "qoss": 1, "qos": -1,
            "insecureSkipVerify": true, "dataTemplate": "x", "protocolVersion": "5"}}, {"memory": {}}, 5, {"file": []}],
            "options": {"isEventTime": 3, "isEvenTime": true}}"#,
    );
    for part in [
        "sq is not a known key; did you mean sql?",
        "options.isEvenTime is not a known key; did you mean isEventTime?",
        "options.isEventTime must be true or false",
        "actions[0].lgo is not a known action; did you mean log?",
        "actions[1].mqtt.qoss is not a known key; did you mean qos?",
        "actions[1].mqtt.topic may have {{.name}} for members",
        "actions[1].mqtt.qos must be a whole number, got -1",
        "actions[1].mqtt.insecureSkipVerify is not supported: name the authority",
        "actions[1].mqtt.protocolVersion may only be \"3.1.1\", got \"5\"",
        "actions[1].mqtt.dataTemplate is not supported",
        "actions[2].memory is not supported",
        "actions[3] must be an object",
        "actions[4].file must be an object",
        "sql must be there: the query",
    ] {
        assert!(reason.contains(part), "{part} is not in:\n{reason}");
    }
}

#[test]
fn what_is_no_rule_is_refused_with_the_reason() {
    for (text, part) in [
        ("{", "it is not JSON"),
        ("[]", "must be a JSON object"),
        (r#"{"sql": "SELECT 1"}"#, "actions must be there"),
        (r#"{"graph": {}, "actions": []}"#, "a graph is not supported"),
        (r#"{"sql": [], "actions": []}"#, "sql must be a text"),
    ] {
        assert!(reason(text).contains(part), "{text}: {}", reason(text));
    }
}
