use super::*;
use crate::config::{Durability, ServerAddress};
use std::time::Duration;

fn config(client_id: &str) -> SourceConfig {
    SourceConfig {
        server: ServerAddress {
            host: "broker".into(),
            port: 1883,
            tls: false,
        },
        qos: 1,
        client_id: client_id.into(),
        credentials: None,
        tls: None,
        clean_session: false,
        keep_alive: Duration::from_secs(60),
        packet_bytes_max: 1 << 20,
        share_group: None,
        durability: Durability::None,
    }
}

fn filters(texts: &[&str]) -> BTreeSet<TopicFilter> {
    texts.iter().map(|text| TopicFilter::parse(text).unwrap()).collect()
}

fn sessions() -> Sessions {
    let session = |serves, also| Session {
        serves: filters(serves),
        also: filters(also),
    };
    Sessions::from([(0, session(&["a/+", "$share/g/b"], &["c"])), (7, session(&[], &["d"]))])
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = SessionFile::new(folder.path(), "default", &config("one"));
    assert_eq!(file.read().unwrap(), Sessions::new());

    file.write(&sessions()).unwrap();
    assert_eq!(file.read().unwrap(), sessions());
    file.write(&Sessions::new()).unwrap();
    assert_eq!(file.read().unwrap(), Sessions::new());
    let files: Vec<_> = fs::read_dir(folder.path().join("sessions")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[test]
fn a_file_of_another_client_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let written = SessionFile::new(folder.path(), "default", &config("one"));
    written.write(&sessions()).unwrap();

    let error = SessionFile::new(folder.path(), "default", &config("two"))
        .read()
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "it belongs to source default as one at tcp://broker:1883, this is source default as two at tcp://broker:1883"
    );
}

#[test]
fn broken_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = SessionFile::new(folder.path(), "default", &config("one"));
    file.write(&sessions()).unwrap();
    let good = fs::read_to_string(file.path()).unwrap();
    let long = "x".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1);
    for (bad, expect) in [
        (String::new(), "it is not what was written: EOF while parsing a value"),
        (
            good[..good.len() / 2].to_owned(),
            "it is not what was written: EOF while parsing",
        ),
        (
            good.replace("\"also\"", "\"allso\""),
            "it is not what was written: missing field `also`",
        ),
        (
            good.replace("\"format\":1", "\"format\":2"),
            "it has the format 2; this version reads 1",
        ),
        (
            good.replace("\"8\"", "\"9\""),
            "it has a lane 9; they are numbered from 1 to 8",
        ),
        (
            good.replace("\"8\"", "\"0\""),
            "it has a lane 0; they are numbered from 1 to 8",
        ),
        (
            good.replace("a/+", "a/+b"),
            "a topic filter in it is wrong: a wildcard must be alone in its level",
        ),
        (long, "it is larger than 67108864 bytes"),
    ] {
        fs::write(file.path(), &bad).unwrap();
        let error = file.read().unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error} is not {expect}");
    }
    fs::write(file.path(), b"\xff").unwrap();
    assert!(file.read().unwrap_err().to_string().starts_with("it cannot be read: "));
}

#[test]
fn every_name_has_a_file_of_its_own() {
    assert_eq!(file_name("plant-1_a"), "plant-1_a");
    assert_eq!(file_name("../x"), "%2E%2E%2Fx");
    assert_eq!(file_name("%2F"), "%252F");
    assert_eq!(file_name("ä"), "%C3%A4");
}
