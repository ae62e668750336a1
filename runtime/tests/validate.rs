//! `rulemill validate` as a process: what it prints, and its exit codes.

use std::path::PathBuf;
use std::process::{Command, Output};

fn rulemill(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rulemill"));
    command.args(arguments).env_clear().env("RULEMILL__STOP_TIMEOUT", "3s");
    command.output().expect("the binary was built for this test")
}

fn case(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/config/tests");
    folder.join(name).display().to_string()
}

#[test]
fn a_good_configuration_is_fine_and_can_be_printed() {
    let output = rulemill(&["validate", "--config", &case("good/tutorial.toml")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("is fine: sources default, listener 127.0.0.1:1884, sinks cloud, log"),
        "{text}"
    );

    let output = rulemill(&["validate", "--print-effective", "--config", &case("good/tutorial.toml")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("stop_timeout = \"3s\"\n"),
        "the environment counts: {text}"
    );
}

#[test]
fn a_bad_configuration_ends_with_78_and_all_problems() {
    let output = rulemill(&["validate", "--config", &case("bad/aws.toml")]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        text.starts_with("rulemill: 11 problems with the configuration\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_data_directory_that_cannot_be_made_is_told_and_a_good_one_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let config = folder.path().join("rulemill.toml");
    let validate = |dir: &str| {
        std::fs::write(&config, format!("[listener]\n[data]\ndir = \"{dir}\"\n")).unwrap();
        rulemill(&["validate", "--config", &config.display().to_string()])
    };
    for dir in ["file", "file/deeper/data", "link", "link/data"] {
        let output = validate(dir);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{dir}: {text}");
        let place = folder.path().join(dir.split('/').next().unwrap());
        let expected = format!("{} is not a directory", place.display());
        assert!(text.contains("data.dir") && text.contains(&expected), "{text}");
    }
    assert_eq!(validate("deep/data").status.code(), Some(0));
    assert!(!folder.path().join("deep").exists());
}

#[test]
fn a_missing_file_is_a_bad_configuration_too() {
    let output = rulemill(&["validate", "--config", "/nowhere/rulemill.toml"]);
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [&["validate", "--confg", "x"][..], &["valdate"], &[]] {
        assert_eq!(rulemill(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
