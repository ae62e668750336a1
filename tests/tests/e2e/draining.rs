//! Rules whose files are gone and whose last windows are open.

use crate::common::{LISTENER, config, plan_by_event_time};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get, get_json, plan_guest, wait_for_async, wall_millis};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_rule_is_shown_as_draining_until_its_last_window_is_emitted() {
    let mut story = Story::start().await;
    story.sandbox.remove("rules.d/by_event.wasm");
    story.wait_for_status("draining").await;
    // What belongs into the window is taken, and counted.
    story.publish(0).await;
    story.wait_for_rows_in(2.0).await;
    story.wait_for_the_end().await;
    assert_eq!(story.rulemill.emissions_from(0)[0][0]["count"], 2);
    let (_, metrics) = get(story.rulemill.http, "/metrics").await.unwrap();
    assert!(!metrics.contains("by_event"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_comes_back_while_it_drains_goes_on_with_its_window_and_its_counts() {
    let mut story = Story::start().await;
    story.sandbox.remove("rules.d/by_event.wasm");
    story.wait_for_status("draining").await;
    story.publish(0).await;
    story.wait_for_rows_in(2.0).await;
    story.add_rule();
    story.wait_for_status("running").await;
    story.wait_for_rows_in(2.0).await;
    story.publish(0).await;
    // It is there to stay again: the window waits for a message from behind its end.
    story.publish(60_000).await;
    let emissions = story
        .rulemill
        .wait_for_emissions("the window", LIMIT, |all| !all.is_empty())
        .await;
    assert_eq!(emissions[0][0]["count"], 3);
    story.wait_for_rows_in(4.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_stays_until_the_last_window_that_needs_it() {
    let mut plan = plan_by_event_time();
    plan["before"] = json!([{"call": {"name": "loud", "function": "upper", "arguments": [{"column": 0}]}}]);
    plan["keys"] = json!([3]);
    let mut story = Story::start_with(&["text.wasm"], &plan).await;
    for file in ["text.wasm", "by_event.wasm"] {
        story.sandbox.remove(&format!("rules.d/{file}"));
    }
    story.wait_for_status("draining").await;
    story.publish(0).await;
    story.wait_for_rows_in(2.0).await;
    story.wait_for_the_end().await;
    let emissions = story.rulemill.emissions_from(0);
    assert_eq!(emissions[0][0]["device"], "A");
    assert_eq!(emissions[0][0]["count"], 2);
}

/// A rule with an open window that ends some seconds from now.
struct Story {
    sandbox: Sandbox,
    rulemill: Rulemill,
    publisher: Publisher,
    plan: Value,
    /// A time in the window, in milliseconds.
    at: u64,
}

impl Story {
    async fn start() -> Self {
        Self::start_with(&[], &plan_by_event_time()).await
    }

    async fn start_with(guests: &[&str], plan: &Value) -> Self {
        let sandbox = Sandbox::with_guests(guests);
        sandbox.write("rules.d/by_event.toml", "window = \"5s\"");
        sandbox.write("rules.d/by_event.wasm", plan_guest(plan));
        let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
        let publisher = Publisher::connect(rulemill.listener);
        let mut story = Story {
            sandbox,
            rulemill,
            publisher,
            plan: plan.clone(),
            at: wall_millis() / 5000 * 5000 + 5000,
        };
        story.publish(0).await;
        story.wait_for_rows_in(1.0).await;
        story
    }

    fn add_rule(&self) {
        self.sandbox.replace("rules.d/by_event.wasm", &plan_guest(&self.plan));
    }

    /// Publishes a message whose time is so many milliseconds after the begin of the window.
    async fn publish(&mut self, after: u64) {
        let event = json!({"device": "a", "at": self.at + after, "value": 1.0});
        self.publisher
            .publish("events", event.to_string(), QoS::AtLeastOnce)
            .await;
        self.publisher.flush().await;
    }

    /// Waits until the rule has had so many messages; it never had more.
    async fn wait_for_rows_in(&self, rows: f64) {
        wait_for_async(&format!("{rows} rows"), LIMIT, async || {
            let found = self.rulemill.metric("rulemill_rule_rows_in_total", &["by_event"]).await;
            assert!(found <= rows, "{found} rows");
            (found >= rows).then_some(())
        })
        .await;
    }

    async fn wait_for_status(&self, status: &str) {
        wait_for_async(&format!("the status {status}"), LIMIT, async || {
            let list = get_json(self.rulemill.http, "/guests").await?;
            let mut rules = list.as_array()?.iter();
            let rule = rules.find(|rule| rule["id"] == "by_event")?;
            (rule["status"] == status).then_some(())
        })
        .await;
    }

    /// Waits until no guest is left, and for its emission, which has left before it.
    async fn wait_for_the_end(&self) {
        wait_for_async("the end of the rule", LIMIT, async || {
            let list = get_json(self.rulemill.http, "/guests").await?;
            // A library of the program that has taken over stays.
            let mut ids = list.as_array()?.iter().filter_map(|guest| guest["id"].as_str());
            ids.all(|id| id.starts_with("built-in:")).then_some(())
        })
        .await;
        self.rulemill
            .wait_for_emissions("its emission", LIMIT, |all| all.len() == 1)
            .await;
    }
}
