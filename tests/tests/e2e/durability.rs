//! Nothing that was acknowledged is lost: the process is killed or stopped in the middle of windows, and goes on.

use crate::common::{LISTENER, config, counts, reading, topic, wait_for_log, window_boundary};
use rulemill_tests::{
    Access, LIMIT, Mosquitto, Publisher, Rulemill, Sandbox, Subscriber, guest, run_to_end, wait_for, wait_for_async,
};
use rumqttc::QoS;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Windows are kept over a stop; a checkpoint is taken often.
const KEPT: &str = "[data]\non_stop = \"keep\"\ncheckpoint_interval = \"100ms\"\n";

/// The results go to a file, for standard output ends with each process.
const OUT: &str = "[sink.out]\ntype = \"file\"\npath = \"out.jsonl\"\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"10s\"");
    sandbox
}

fn to_file(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().chain([LISTENER, OUT]).collect();
    config(&parts).replace("[rules]", "[rules]\ndefault_sinks = [\"out\", \"log\"]")
}

/// The emissions of all processes so far.
fn emitted(sandbox: &Sandbox) -> Vec<Vec<Value>> {
    let text = sandbox.read("out.jsonl");
    let rows = text.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>().expect("the sink writes JSON")
}

async fn send(rulemill: &Rulemill, devices: &[&str]) {
    let mut publisher = Publisher::connect(rulemill.listener);
    for device in devices {
        publisher
            .publish(&topic(device), reading(20.5, 12), QoS::AtLeastOnce)
            .await;
    }
    publisher.flush().await;
}

/// Waits until the windows so far are emitted; gives all rows of these devices.
async fn wait_for_counts(sandbox: &Sandbox, devices: &[&str], total: u64) -> Vec<Vec<Value>> {
    wait_for("the windows", LIMIT, || {
        let emissions = emitted(sandbox);
        let counts = counts(&emissions);
        let sum: u64 = devices.iter().filter_map(|device| counts.get(*device)).sum();
        (sum >= total).then_some(emissions)
    })
    .await
}

/// Begins right after a window has, so that what follows falls into one.
async fn at_a_boundary(rulemill: &Rulemill) {
    let mut publisher = Publisher::connect(rulemill.listener);
    window_boundary(&mut publisher, rulemill, "boundary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_in_its_window_after_the_process_was_killed() {
    let sandbox = sandbox();
    // Once from records of the journal alone, once mostly from checkpoints.
    for (round, data) in ["[data]\non_stop = \"keep\"\n", KEPT].into_iter().enumerate() {
        let devices = [format!("a{round}"), format!("b{round}")];
        let [first, second] = [devices[0].as_str(), devices[1].as_str()];
        let text = to_file(&[data]);
        let mut rulemill = Rulemill::start(&sandbox, &text).await;
        at_a_boundary(&rulemill).await;
        send(&rulemill, &[first, first, second]).await;
        if round == 1 {
            let before = rulemill.metric("rulemill_journal_checkpoints_total", &[]).await;
            wait_for_async("a checkpoint", LIMIT, async || {
                let taken = rulemill.metric("rulemill_journal_checkpoints_total", &[]).await;
                (taken >= before + 2.0).then_some(())
            })
            .await;
        }
        rulemill.kill().await;

        let mut rulemill = Rulemill::start(&sandbox, &text).await;
        assert!(
            rulemill.log().text().contains("open windows go on"),
            "{}",
            rulemill.log().text()
        );
        send(&rulemill, &[first, second, second]).await;
        let emissions = wait_for_counts(&sandbox, &[first, second], 6).await;
        let counted = counts(&emissions);
        assert_eq!((counted[first], counted[second]), (3, 3));
        let with_first = emissions
            .iter()
            .filter(|rows| rows.iter().any(|row| row["device_id"] == first));
        assert!(with_first.count() <= 2, "the window went on, or the next one had begun");
        rulemill.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_windows_go_on_after_a_stop() {
    let sandbox = sandbox();
    let text = to_file(&[KEPT]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    at_a_boundary(&rulemill).await;
    let before = emitted(&sandbox).len();
    send(&rulemill, &["a", "a"]).await;
    assert_eq!(rulemill.stop().await.code(), Some(0));
    assert_eq!(emitted(&sandbox).len(), before, "nothing is emitted early");

    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    send(&rulemill, &["a"]).await;
    let emissions = wait_for_counts(&sandbox, &["a"], 3).await;
    assert_eq!(counts(&emissions)["a"], 3);
    rulemill.stop().await;
}

/// A replay runs the code that ran, not what lies in the directory by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_whose_file_went_while_nothing_ran_still_gives_its_windows() {
    let sandbox = sandbox();
    let text = to_file(&["[data]\non_stop = \"keep\"\n"]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    at_a_boundary(&rulemill).await;
    send(&rulemill, &["a", "b"]).await;
    rulemill.kill().await;
    sandbox.remove("rules.d/device_temperature.wasm");
    sandbox.remove("rules.d/text.wasm");

    let rulemill = Rulemill::start(&sandbox, &text).await;
    wait_for_log(&rulemill, "finishes the windows that it had open").await;
    let emissions = wait_for_counts(&sandbox, &["a", "b"], 2).await;
    assert_eq!(counts(&emissions)["a"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sink_has_not_delivered_waits_on_disk_and_keeps_its_ids() {
    let sandbox = sandbox();
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let away = "[sink.cloud]\ntype = \"mqtt\"\nserver = \"tcp://127.0.0.1:9\"\ntopic = \"out\"\nid_field = \"id\"\n";
    let there = away.replace("tcp://127.0.0.1:9", &broker.tcp_url());
    let with = |sink: &str| {
        let text = config(&[LISTENER, KEPT, sink]);
        text.replace("[rules]", "[rules]\ndefault_sinks = [\"cloud\", \"log\"]")
    };
    let mut rulemill = Rulemill::start(&sandbox, &with(away)).await;
    at_a_boundary(&rulemill).await;
    rulemill.kill().await;

    let subscriber = Subscriber::connect(&broker, "out").await;
    let mut rulemill = Rulemill::start(&sandbox, &with(&there)).await;
    let payloads = subscriber.wait_for_payloads(1, LIMIT).await;
    let rows: Vec<Value> = serde_json::from_str(&payloads[0]).unwrap();
    assert_eq!(rows[0]["device_id"], "boundary");
    let id = rows[0]["id"].as_str().unwrap();
    assert!(id.len() == 34 && id.ends_with("-0"), "{id}");
    assert_eq!(rulemill.stop().await.code(), Some(0));
}

fn files_of(sandbox: &Sandbox, folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.path(folder)).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_checkpoint_is_named_and_the_one_before_it_serves() {
    let sandbox = sandbox();
    let text = to_file(&[KEPT]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    at_a_boundary(&rulemill).await;
    send(&rulemill, &["a"]).await;
    assert_eq!(rulemill.stop().await.code(), Some(0));
    let newest = files_of(&sandbox, "data/checkpoints")
        .into_iter()
        .rfind(|path| path.extension().is_some_and(|extension| extension == "checkpoint"))
        .unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&newest, bytes).unwrap();

    let rulemill = Rulemill::start(&sandbox, &text).await;
    wait_for_log(&rulemill, "a checkpoint cannot be used; the one before it is").await;
    let emissions = wait_for_counts(&sandbox, &["a"], 1).await;
    assert_eq!(counts(&emissions)["a"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_later_version_are_refused_and_left_alone() {
    let sandbox = sandbox();
    let text = to_file(&[KEPT]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    send(&rulemill, &["a"]).await;
    rulemill.kill().await;
    let log = files_of(&sandbox, "data/journal").remove(0);
    let mut bytes = fs::read(&log).unwrap();
    // The version, and the checksum of the header, which holds for all versions.
    bytes[8] = 9;
    let crc = crc32c(&bytes[..24]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    fs::write(&log, &bytes).unwrap();

    let ended = run_to_end(&sandbox, "run", &text).await;

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("has format 9"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("use the version that wrote it"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read(&log).unwrap(), bytes);
}

/// Bit by bit, as this happens once.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_came_and_was_not_in_a_checkpoint_runs_in_the_replay() {
    let sandbox = sandbox();
    let text = to_file(&["[data]\non_stop = \"keep\"\ncheckpoint_interval = \"10m\"\n"]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    at_a_boundary(&rulemill).await;
    send(&rulemill, &["a"]).await;
    // The same code with another identity, and then another window, which is another layout.
    let same = [fs::read(guest("device_temperature.wasm")).unwrap(), vec![0, 2, 1, b'x']].concat();
    sandbox.replace("rules.d/device_temperature.wasm", &same);
    wait_for_log(&rulemill, "open windows go on").await;
    send(&rulemill, &["a"]).await;
    rulemill.kill().await;

    let rulemill = Rulemill::start(&sandbox, &text).await;
    send(&rulemill, &["a"]).await;
    let emissions = wait_for_counts(&sandbox, &["a"], 3).await;
    assert_eq!(counts(&emissions)["a"], 3);
    assert!(!rulemill.log().text().contains("ERROR"), "{}", rulemill.log().text());
}
