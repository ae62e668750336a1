//! The sink against a server in this process that answers as each test says.

use super::*;
use crate::config::TlsConfig;
use crate::sink::context::Stopper;
use crate::sink::test::{dead_reasons, delivery, emission, rows};
use crate::tls::pki::{P256, Pki};
use crate::tls::{TlsPurpose, client_config};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// A status, and a `Retry-After` with it.
type Answer = (u16, Option<&'static str>);

/// What the server answers, one after the other, and then 200; and what it was sent.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

struct Rig {
    script: Script,
    delivery: Delivery,
    stopper: Stopper,
    task: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Rig {
    async fn start(answers: &[Answer], format: SinkFormat, retries_max: Option<u32>) -> Self {
        let script = Script::default();
        script.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/results", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/results", axum::routing::post(answer))
            .with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Rig::with(script, &config(&url, retries_max), format)
    }

    fn with(script: Script, config: &HttpSinkConfig, format: SinkFormat) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let delivery = delivery(folder.path());
        let mut sink = HttpSink::new(config, format, delivery.clone()).unwrap();
        sink.retry = (Duration::from_millis(1), Duration::from_millis(2));
        let (stopper, stop) = Stopper::new();
        Rig {
            script,
            delivery,
            stopper,
            task: tokio::spawn(sink.run(stop)),
            folder,
        }
    }

    fn push(&self, emission: EncodedEmission) {
        self.delivery.outbox.push(emission, clock::monotonic());
    }

    async fn emptied(&self) {
        timeout(PATIENCE, self.delivery.outbox.emptied()).await.unwrap();
    }

    fn bodies(&self) -> Vec<String> {
        self.script.bodies.lock().unwrap().clone()
    }

    fn dropped(&self, reason: &'static str) -> u64 {
        self.delivery.counters.dropped(reason).get()
    }
}

fn config(url: &str, retries_max: Option<u32>) -> HttpSinkConfig {
    HttpSinkConfig {
        url: url.to_owned(),
        headers: BTreeMap::from([("x-token".to_owned(), "secret".to_owned())]),
        timeout: PATIENCE,
        retries_max,
        tls: None,
    }
}

async fn answer(State(script): State<Script>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["x-token"], "secret");
    assert_eq!(headers["content-type"], "application/json");
    script.bodies.lock().unwrap().push(body);
    let (status, retry_after) = script.answers.lock().unwrap().pop_front().unwrap_or((200, None));
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.parse().unwrap());
    }
    response
}

#[tokio::test]
async fn a_server_that_recovers_gets_everything_in_order() {
    let rig = Rig::start(&[(500, None), (429, Some("0")), (408, None)], SinkFormat::Array, None).await;
    rig.push(emission("a"));
    rig.push(emission("b"));
    rig.emptied().await;
    let (a, b) = (r#"[{"name":"a"}]"#, r#"[{"name":"b"}]"#);
    assert_eq!(rig.bodies(), [a, a, a, a, b]);
    let counters = &rig.delivery.counters;
    assert_eq!(
        (counters.emissions.get(), counters.rows.get(), counters.retries.get()),
        (2, 2, 3)
    );
    assert_eq!(counters.reconnects("http_5xx").get(), 1);
}

#[tokio::test]
async fn what_the_server_refuses_goes_to_dead_letter_and_the_next_is_sent() {
    let rig = Rig::start(&[(400, None)], SinkFormat::Array, None).await;
    rig.push(rows(&[r#"{"a":1}"#, r#"{"a":2}"#]));
    rig.push(emission("b"));
    rig.emptied().await;
    assert_eq!(rig.bodies().len(), 2);
    assert_eq!(rig.dropped("refused"), 2);
    assert_eq!(
        dead_reasons(&rig.delivery, rig.folder.path()),
        ["sink test: the server answered 400 Bad Request"; 2]
    );
}

#[tokio::test]
async fn single_posts_each_row_and_refuses_only_the_bad_one() {
    let rig = Rig::start(&[(200, None), (422, None)], SinkFormat::Single, None).await;
    rig.push(rows(&[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]));
    rig.emptied().await;
    assert_eq!(rig.bodies(), [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]);
    assert_eq!((rig.dropped("refused"), rig.delivery.counters.rows.get()), (1, 2));
}

#[tokio::test]
async fn retries_end_where_the_configuration_says() {
    let rig = Rig::start(&[(503, None), (503, None), (503, None)], SinkFormat::Array, Some(1)).await;
    rig.push(emission("a"));
    rig.emptied().await;
    assert_eq!(rig.bodies().len(), 2);
    assert_eq!(rig.dropped("retries_exhausted"), 1);
    assert_eq!(
        dead_reasons(&rig.delivery, rig.folder.path()),
        ["sink test: given up after 1 retries: the server answered 503 Service Unavailable"]
    );
}

#[tokio::test]
async fn only_answers_count_against_the_bound_of_retries() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let rig = Rig::with(Script::default(), &config(&url, Some(1)), SinkFormat::Array);
    rig.push(emission("a"));
    for _ in 0..4 {
        drop(listener.accept().await.unwrap());
    }
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(br#"[{"name":"a"}]"#) {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    }
    rig.emptied().await;
    assert_eq!(rig.delivery.counters.retries.get(), 5);
    assert_eq!(rig.dropped("retries_exhausted"), 1);
    assert_eq!(
        dead_reasons(&rig.delivery, rig.folder.path()),
        ["sink test: given up after 1 retries: the server answered 401 Unauthorized"]
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_retry_after() {
    let rig = Rig::start(&[(503, Some("600"))], SinkFormat::Array, None).await;
    rig.push(emission("a"));
    while rig.delivery.counters.retries.get() == 0 {
        tokio::task::yield_now().await;
    }
    rig.stopper.stop();
    timeout(PATIENCE, rig.task).await.unwrap().unwrap();
    assert_eq!(rig.delivery.outbox.close().given_up, 1);
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let rig = Rig::with(Script::default(), &config(&url, None), SinkFormat::Array);
    rig.push(emission("a"));
    drop(listener.accept().await.unwrap());
    let (mut stream, _) = listener.accept().await.unwrap();
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    rig.emptied().await;
    assert_eq!(rig.delivery.counters.retries.get(), 1);
}

#[tokio::test]
async fn https_uses_the_configured_authority_and_client_certificate() {
    let pki = Pki::new();
    let files = pki.client_files(P256, P256.forms()[0]);
    let client = client_config(&files, TlsPurpose::Http, clock::wall()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let config = HttpSinkConfig {
        tls: Some(TlsConfig { client, files }),
        ..config(&url, None)
    };
    let rig = Rig::with(Script::default(), &config, SinkFormat::Array);
    rig.push(emission("a"));
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(pki.server()));
    let mut stream = acceptor.accept(stream).await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(br#"[{"name":"a"}]"#) {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    rig.emptied().await;
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |config: &HttpSinkConfig| {
        let sink = HttpSink::new(config, SinkFormat::Array, delivery(folder.path()));
        sink.map(drop).unwrap_err().to_string()
    };
    assert!(refused(&config("no url", None)).starts_with("url \"no url\" is not a URL"));
    let mut bad = config("http://localhost/", None);
    bad.headers.insert("a b".to_owned(), String::new());
    assert!(refused(&bad).starts_with("header \"a b\""));
}
