use super::pki::{P256, P384, Pki, RSA_2048, TestKey, always};
use super::*;
use rustls::pki_types::ServerName;
use std::io;
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const MQTT: TlsPurpose = TlsPurpose::Mqtt { port: 8883 };
/// 2026-01-01T00:00:00Z
const NOW: Micros = Micros(1_767_225_600_000_000);

fn problems(files: &TlsFiles) -> Vec<String> {
    client_config(files, MQTT, NOW)
        .expect_err("the files are wrong")
        .iter()
        .map(|problem| {
            let text = problem.to_string();
            let folder = files.ca.as_ref().unwrap().parent().unwrap();
            text.replace(&format!("{}/", folder.display()), "")
        })
        .collect()
}

/// Both sides over a pipe, and a byte each way: what the client saw, and the server.
async fn handshake(client: Arc<ClientConfig>, server: rustls::ServerConfig) -> (io::Result<u8>, io::Result<u8>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from("localhost").unwrap();
    tokio::join!(
        async {
            let mut stream = TlsConnector::from(client).connect(name, near).await?;
            stream.write_u8(1).await?;
            stream.flush().await?;
            stream.read_u8().await
        },
        async {
            let mut stream = TlsAcceptor::from(Arc::new(server)).accept(far).await?;
            let byte = stream.read_u8().await?;
            stream.write_u8(2).await?;
            stream.flush().await?;
            Ok(byte)
        },
    )
}

#[tokio::test]
async fn every_kind_of_key_in_every_form_is_accepted_by_a_server_that_asks_for_it() {
    let pki = Pki::new();
    for key in [RSA_2048, P256, P384] {
        for form in key.forms() {
            let client = client_config(&pki.client_files(key, form), MQTT, NOW).unwrap();
            let (client, server) = handshake(client, pki.server()).await;
            assert_eq!((client.unwrap(), server.unwrap()), (2, 1));
        }
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_and_a_server_of_another_authority_are_refused() {
    let (pki, other) = (Pki::new(), Pki::new());
    let mut files = pki.client_files(P256, P256.forms()[0]);
    let client = client_config(&files, MQTT, NOW).unwrap();
    let (client, _) = handshake(client, other.server()).await;
    let error = client.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");

    files.cert = None;
    files.key = None;
    let client = client_config(&files, MQTT, NOW).unwrap();
    let (_, server) = handshake(client, pki.server()).await;
    assert!(server.unwrap_err().to_string().contains("no certificates"));
}

#[test]
fn only_mqtt_on_port_443_asks_for_a_protocol_of_aws_by_how_the_client_says_who_it_is() {
    let pki = Pki::new();
    let with_certificate = pki.client_files(P256, P256.forms()[0]);
    let without = TlsFiles {
        cert: None,
        key: None,
        ..with_certificate.clone()
    };
    let on_443 = TlsPurpose::Mqtt { port: 443 };
    for (files, purpose, protocols) in [
        (&with_certificate, on_443, vec![b"x-amzn-mqtt-ca".to_vec()]),
        (&without, on_443, vec![b"mqtt".to_vec()]),
        (&with_certificate, MQTT, vec![]),
        (&without, MQTT, vec![]),
        (&with_certificate, TlsPurpose::Http, vec![]),
    ] {
        assert_eq!(
            client_config(files, purpose, NOW).unwrap().alpn_protocols,
            protocols,
            "{purpose:?}"
        );
    }
}

/// `openssl x509 -req` makes such certificates when no extensions are asked for.
#[test]
fn a_certificate_of_version_1_is_taken_with_its_key_and_refused_with_another() {
    let pki = Pki::new();
    let files = |key: TestKey| TlsFiles {
        cert: Some(pki.write("v1.pem", include_str!("tests/keys/p256.v1.cert.pem"))),
        ..pki.client_files(key, key.forms()[0])
    };
    let now = Micros(NOW.0 + 4 * 366 * 86_400 * 1_000_000);
    assert!(client_config(&files(P256), MQTT, now).is_ok());
    let problems = client_config(&files(P384), MQTT, now).unwrap_err();
    assert!(
        problems[0].message.contains("does not belong to the certificate"),
        "{problems:?}"
    );
}

#[test]
fn a_key_on_the_curve_p_521_is_named_with_what_can_be_used() {
    let pki = Pki::new();
    for key in [
        include_str!("tests/keys/p521.pkcs8.pem"),
        include_str!("tests/keys/p521.sec1.pem"),
    ] {
        assert_eq!(
            problems(&pki.client_files(P256, key)),
            [
                "key key.pem has a key on the curve P-521, which is not supported; RSA of 2048 to 8192 bits, P-256, P-384 and Ed25519 can be used"
            ]
        );
    }
}

#[test]
fn half_of_a_pair_is_checked_like_a_whole_one() {
    let pki = Pki::new();
    let files = TlsFiles {
        ca: Some(pki.path("gone.pem")),
        cert: Some(pki.write("c.pem", "hello")),
        key: None,
    };
    assert_eq!(
        problems(&files),
        [
            "ca cannot be read: gone.pem: No such file or directory (os error 2)",
            "cert needs key, the file with the private key of c.pem",
            "cert must be a PEM file with a certificate, c.pem has no \"-----BEGIN\" line",
        ]
    );
}

#[test]
fn files_that_are_not_what_they_should_be_are_told_apart() {
    let pki = Pki::new();
    let key = P256.forms()[0];
    let good = pki.client_files(P256, key);
    let certificate = pki.client(P256, always());
    let half = &certificate[..certificate.len() / 2];
    let large = "x".repeat(2 << 20);
    for (file, text, expect) in [
        (
            TlsFile::Cert,
            "",
            "cert must be a PEM file with a certificate, c.pem is empty",
        ),
        (
            TlsFile::Cert,
            "hello",
            "cert must be a PEM file with a certificate, c.pem has no \"-----BEGIN\" line",
        ),
        (
            TlsFile::Cert,
            "0\u{1}",
            "cert must be a PEM file with a certificate, c.pem looks like DER",
        ),
        (
            TlsFile::Cert,
            key,
            "cert must be a PEM file with a certificate, c.pem holds a private key",
        ),
        (
            TlsFile::Cert,
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "cert must be a PEM file with a certificate, c.pem holds a certificate request, not a certificate",
        ),
        (
            TlsFile::Cert,
            half,
            "cert must be a PEM file with a certificate, c.pem is damaged: ",
        ),
        (
            TlsFile::Cert,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "cert has a certificate in c.pem that cannot be read: ",
        ),
        (
            TlsFile::Key,
            "",
            "key must be a PEM file with a private key, k.pem is empty",
        ),
        (
            TlsFile::Key,
            certificate.as_str(),
            "key must be a PEM file with a private key, k.pem holds a certificate",
        ),
        (
            TlsFile::Key,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "key k.pem has a key that cannot be used: ",
        ),
        (
            TlsFile::Key,
            include_str!("tests/keys/encrypted.pkcs8.pem"),
            "key k.pem is encrypted; rulemill cannot ask for a passphrase",
        ),
        (
            TlsFile::Key,
            include_str!("tests/keys/encrypted.pkcs1.pem"),
            "key k.pem is encrypted; rulemill cannot ask for a passphrase",
        ),
        (
            TlsFile::Ca,
            key,
            "ca must be a PEM file with a certificate, a.pem holds a private key",
        ),
        (
            TlsFile::Ca,
            large.as_str(),
            "ca must be a PEM file of at most 1048576 bytes, a.pem has 2097152",
        ),
    ] {
        let mut files = good.clone();
        match file {
            TlsFile::Ca => files.ca = Some(pki.write("a.pem", text)),
            TlsFile::Cert => files.cert = Some(pki.write("c.pem", text)),
            TlsFile::Key => files.key = Some(pki.write_private("k.pem", text)),
        }
        let found = problems(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expect), "{found:?} instead of {expect}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let pki = Pki::new();
    let files = TlsFiles {
        ca: Some(pki.path("gone.pem")),
        cert: Some(pki.write(
            "c.pem",
            &pki.client(P256, datetime!(2020-01-01 0:00 UTC)..datetime!(2021-02-03 4:05:06 UTC)),
        )),
        key: Some(pki.write_mode("k.pem", P384.forms()[0], 0o640)),
    };
    assert_eq!(
        problems(&files),
        [
            "ca cannot be read: gone.pem: No such file or directory (os error 2)",
            "key must be readable by its owner only; k.pem has mode 0640 (chmod 600 k.pem mends it)",
            "cert has expired on 2021-02-03T04:05:06Z, and this machine's clock says 2026-01-01T00:00:00Z: c.pem",
        ]
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let pki = Pki::new();
    for (key, other) in [(RSA_2048, P256), (P256, P384), (P384, RSA_2048)] {
        let files = pki.client_files(key, other.forms()[0]);
        assert_eq!(
            problems(&files),
            ["key key.pem does not belong to the certificate cert.pem"]
        );
    }
}

#[test]
fn the_clients_own_certificate_must_come_first() {
    let pki = Pki::new();
    let chain = |first: TestKey, second: TestKey| {
        let text = format!("{}{}", pki.client(first, always()), pki.client(second, always()));
        TlsFiles {
            cert: Some(pki.write("chain.pem", &text)),
            ..pki.client_files(P256, P256.forms()[1])
        }
    };
    assert_eq!(
        problems(&chain(P384, P256)),
        ["cert must start with the client's own certificate, chain.pem starts with another one"]
    );
    assert!(client_config(&chain(P256, P384), MQTT, NOW).is_ok());
}

#[test]
fn a_certificate_is_valid_between_its_days() {
    let pki = Pki::new();
    let files = |days| TlsFiles {
        cert: Some(pki.write("c.pem", &pki.client(P256, days))),
        ..pki.client_files(P256, P256.forms()[0])
    };
    let (before, now, after) = (
        datetime!(2025-12-31 23:59:59 UTC),
        datetime!(2026-01-01 0:00 UTC),
        datetime!(2026-01-01 0:00:01 UTC),
    );
    assert!(client_config(&files(now..after), MQTT, NOW).is_ok());
    assert!(client_config(&files(before..now), MQTT, NOW).is_ok());
    assert_eq!(
        problems(&files(after..after)),
        ["cert is not valid before 2026-01-01T00:00:01Z, and this machine's clock says 2026-01-01T00:00:00Z: c.pem"]
    );
    assert!(problems(&files(before..before))[0].starts_with("cert has expired on 2025-12-31T23:59:59Z"));
}

#[test]
fn a_bundle_of_authorities_is_refused_only_when_none_is_valid() {
    let pki = Pki::new();
    let old = pki.client(P256, datetime!(2020-01-01 0:00 UTC)..datetime!(2021-01-01 0:00 UTC));
    let bundle = |text: &str| TlsFiles {
        ca: Some(pki.write("a.pem", text)),
        ..pki.client_files(P256, P256.forms()[0])
    };
    assert!(problems(&bundle(&format!("{old}{old}")))[0].starts_with("ca has expired on 2021-01-01"));
    assert!(client_config(&bundle(&format!("{old}{}", pki.authority.pem())), MQTT, NOW).is_ok());
}

#[test]
fn a_certificate_needs_its_key_and_a_key_its_certificate() {
    let pki = Pki::new();
    let good = pki.client_files(P256, P256.forms()[0]);
    let without_key = TlsFiles {
        key: None,
        ..good.clone()
    };
    let without_cert = TlsFiles { cert: None, ..good };
    assert_eq!(
        problems(&without_key),
        ["cert needs key, the file with the private key of cert.pem"]
    );
    assert_eq!(
        problems(&without_cert),
        ["key needs cert, the file with the certificate of key.pem"]
    );
}
