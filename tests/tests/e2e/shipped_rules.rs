//! The other shipped rules, event time, and aggregates of a library.

use crate::common::{LISTENER, WINDOW_LIMIT, config, plan_by_event_time, reading, topic};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, plan_guest, wait_for, wall_millis};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn high_temperature_tells_each_message_above_its_setting() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "high_temperature.wasm"]);
    sandbox.write("rules.d/high_temperature.toml", "[settings]\nthreshold = 30.5");
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let before = wall_millis();
    for (device, temperature) in [("a", 30.5), ("b", 31.0), ("c", -40.0), ("a", 99.25), ("b", 30.50001)] {
        publisher
            .publish(&topic(device), reading(temperature, 50), QoS::AtLeastOnce)
            .await;
    }
    let wanted = 3;
    let all = |all: &[Vec<Value>]| all.iter().flatten().count() >= wanted;
    let mut rows = rulemill.wait_for_emissions("three alerts", LIMIT, all).await.concat();
    let after = wall_millis();
    for row in &mut rows {
        let time = row
            .as_object_mut()
            .and_then(|row| row.remove("time"))
            .expect("an alert has its time");
        let time = time.as_u64().expect("the time is a number of milliseconds");
        assert!(
            (before..=after).contains(&time),
            "{time} is not between {before} and {after}"
        );
    }
    let alert =
        |device, temperature: Value| json!({"device_id": device, "temperature": temperature, "threshold": 30.5});
    assert_eq!(
        rows,
        [
            alert("b", json!(31)),
            alert("a", json!(99.25)),
            alert("b", json!(30.50001))
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comfort_computes_before_and_after_its_window() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "comfort.wasm"]);
    sandbox.write("rules.d/comfort.toml", "window = \"1d\"");
    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let messages = [
        ("attic", 30.0, 70),
        ("lonely", 20.0, 50),
        ("cellar", 10.0, 100),
        ("attic", 32.5, 70),
        ("cellar", 10.0, 0),
        ("cellar", 12.0, 100),
    ];
    for (device, temperature, humidity) in messages {
        publisher
            .publish(&topic(device), reading(temperature, humidity), QoS::AtLeastOnce)
            .await;
    }
    publisher.flush().await;

    // The window of a day ends with the process.
    assert_eq!(rulemill.stop().await.code(), Some(0));
    assert_eq!(
        rulemill.stdout().lines(),
        [concat!(
            r#"[{"device_id":"attic","dew_point":25.12,"feels":"muggy","spread":2.5,"temperature":31.25},"#,
            r#"{"device_id":"cellar","dew_point":11,"feels":"cold","spread":2,"temperature":11}]"#
        )],
        "lonely has too few messages"
    );
    let letters = sandbox.read("dead-letter.jsonl");
    assert!(letters.contains("the relative humidity must be above 0"), "{letters}");
    assert_eq!(letters.lines().count(), 1, "{letters}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_time_windows_close_by_what_messages_say() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/by_event.wasm", plan_guest(&plan_by_event_time()));
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let start = 1_700_000_000_000_i64;
    // Out of order within the lateness of a second; 11,000 closes the first window, 21,000 the second.
    let events = [
        ("a", 0, 1.0),
        ("b", 9_999, 2.0),
        ("a", 10_500, 3.0),
        ("a", 9_600, 5.0),
        ("a", 11_000, 4.0),
        ("b", 9_999, 99.0),
        ("b", 10_000, 6.0),
        ("a", 21_000, 7.0),
    ];
    for (device, at, value) in events {
        let event = json!({"device": device, "at": start + at, "value": value});
        publisher.publish("events", event.to_string(), QoS::AtLeastOnce).await;
        // One message a batch, so that the watermark moves after each of them.
        publisher.flush().await;
    }
    publisher
        .publish("events", r#"{"device": "a", "value": 1}"#, QoS::AtLeastOnce)
        .await;

    let emissions = rulemill
        .wait_for_emissions("two windows", WINDOW_LIMIT, |all| all.len() >= 2)
        .await;
    let row = |device, from: i64, count, sum| {
        let (from, until) = (start + from, start + from + 10_000);
        json!({"device": device, "from": from, "until": until, "count": count, "sum": sum})
    };
    assert_eq!(
        emissions,
        [
            [row("a", 0, 2, 6), row("b", 0, 1, 2)],
            [row("a", 10_000, 2, 7), row("b", 10_000, 1, 6)],
        ]
    );
    let letters = wait_for("the late row and the one without a time", LIMIT, || {
        let lines: Vec<String> = sandbox.read("dead-letter.jsonl").lines().map(str::to_owned).collect();
        (lines.len() >= 2).then_some(lines)
    })
    .await;
    assert!(
        letters[0].contains("\"kind\":\"late\"") && letters[0].contains("99"),
        "{letters:?}"
    );
    assert!(letters[1].contains("\"kind\":\"rejected\""), "{letters:?}");
    assert!(letters[1].contains("event time is null"), "{letters:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_of_a_library_work_like_those_of_the_host() {
    let sandbox = Sandbox::with_guests(&["stats.wasm"]);
    let mut plan = plan_by_event_time();
    let call = json!({"name": "spread", "function": "range", "library": "stats", "arguments": [{"column": 2}]});
    plan["aggregates"].as_array_mut().expect("a list").push(call);
    plan["emits"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"name": "spread", "column": 5}));
    sandbox.write("rules.d/by_event.wasm", plan_guest(&plan));
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    for (device, at, value) in [
        ("a", 0, 1.0),
        ("b", 1, 2.0),
        ("a", 2, 6.5),
        ("a", 3, -1.0),
        ("a", 11_000, 0.0),
    ] {
        let event = json!({"device": device, "at": at, "value": value});
        publisher.publish("events", event.to_string(), QoS::AtLeastOnce).await;
    }
    let emissions = rulemill
        .wait_for_emissions("a window", WINDOW_LIMIT, |all| !all.is_empty())
        .await;
    let spreads: Vec<&Value> = emissions[0].iter().map(|row| &row["spread"]).collect();
    assert_eq!(spreads, [&json!(7.5), &json!(0)]);
}
