//! The shipped rule with its library, hostile guests beside it, and the messages that all of them get.

use crate::common::{FILTER, LISTENER, config, reading, topic};
use rulemill_tests::{Publisher, Rulemill, Sandbox, get_json, wait_for_async};
use rumqttc::QoS;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A running rulemill in which somebody is hostile.
pub(super) struct Company {
    pub(super) rulemill: Rulemill,
    sandbox: Sandbox,
    publisher: Publisher,
    /// The temperatures that each device has sent.
    sent: BTreeMap<String, Vec<f64>>,
}

/// A rule that has a kernel compute an int of the humidity of each message and emits how many messages that gave.
pub(super) fn plan(result: &str) -> Value {
    json!({
        "name": "hostile",
        "topics": [FILTER],
        "needs": [{"name": "humidity", "type": "int", "origin": {"field": ["humidity"]}}],
        "before": [{"kernel": {"kernel": 0, "inputs": [0], "outputs": [{"name": "result", "type": result}]}}],
        "window": {"kind": "tumbling", "size_ms": 1000},
        "aggregates": [{"name": "n", "function": "count"}],
        "emits": [{"name": "hostile", "column": 2}],
    })
}

/// The type of the result in most of these plans.
pub(super) const PLAN: &str = "int";

/// A rule that calls a function of the humidity, or aggregates it, with the library `calc`.
pub(super) fn calling(function: &str, aggregate: &str) -> Value {
    let mut plan = plan(PLAN);
    let humidity = json!([{"column": 0}]);
    plan["before"] = json!([{"call": {"name": "result", "function": function, "arguments": humidity}}]);
    plan["aggregates"][0] = json!({"name": "n", "function": aggregate, "arguments": humidity});
    plan
}

/// The humidity that hostile guests look for. One message in ten has it.
pub(super) const POISON: i64 = 7717;

impl Company {
    /// Starts the shipped rule, with windows of a second, and these lines in `[limits]`.
    pub(super) async fn start(limits: &str) -> Self {
        let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
        sandbox.write("rules.d/device_temperature.toml", "window = \"1s\"");
        let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, &format!("[limits]\n{limits}")])).await;
        let publisher = Publisher::connect(rulemill.listener);
        Company {
            rulemill,
            sandbox,
            publisher,
            sent: BTreeMap::new(),
        }
    }

    /// The same with one guest that runs, called `hostile`, and that has much time: the machine may be busy.
    pub(super) async fn with(wasm: &[u8]) -> Self {
        let company = Company::start("call_timeout = \"2s\"").await;
        company.join("hostile", wasm);
        company.wait_for("hostile", "running").await;
        company
    }

    /// Drops a guest into the rules directory.
    pub(super) fn join(&self, name: &str, wasm: &[u8]) {
        self.sandbox.replace(&format!("rules.d/{name}.wasm"), wasm);
    }

    /// Sends batches of thirty messages of three devices, each when the one before is acknowledged.
    pub(super) async fn send(&mut self, batches: usize) {
        for _ in 0..batches {
            for message in 0..30_u32 {
                let humidity = if message % 10 == 5 { POISON } else { 30 };
                self.publish(message, humidity).await;
            }
            self.publisher.flush().await;
        }
    }

    /// Sends one message with this humidity.
    pub(super) async fn send_one(&mut self, humidity: i64) {
        self.publish(0, humidity).await;
        self.publisher.flush().await;
    }

    async fn publish(&mut self, message: u32, humidity: i64) {
        let device = format!("device-{}", message % 3);
        let temperature = f64::from(message) / 4.0;
        let payload = reading(temperature, humidity);
        self.publisher.publish(&topic(&device), payload, QoS::AtLeastOnce).await;
        self.sent.entry(device).or_default().push(temperature);
    }

    /// What `/rules/ID/status` says.
    pub(super) async fn status(&self, name: &str) -> Option<Value> {
        get_json(self.rulemill.http, &format!("/rules/{name}/status")).await
    }

    pub(super) async fn is_suspended(&self, name: &str) -> bool {
        self.status(name)
            .await
            .is_some_and(|found| found["status"] == "suspended")
    }

    /// Waits until a guest has this status; gives all that is said about it.
    pub(super) async fn wait_for(&self, name: &str, status: &str) -> Value {
        self.wait_until(name, &format!("to be {status}"), |found| found["status"] == status)
            .await
    }

    /// Waits until what is said about a guest is enough.
    pub(super) async fn wait_until(&self, name: &str, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        wait_for_async(&format!("{name} {what}"), LOADING_LIMIT, async || {
            self.status(name).await.filter(&enough)
        })
        .await
    }

    /// Waits until the guest has met a limit.
    pub(super) async fn wait_for_limit(&self, name: &str, limit: &str) {
        self.wait_until(name, &format!("to meet {limit}"), |found| {
            found["limit_hits_total"][limit].as_u64().is_some_and(|hits| hits > 0)
        })
        .await;
    }

    /// Stops, checks that the shipped rule has counted every message once and with its value, and gives what came of the
    /// guests beside it.
    pub(super) async fn leave(mut self) -> Aftermath {
        assert!(self.rulemill.stop().await.success(), "it stops as it should");
        let rows: Vec<Value> = self.rulemill.emissions_from(0).into_iter().flatten().collect();
        let found = Totals::of_emissions(&rows);
        assert_eq!(found, Totals::of_messages(&self.sent), "the other rule's windows");
        let dead = self.sandbox.read("dead-letter.jsonl");
        let dead = dead
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"));
        let dead: Vec<Value> = dead.collect();
        let own = dead.iter().filter(|dead| dead["rule"] == "device_temperature");
        assert_eq!(own.count(), 0, "dead letters of the other rule");
        let counts = rows.iter().filter_map(|row| row["hostile"].as_u64());
        Aftermath {
            dead,
            counted: counts.clone().sum(),
            hostile_rows: counts.count(),
        }
    }
}

/// How long loading may take, of guests that want it to take long.
const LOADING_LIMIT: Duration = Duration::from_secs(180);

/// What hostile guests left behind.
pub(super) struct Aftermath {
    /// The dead letters.
    pub(super) dead: Vec<Value>,
    /// The messages that hostile rules counted.
    pub(super) counted: u64,
    /// The rows of their results.
    pub(super) hostile_rows: usize,
}

/// The reasons of dead letters of one rule, each once, and how many there are of all.
pub(super) fn reasons<'a>(aftermath: &'a Aftermath, rule: &str) -> (usize, Vec<&'a str>) {
    let dead = aftermath.dead.iter().filter(|dead| dead["rule"] == rule);
    let mut reasons: Vec<&str> = dead.filter_map(|dead| dead["reason"].as_str()).collect();
    let count = reasons.len();
    reasons.sort_unstable();
    reasons.dedup();
    (count, reasons)
}

/// Per device: how many messages, their sum in quarters of a degree, the largest and the smallest. A second may end at any message, so
/// windows are added up.
#[derive(Debug, Default, PartialEq)]
struct Totals(BTreeMap<String, (u64, i64, i64, i64)>);

impl Totals {
    fn of_messages(sent: &BTreeMap<String, Vec<f64>>) -> Self {
        let mut totals = Totals::default();
        for (device, temperatures) in sent {
            for &temperature in temperatures {
                totals.add(device, 1, [temperature; 3]);
            }
        }
        totals
    }

    fn of_emissions(rows: &[Value]) -> Self {
        let mut totals = Totals::default();
        for row in rows.iter().filter(|row| !row["device_id"].is_null()) {
            let number = |name: &str| row[name].as_f64().expect("a number");
            let count = row["t_count"].as_u64().expect("a count");
            let device = row["device_id"].as_str().expect("a device");
            totals.add(
                device,
                count,
                [number("t_av") * number("t_count"), number("t_max"), number("t_min")],
            );
        }
        totals
    }

    fn add(&mut self, device: &str, count: u64, numbers: [f64; 3]) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the tests send small multiples of a quarter"
        )]
        let [sum, largest, smallest] = numbers.map(|number| (number * 4.0).round() as i64);
        let (counted, summed, max, min) = self.0.entry(device.to_owned()).or_insert((0, 0, i64::MIN, i64::MAX));
        *counted += count;
        *summed += sum;
        *max = largest.max(*max);
        *min = smallest.min(*min);
    }
}
