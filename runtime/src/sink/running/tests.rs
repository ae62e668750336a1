use super::*;
use crate::config::{FileSinkConfig, MqttSinkConfig, OnFull, ServerAddress, SinkFormat};
use crate::sink::outbox::Sequence;
use crate::sink::test::{dead_letters, emission};
use std::path::Path;

const PATIENCE: Duration = Duration::from_secs(30);

fn config(kind: SinkKind) -> SinkConfig {
    SinkConfig {
        kind,
        format: SinkFormat::Array,
        queue_bytes_max: 1 << 20,
        on_full: OnFull::Block,
        queue: SinkQueue::Memory,
        id_field: None,
    }
}

/// It is never rotated: a test may push many lines while it waits.
fn file(folder: &Path, name: &str) -> SinkConfig {
    config(SinkKind::File(FileSinkConfig {
        path: folder.join(name),
        rotate_bytes: 1 << 40,
        keep: 1,
    }))
}

/// A broker that takes connections and never says a word.
async fn silent_broker() -> (tokio::net::TcpListener, SinkConfig) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = config(SinkKind::Mqtt(MqttSinkConfig {
        server: ServerAddress {
            host: "127.0.0.1".to_owned(),
            port,
            tls: false,
        },
        topic: "t".to_owned(),
        qos: 1,
        retain: false,
        client_id: "c".to_owned(),
        credentials: None,
        tls: None,
        keep_alive: PATIENCE,
        inflight_max: 10,
        payload_bytes_max: 1000,
        publishes_per_second_max: None,
        bytes_per_second_max: None,
    }));
    (listener, config)
}

fn start(folder: &Path, configs: &[(&str, SinkConfig)]) -> Sinks {
    let own = BTreeMap::new();
    Sinks::start(
        &named(configs),
        &own,
        SinkMetrics::default(),
        dead_letters(folder),
        folder,
    )
    .unwrap()
}

fn named(configs: &[(&str, SinkConfig)]) -> BTreeMap<String, SinkConfig> {
    configs
        .iter()
        .map(|(name, config)| ((*name).to_owned(), config.clone()))
        .collect()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[tokio::test]
async fn draining_delivers_what_was_pushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut sinks = start(path, &[("a", file(path, "a.jsonl")), ("b", file(path, "b.jsonl"))]);
    sinks.handle("a").unwrap().push(emission("1"));
    sinks.handle("b").unwrap().push(emission("2"));
    sinks.handle("b").unwrap().push(emission("3"));
    assert!(sinks.handle("c").is_none());
    assert_eq!(sinks.drain(clock::pass(PATIENCE)).await, []);
    assert_eq!(read(path, "a.jsonl"), "[{\"name\":\"1\"}]\n");
    assert_eq!(read(path, "b.jsonl"), "[{\"name\":\"2\"}]\n[{\"name\":\"3\"}]\n");
}

#[tokio::test]
async fn draining_ends_when_the_time_is_over_and_says_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (_listener, broker) = silent_broker().await;
    let mut sinks = start(path, &[("cloud", broker), ("disk", file(path, "a.jsonl"))]);
    let handle = sinks.handle("cloud").unwrap();
    assert_eq!(handle.push(emission("1")), Pushed::Queued);
    let left = sinks.drain(std::future::ready(())).await;
    let expect = Undelivered {
        sink: "cloud".to_owned(),
        emissions: 1,
        kept: 0,
    };
    assert_eq!(left, [expect]);
    assert_eq!(handle.push(emission("2")), Pushed::Closed);
}

#[tokio::test]
async fn a_changed_sink_keeps_its_queue_and_its_handles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (listener, broker) = silent_broker().await;
    let mut sinks = start(path, &[("x", broker), ("same", file(path, "same.jsonl"))]);
    let handle = sinks.handle("x").unwrap();
    handle.push(emission("1"));
    let _connection = listener.accept().await.unwrap();

    let configs = named(&[("x", file(path, "x.jsonl")), ("same", file(path, "other.jsonl"))]);
    let changes = NameChanges {
        changed: ["x".to_owned()].into(),
        ..NameChanges::default()
    };
    assert!(sinks.reload(&configs, &changes).await.is_empty());
    sinks.remove(&changes.removed, PATIENCE);

    handle.push(emission("2"));
    sinks.handle("same").unwrap().push(emission("3"));
    assert_eq!(sinks.drain(clock::pass(PATIENCE)).await, []);
    assert_eq!(read(path, "x.jsonl"), "[{\"name\":\"1\"}]\n[{\"name\":\"2\"}]\n");
    assert_eq!(read(path, "same.jsonl"), "[{\"name\":\"3\"}]\n");
}

#[tokio::test]
async fn sinks_are_added_and_removed_and_a_removed_one_is_drained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut sinks = start(path, &[("old", file(path, "old.jsonl"))]);
    let old = sinks.handle("old").unwrap();
    old.push(emission("1"));
    let changes = NameChanges {
        added: ["new".to_owned()].into(),
        removed: ["old".to_owned()].into(),
        ..NameChanges::default()
    };
    let configs = named(&[("new", file(path, "new.jsonl"))]);
    assert!(sinks.reload(&configs, &changes).await.is_empty());
    sinks.remove(&changes.removed, PATIENCE);
    assert!(sinks.handle("old").is_none());
    sinks.handle("new").unwrap().push(emission("2"));
    // The old sink closes in the background.
    timeout(PATIENCE, async {
        while old.push(emission("late")) != Pushed::Closed {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(read(path, "old.jsonl").starts_with("[{\"name\":\"1\"}]\n"));
    assert_eq!(sinks.drain(clock::pass(PATIENCE)).await, []);
    assert_eq!(read(path, "new.jsonl"), "[{\"name\":\"2\"}]\n");
}

#[tokio::test]
async fn a_checkpoint_waits_for_ever_only_for_a_queue_that_never_drops() {
    let (_listener, broker) = silent_broker().await;
    let stuck = |on_full| {
        let config = SinkConfig {
            on_full,
            ..broker.clone()
        };
        let outbox = Arc::new(Outbox::new(&config, SinkMetrics::default().of(&Arc::from("x"))));
        outbox.push(emission("1"), clock::monotonic());
        let mark = outbox.mark();
        Marks(vec![("x".to_owned(), outbox, mark)])
    };
    assert!(stuck(OnFull::DropOldest).settled(Duration::ZERO).await);
    let blocks = stuck(OnFull::Block);
    let (_, outbox, _) = &blocks.0[0];
    let outbox = Arc::clone(outbox);
    let mut settling = std::pin::pin!(blocks.settled(Duration::ZERO));
    // It is not ready, however often it is asked.
    for _ in 0..3 {
        tokio::select! {
            biased;
            _ = settling.as_mut() => panic!("it was not waited for"),
            () = tokio::task::yield_now() => {}
        }
    }
    let (sequence, _) = outbox.next(Sequence::START).unwrap();
    outbox.done(sequence);
    assert!(settling.await);
}

#[tokio::test]
async fn a_sink_that_comes_back_goes_on_with_the_queue_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (_listener, mut broker) = silent_broker().await;
    broker.queue = SinkQueue::Disk;
    let mut sinks = start(path, &[("x", broker)]);
    sinks.handle("x").unwrap().push(emission("1"));
    sinks.remove(&["x".to_owned()], PATIENCE);
    let back = SinkConfig {
        queue: SinkQueue::Disk,
        ..file(path, "x.jsonl")
    };
    let changes = NameChanges {
        added: ["x".to_owned()].into(),
        ..NameChanges::default()
    };
    // The one before would wait for its broker for as long as it may.
    assert!(sinks.reload(&named(&[("x", back)]), &changes).await.is_empty());
    sinks.handle("x").unwrap().push(emission("2"));
    assert_eq!(sinks.drain(clock::pass(PATIENCE)).await, []);
    assert_eq!(read(path, "x.jsonl"), "[{\"name\":\"1\"}]\n[{\"name\":\"2\"}]\n");
}

#[tokio::test]
async fn the_sink_of_a_rule_that_cannot_start_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    // Where its queue would be there is a file.
    std::fs::create_dir_all(folder.path().join("outbox")).unwrap();
    std::fs::write(folder.path().join("outbox/r.away"), "").unwrap();
    let on_disk = SinkConfig {
        queue: SinkQueue::Disk,
        ..config(SinkKind::Log)
    };
    let own = named(&[("r.away", on_disk)]);
    let configs = named(&[("log", config(SinkKind::Log))]);
    let (metrics, letters) = (SinkMetrics::default(), dead_letters(folder.path()));
    let sinks = Sinks::start(&configs, &own, metrics, letters, folder.path()).unwrap();
    assert!(sinks.handle("log").is_some() && sinks.handle("r.away").is_none());
}
