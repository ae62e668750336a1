//! A wrong configuration is refused at once, with everything that is wrong with it.

use crate::common::{LISTENER, config};
use rulemill_tests::{Authority, Finished, KeyFile, Sandbox, run_to_end};

#[tokio::test]
async fn all_problems_are_listed_at_once() {
    let sandbox = Sandbox::new();
    let text = config(&[r#"
        [source.default]
        server = "http://127.0.0.1:1883"
        qos = 2
        [source.other]
        sever = "tcp://127.0.0.1:1883"
        [listener]
        mqtt = "somewhere"
        [sink.cloud]
        type = "mqtt"
        server = "tcp://127.0.0.1:1883"
        topic = "devices/#"
        [sink.hole]
        type = "hole"
        [limits]
        call_timeout = "soon"
        "#]);
    for verb in ["validate", "run"] {
        let finished = run_to_end(&sandbox, verb, &text).await;
        assert_eq!(finished.code, Some(78), "{verb}: {}", finished.stderr);
        for place in [
            "source.default.server",
            "source.default.qos",
            "source.other.sever",
            "source.other.server",
            "listener.mqtt",
            "sink.cloud.topic",
            "sink.hole.type",
            "limits.call_timeout",
        ] {
            assert!(
                finished.stderr.contains(place),
                "{verb} must name {place}: {}",
                finished.stderr
            );
        }
        assert!(
            finished.stderr.contains("rulemill.toml:"),
            "with lines: {}",
            finished.stderr
        );
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_no_toml_is_refused() {
    let sandbox = Sandbox::new();
    refused(
        &run_to_end(&sandbox, "validate", "[rules\ndir = 1").await,
        "rulemill.toml",
    );
    let missing = "[sink.a]\ntype = \"mqtt\"\nserver = \"ssl://127.0.0.1\"\ntopic = \"t\"\nca = \"nowhere.pem\"";
    refused(&run_to_end(&sandbox, "validate", missing).await, "nowhere.pem");
}

#[tokio::test]
async fn good_files_of_every_key_form_are_taken() {
    let sandbox = Sandbox::new();
    let authority = Authority::new(&sandbox);
    for form in KeyFile::ALL {
        authority.client_with_key(&sandbox, form);
        let finished = validate_tls(&sandbox, form.name(), form.name()).await;
        assert_eq!(finished.code, Some(0), "{}: {}", form.name(), finished.stderr);
    }
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    let sandbox = Sandbox::new();
    let identity = Authority::new(&sandbox).client(&sandbox, "client");
    for mode in [0o640, 0o604, 0o660, 0o666] {
        sandbox.set_mode(&identity.key, mode);
        refused(&validate_tls(&sandbox, "client", "client").await, "client.key");
    }
    sandbox.set_mode(&identity.key, 0o400);
    assert_eq!(validate_tls(&sandbox, "client", "client").await.code, Some(0));
}

#[tokio::test]
async fn a_certificate_that_does_not_match_its_key_is_refused() {
    let sandbox = Sandbox::new();
    let authority = Authority::new(&sandbox);
    authority.client(&sandbox, "one");
    authority.client_with_key(&sandbox, KeyFile::Rsa2048Pkcs1);
    authority.client_with_key(&sandbox, KeyFile::P384Sec1);
    for key in [KeyFile::Rsa2048Pkcs1, KeyFile::P384Sec1] {
        refused(&validate_tls(&sandbox, "one", key.name()).await, "sink.cloud.key");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let sandbox = Sandbox::new();
    Authority::new(&sandbox).expired_client(&sandbox, "old");
    let finished = validate_tls(&sandbox, "old", "old").await;
    refused(&finished, "sink.cloud.cert");
    assert!(finished.stderr.contains("expired"), "{}", finished.stderr);
}

async fn validate_tls(sandbox: &Sandbox, cert: &str, key: &str) -> Finished {
    let sink = format!(
        r#"
        [sink.cloud]
        type = "mqtt"
        server = "ssl://localhost:8883"
        topic = "results"
        ca = "ca.pem"
        cert = "{cert}.pem"
        key = "{key}.key"
        "#
    );
    run_to_end(sandbox, "validate", &config(&[LISTENER, &sink])).await
}

fn refused(finished: &Finished, place: &str) {
    assert_eq!(finished.code, Some(78), "{}", finished.stderr);
    assert!(
        finished.stderr.contains(place),
        "must name {place}: {}",
        finished.stderr
    );
}
