//! The endpoint over a real socket, asked by hand, so that every byte of a request is ours.

use super::*;
use crate::clock;
use crate::config::{GuestDefaults, Sidecar};
use crate::telemetry::rule::RuleFamilies;
use rulemill_core::Micros;
use rulemill_plan::{Literal, ScalarFunction};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

mod asking;

/// A running endpoint with two rules, one library and one function.
struct Endpoint {
    address: SocketAddr,
    snapshot: watch::Sender<Arc<Snapshot>>,
    rules: RuleFamilies,
    requested: mpsc::Receiver<Request>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl Endpoint {
    async fn start(token: Option<&str>, bounds: Bounds) -> Self {
        let mut telemetry = Telemetry::start();
        let rules = RuleFamilies::register(&mut telemetry.registry);
        let (snapshot, latest) = watch::channel(Arc::new(Snapshot::default()));
        let (requests, requested) = mpsc::channel(1);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            snapshot: latest,
            telemetry: Arc::new(telemetry),
            requests,
            token: token.map(Arc::from),
        };
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let server = tokio::spawn(serve_within(listener, state, stopped, bounds));
        Self {
            address,
            snapshot,
            rules,
            requested,
            stop,
            server,
        }
    }

    /// Publishes a rule that runs, one that never did, and a function.
    fn publish(&self, readiness: Readiness) {
        let function: ScalarFunction = serde_json::from_value(serde_json::json!({
            "name": "split_value",
            "doc": "The part of a text.",
            "parameters": [{"name": "text", "type": "text"}],
            "returns": "text",
            "volatility": "immutable",
            "examples": [{"rows": [["a/b"]], "expected": {"value": "a"}}],
        }))
        .unwrap();
        let text: Arc<str> = Arc::from("text");
        let snapshot = Snapshot {
            rules: vec![self.running_rule(), self.stopped_rule()],
            functions: vec![FunctionStatus {
                library: Arc::clone(&text),
                version: "0.1.0".to_owned(),
                metrics: self.rules.function(&text, &Arc::from("split_value")),
                function: Function::Scalar(Arc::new(function)),
            }],
            streams: vec![StreamStatus {
                name: "demo".to_owned(),
                description: serde_json::json!({"Name": "demo", "StreamFields": []}),
            }],
            readiness,
        };
        self.snapshot.send_replace(Arc::new(snapshot));
    }

    fn running_rule(&self) -> RuleStatus {
        let plan = serde_json::json!({"name": "mean", "emits": [{"name": "t", "column": 0}]});
        RuleStatus {
            id: Arc::from("mean"),
            kind: GuestKind::Rule,
            state: RunState::Running,
            running: Some(RunningVersion {
                name: "mean".to_owned(),
                version: "1.2".to_owned(),
                doc: "The mean.".to_owned(),
                digest: "abc".to_owned(),
                loaded_at: Micros(1_500_000),
                plan: Some(Arc::new(serde_json::from_value(plan).unwrap())),
            }),
            refused: Some(Refused {
                digest: "def".to_owned(),
                at: Micros(2_000_000),
                reason: "imports wasi".to_owned(),
            }),
            shadow: None,
            sidecar: Arc::new(Sidecar {
                settings: [("limit".to_owned(), Literal::Int(5))].into(),
                ..Sidecar::absent(&GuestDefaults::default())
            }),
            document: None,
            metrics: self.rules.rule(&Arc::from("mean")),
            guest: self.rules.guests.guest(&Arc::from("mean")),
        }
    }

    fn stopped_rule(&self) -> RuleStatus {
        RuleStatus {
            id: Arc::from("broken rule"),
            kind: GuestKind::Unknown,
            state: RunState::Stopped("not a wasm file".to_owned()),
            running: None,
            refused: None,
            shadow: None,
            sidecar: Arc::default(),
            document: Some(Arc::from("{\"id\": \"broken rule\"}")),
            metrics: self.rules.rule(&Arc::from("broken rule")),
            guest: self.rules.guests.guest(&Arc::from("broken rule")),
        }
    }

    /// Status and body of a GET.
    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
            .await
    }

    /// Status and body of a POST with these further header lines.
    async fn post(&self, path: &str, headers: &str) -> (u16, String) {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n");
        self.ask(&head).await
    }

    async fn get_json(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.get(path).await;
        (
            status,
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")),
        )
    }

    /// Status and body of the answer to these bytes.
    async fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.unwrap_or(0), body.unwrap_or_default())
    }
}

/// What comes until the other side closes; also when it does so harshly.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn ping_and_health_are_plain() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    assert_eq!(endpoint.get("/ping").await, (200, "pong".to_owned()));
    assert_eq!(endpoint.get("/healthz").await, (200, "live".to_owned()));
}

#[tokio::test]
async fn readiness_is_refused_with_its_reasons_until_everything_works() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    let (status, body) = endpoint.get_json("/readyz").await;
    assert_eq!((status, &body["reasons"][0]), (503, &Value::from("starting")));
    endpoint.publish(Readiness::NotReady(vec!["source default is not connected".to_owned()]));
    let (status, body) = endpoint.get_json("/readyz").await;
    assert_eq!(
        (status, &body["reasons"][0]),
        (503, &Value::from("source default is not connected"))
    );
    endpoint.publish(Readiness::Ready);
    let (status, body) = endpoint.get_json("/readyz").await;
    assert_eq!((status, &body["ready"]), (200, &Value::from(true)));
}

#[tokio::test]
async fn rules_are_listed_described_and_counted() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    let metrics = endpoint.rules.rule(&Arc::from("mean"));
    metrics.rows_in.inc_by(10);
    metrics.rows_out.inc_by(2);
    metrics.traps.inc();
    metrics.dead_rows("row", 3);

    let (_, list) = endpoint.get_json("/rules").await;
    assert_eq!(list[0]["id"], "mean");
    assert_eq!(
        (&list[0]["kind"], &list[0]["status"], &list[0]["version"]),
        (&"rule".into(), &"running".into(), &"1.2".into())
    );
    assert_eq!(
        (&list[1]["kind"], &list[1]["status"], &list[1]["name"]),
        (&"unknown".into(), &"stopped".into(), &Value::Null)
    );
    assert_eq!(
        (&list[0]["refused"], &list[1]["refused"]),
        (&true.into(), &false.into())
    );

    let (_, rule) = endpoint.get_json("/rules/mean").await;
    assert_eq!(rule["plan"]["emits"][0]["name"], "t");
    assert_eq!(rule["deployment"]["settings"]["limit"], 5);
    assert_eq!(rule["deployment"]["limits"]["call_timeout_ms"], 50);
    assert_eq!(
        (&rule["digest"], &rule["loaded_at"]),
        (&"abc".into(), &"1970-01-01T00:00:01.5Z".into())
    );

    let (_, status) = endpoint.get_json("/rules/mean/status").await;
    assert_eq!(
        (&status["records_in_total"], &status["records_out_total"]),
        (&10.into(), &2.into())
    );
    assert_eq!(
        (&status["exceptions_total"], &status["last_exception"]),
        (&4.into(), &Value::Null)
    );
    assert_eq!(status["refused"]["reason"], "imports wasi");
}

#[tokio::test]
async fn the_last_exception_is_told_with_its_time() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    let rule = Arc::clone(&endpoint.snapshot.borrow());
    rule.rules[0]
        .metrics
        .exception("index out of range".to_owned(), Micros(0));
    let (_, status) = endpoint.get_json("/rules/mean/status").await;
    assert_eq!(status["last_exception"], "index out of range");
    assert_eq!(status["last_exception_time"], "1970-01-01T00:00:00Z");
}

#[tokio::test]
async fn ids_with_spaces_are_found_and_unknown_ones_are_not() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    let (status, body) = endpoint.get_json("/rules/broken%20rule/status").await;
    assert_eq!((status, &body["message"]), (200, &"not a wasm file".into()));
    let (status, body) = endpoint.get_json("/rules/nothing").await;
    assert_eq!(
        (status, &body["error"], &body["message"]),
        (404, &404.into(), &"there is no rule nothing".into())
    );
    assert_eq!(endpoint.get_json("/rules/..%2fmean").await.0, 404);
}

#[tokio::test]
async fn a_request_needs_the_token() {
    let endpoint = Endpoint::start(Some("a-secret-of-16-characters"), Bounds::STANDARD).await;
    assert_eq!(endpoint.post("/rules/mean/retry", "").await.0, 401);
}

#[tokio::test]
async fn functions_are_listed_with_their_documentation() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    let (_, list) = endpoint.get_json("/functions").await;
    assert_eq!(
        (&list[0]["name"], &list[0]["library"]),
        (&"split_value".into(), &"text".into())
    );
    assert_eq!(
        (&list[0]["kind"], &list[0]["returns"]),
        (&"scalar".into(), &"text".into())
    );
    assert_eq!(list[0]["examples"][0]["expected"]["value"], "a");
}

#[tokio::test]
async fn metrics_are_text_with_an_end() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    let (status, text) = endpoint.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("rulemill_rule_rows_in_total{rule=\"mean\"} 0"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn wrong_paths_and_methods_are_errors_in_json() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    let (status, body) = endpoint.get_json("/nothing").await;
    assert_eq!((status, &body["error"]), (404, &404.into()));
    for path in ["/rules", "/ping", "/metrics"] {
        let request = format!("DELETE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let (status, body) = endpoint.ask(&request).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["error"]), (405, &405.into()), "{path}");
    }
}

#[tokio::test]
async fn without_the_token_only_ping_and_health_are_answered() {
    let token = "0123456789abcdef";
    let endpoint = Endpoint::start(Some(token), Bounds::STANDARD).await;
    for (path, status) in [
        ("/ping", 200),
        ("/healthz", 200),
        ("/readyz", 401),
        ("/rules", 401),
        ("/nothing", 401),
    ] {
        assert_eq!(endpoint.get(path).await.0, status, "{path}");
    }
    for (value, status) in [
        ("Bearer 0123456789abcdef", 200),
        ("bearer 0123456789abcdef", 200),
        ("Bearer 0123456789abcde", 401),
        ("Bearer ", 401),
        ("Basic 0123456789abcdef", 401),
        ("0123456789abcdef", 401),
    ] {
        let request = format!("GET /rules HTTP/1.1\r\nhost: x\r\nauthorization: {value}\r\nconnection: close\r\n\r\n");
        assert_eq!(endpoint.ask(&request).await.0, status, "{value}");
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    let many: String = (0..500).map(|number| format!("h{number}: x\r\n")).collect();
    let (status, _) = endpoint
        .ask(&format!("GET /ping HTTP/1.1\r\nhost: x\r\n{many}\r\n"))
        .await;
    assert_eq!(status, 431);
    let (status, _) = endpoint.ask("not http at all\r\n\r\n").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_disconnected() {
    let bounds = Bounds {
        silence_max: Duration::from_millis(50),
        ..Bounds::STANDARD
    };
    let endpoint = Endpoint::start(None, bounds).await;
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    stream.write_all(b"GET /ping HT").await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(20), read_to_end(&mut stream)).await;
    assert!(closed.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_client_that_sends_a_byte_now_and_then_does_not_live_for_ever() {
    let bounds = Bounds {
        life_max: Duration::from_millis(100),
        ..Bounds::STANDARD
    };
    let endpoint = Endpoint::start(None, bounds).await;
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    stream.write_all(b"GET /ping HTTP/1.1\r\nhost: ").await.unwrap();
    let start = clock::monotonic();
    let (mut reader, mut writer) = stream.split();
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    let mut byte = [0];
    loop {
        tokio::select! {
            read = reader.read(&mut byte) => match read {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            },
            _ = interval.tick() => {
                let _ = writer.write_all(b"x").await;
            }
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the connection is still open"
        );
    }
}

#[tokio::test]
async fn further_connections_wait_until_one_is_free() {
    let bounds = Bounds {
        connections_max: 1,
        silence_max: Duration::from_millis(100),
        ..Bounds::STANDARD
    };
    let endpoint = Endpoint::start(None, bounds).await;
    let silent = TcpStream::connect(endpoint.address).await.unwrap();
    assert_eq!(
        endpoint.get("/ping").await.0,
        200,
        "the silent one must be closed first"
    );
    drop(silent);
}

#[tokio::test]
async fn a_stop_ends_the_server() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    let waiting = TcpStream::connect(endpoint.address).await.unwrap();
    endpoint.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), endpoint.server).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))), "{ended:?}");
    drop(waiting);
}
