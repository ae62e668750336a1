//! Files of libraries are renamed, replaced and removed while rules use them.

use crate::common::{LISTENER, calling_lonely, config, lonely_library, reading, topic, wait_for_log};
use rulemill_tests::guests::LibraryGuest;
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get, get_json, guest, plan_guest, wait_for_async};
use rumqttc::QoS;
use serde_json::json;
use std::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_library_goes_on_under_its_new_name() {
    let (sandbox, rulemill) = start().await;
    let renamed = sandbox.path("rules.d/strings.wasm");
    std::fs::rename(sandbox.path("rules.d/text.wasm"), renamed).unwrap();
    wait_for_guests(&rulemill, &["device_temperature running", "strings running"]).await;
    let log = rulemill.log().text();
    assert!(!log.contains("already there"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_library_goes_with_its_last_user() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/mine.wasm", lonely_library().build());
    sandbox.write("rules.d/caller.wasm", plan_guest(&calling_lonely()));
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    wait_for_guests(&rulemill, &["caller running", "mine running"]).await;
    sandbox.remove("rules.d/mine.wasm");
    wait_for_log(&rulemill, "the loaded library runs on").await;
    wait_for_guests(&rulemill, &["caller running", "mine running"]).await;
    assert!(metrics(&rulemill).await.contains("library=\"mine\""));
    sandbox.remove("rules.d/caller.wasm");
    wait_for_guests(&rulemill, &[]).await;
    let metrics = metrics(&rulemill).await;
    assert!(!metrics.contains("library=\"mine\""), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_of_the_program_is_replaced_by_a_file_and_comes_back_when_that_goes() {
    let (sandbox, rulemill) = start().await;
    sandbox.remove("rules.d/text.wasm");
    wait_for_guests(&rulemill, &["built-in:text running", "device_temperature running"]).await;
    sandbox.add_guest("text.wasm");
    wait_for_guests(&rulemill, &["device_temperature running", "text running"]).await;
    sandbox.remove("rules.d/text.wasm");
    wait_for_guests(&rulemill, &["built-in:text running", "device_temperature running"]).await;
    assert!(functions(&rulemill).await.contains(&"split_value".to_owned()));
    // What nobody calls is not there.
    assert!(!functions(&rulemill).await.contains(&"sqrt".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_a_rule_prevents_is_taken_when_the_rule_has_gone() {
    let (sandbox, rulemill) = start().await;
    sandbox.replace("rules.d/text.wasm", &text_without_split_value());
    wait_for_log(&rulemill, "rules that use it would break").await;
    assert!(functions(&rulemill).await.contains(&"split_value".to_owned()));
    sandbox.remove("rules.d/device_temperature.wasm");
    wait_for_async("the new version of the library", LIMIT, async || {
        functions(&rulemill)
            .await
            .contains(&"split_valux".to_owned())
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_pipe_among_the_rules_stops_nothing() {
    let (sandbox, rulemill) = start().await;
    let made = Command::new("mkfifo").arg(sandbox.path("rules.d/pipe.wasm")).status();
    assert!(made.unwrap().success());
    wait_for_log(&rulemill, "pipe.wasm must be a regular file").await;
    sandbox.remove("rules.d/device_temperature.wasm");
    wait_for_guests(&rulemill, &["pipe stopped", "text running"]).await;
    sandbox.remove("rules.d/pipe.wasm");
    wait_for_guests(&rulemill, &["text running"]).await;
}

async fn start() -> (Sandbox, Rulemill) {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    wait_for_guests(&rulemill, &["device_temperature running", "text running"]).await;
    (sandbox, rulemill)
}

async fn metrics(rulemill: &Rulemill) -> String {
    let (_, metrics) = get(rulemill.http, "/metrics")
        .await
        .expect("rulemill serves its metrics");
    metrics
}

/// The shipped library with a function renamed: its name is in the file once, for its description and for its calls.
fn text_without_split_value() -> Vec<u8> {
    let mut wasm = std::fs::read(guest("text.wasm")).expect("a built guest can be read");
    let name = b"split_value";
    let places = wasm.windows(name.len()).enumerate();
    let found: Vec<usize> = places.filter(|(_, window)| window == name).map(|(at, _)| at).collect();
    let [at] = found[..] else {
        panic!("the name must be there once, found {} times", found.len())
    };
    wasm[at..at + name.len()].copy_from_slice(b"split_valux");
    wasm
}

async fn functions(rulemill: &Rulemill) -> Vec<String> {
    let list = get_json(rulemill.http, "/functions")
        .await
        .expect("functions are listed");
    let list = list.as_array().expect("the list is an array");
    let names = list.iter().filter_map(|function| function["name"].as_str());
    names.map(ToOwned::to_owned).collect()
}

/// Waits until exactly these guests are listed, each with its state.
async fn wait_for_guests(rulemill: &Rulemill, wanted: &[&str]) {
    wait_for_async(&format!("the guests {wanted:?}"), LIMIT, async || {
        let list = get_json(rulemill.http, "/guests").await?;
        let mut guests = Vec::new();
        for guest in list.as_array()? {
            let id = guest["id"].as_str()?;
            let status = get_json(rulemill.http, &format!("/rules/{id}/status")).await?;
            let state = status["status"].as_str()?.split([' ', ':']).next()?.to_owned();
            guests.push(format!("{id} {state}"));
        }
        guests.sort();
        (guests == wanted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_would_make_a_rule_s_call_ambiguous_is_refused_also_after_a_restart() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"1h\"");
    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    wait_for_guests(&rulemill, &["device_temperature running", "text running"]).await;
    let parameters = json!([{"name": "text", "type": "text"}, {"name": "separator", "type": "text"}, {"name": "index", "type": "int"}]);
    let other = LibraryGuest::new(&json!({
        "name": "zzz",
        "scalars": [{"name": "split_value", "parameters": parameters, "returns": "text", "volatility": "volatile"}],
    }));
    sandbox.write("rules.d/zzz.wasm", other.build());
    let wanted = ["device_temperature running", "text running", "zzz stopped"];
    wait_for_guests(&rulemill, &wanted).await;
    let status = get_json(rulemill.http, "/rules/zzz/status")
        .await
        .expect("it is listed");
    let reason = status.to_string();
    assert!(
        reason.contains("calls split_value without naming a library"),
        "{reason}"
    );

    // The rule has open windows, and would lose them if it could not be compiled any more.
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("a"), reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    publisher.flush().await;
    assert!(rulemill.stop().await.success());
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    wait_for_guests(&rulemill, &wanted).await;
    assert!(!rulemill.log().text().contains("are lost"), "{}", rulemill.log().text());
}
