//! Whole files: `tests/bad/NAME.toml` with all its problems in `NAME.txt`, `tests/good/NAME.toml` with the
//! configuration in force. `BLESS=1` renews the `.txt` files. `# env: NAME=value` lines set the environment.

use super::check::check_http;
use super::{
    Changes, Config, Environment, GuestDefaults, LimitsConfig, OnChange, OnFull, OnRemove, Problems, ReloadConfig,
    Sidecar, SinkFormat, SinkKind, load, parse,
};
use rulemill_plan::Literal;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/tests");

#[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
pub(crate) fn blessing() -> bool {
    std::env::var("BLESS").is_ok_and(|value| value == "1")
}

fn environment(text: &str) -> Environment {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("# env: ")?.split_once('='));
    Environment {
        variables: lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        hostname: "gateway-7".to_owned(),
    }
}

fn checked(text: &str) -> Result<Config, Problems> {
    parse(text, Path::new("rulemill.toml"), &environment(text))
}

fn good(text: &str) -> Config {
    checked(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn bad(text: &str) -> String {
    checked(text)
        .expect_err("the configuration should be refused")
        .to_string()
}

/// Runs every case of a folder and compares with the text beside it.
fn check_folder(folder: &str, outcome: impl Fn(&str) -> String) {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(Path::new(FOLDER).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 5, "the cases of {folder} are gone");
    let mut differing = Vec::new();
    for case in cases {
        let actual = outcome(&std::fs::read_to_string(&case).unwrap()) + "\n";
        let beside = case.with_extension("txt");
        if blessing() {
            std::fs::write(&beside, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if actual != expected {
            differing.push(format!("{}:\n{actual}instead of\n{expected}", case.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_problem_of_a_bad_file_is_reported_with_its_place() {
    check_folder("bad", bad);
}

#[test]
fn a_good_file_is_completed_with_the_defaults() {
    check_folder("good", |text| good(text).effective_toml().trim_end().to_owned());
}

#[test]
fn every_default_is_read_into_the_configuration() {
    let config = good("[source.default]\nserver = \"tcp://127.0.0.1\"");
    assert_eq!(config.stop_timeout, Duration::from_secs(10));
    assert_eq!(config.rules.dir, Path::new("rules.d"));
    assert_eq!(config.rules.default_sinks, ["log"]);
    assert_eq!(config.dead_letter.file.path, Path::new("data/dead-letter.jsonl"));
    assert_eq!(config.limits.memory_bytes_max, 64 << 20);
    let source = &config.sources["default"];
    assert_eq!(source.client_id, "rulemill-gateway-7-default");
    assert_eq!(source.server.port, 1883);
    assert!(!source.clean_session);
    assert_eq!(source.keep_alive, Duration::from_secs(60));
    let log = &config.sinks["log"];
    assert_eq!(log.kind, SinkKind::Log);
    assert_eq!(log.format, SinkFormat::Array);
    assert_eq!(log.on_full, OnFull::DropOldest);
    assert!(config.listener.is_none() && config.http.is_none());
}

#[test]
fn paths_are_relative_to_the_file_and_not_to_the_working_directory() {
    let text = "[listener]\n[data]\ndir = \"/var/lib/rulemill\"\n[sink.out]\ntype = \"file\"\npath = \"out/x.jsonl\"";
    let path = Path::new("/etc/rulemill/rulemill.toml");
    let config = parse(text, path, &Environment::default()).unwrap();
    assert_eq!(config.rules.dir, Path::new("/etc/rulemill/rules.d"));
    assert_eq!(config.data_dir, Path::new("/var/lib/rulemill"));
    assert_eq!(
        config.dead_letter.file.path,
        Path::new("/var/lib/rulemill/dead-letter.jsonl")
    );
    let SinkKind::File(sink) = &config.sinks["out"].kind else {
        panic!("not a file sink")
    };
    assert_eq!(sink.path, Path::new("/etc/rulemill/out/x.jsonl"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "# env: RULEMILL__SOURCE__DEFAULT__QOS=0\n\
                # env: RULEMILL__RULES__DEFAULT_SINKS=log, other\n\
                # env: RULEMILL__SINK__OTHER__TYPE=log\n\
                [source.default]\nserver = \"tcp://127.0.0.1\"\nqos = 1";
    let config = good(text);
    assert_eq!(config.sources["default"].qos, 0);
    assert_eq!(config.rules.default_sinks, ["log", "other"]);
    assert!(config.sinks.contains_key("other"));
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    let problems = load(Path::new("/nowhere/rulemill.toml"), &Environment::default()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(
        problems
            .to_string()
            .starts_with("/nowhere/rulemill.toml: cannot be read: "),
        "{problems}"
    );
}

#[test]
fn secrets_are_in_no_output() {
    let text = "# env: SECRET=swordfish-swordfish\n\
                [source.default]\nserver = \"tcp://h\"\nusername = \"u\"\npassword = \"${SECRET}\"\n\
                [sink.web]\ntype = \"http\"\nurl = \"http://h/\"\nheaders = { authorization = \"${SECRET}\" }\n\
                [http]\ntoken = \"${SECRET}\"";
    let config = good(text);
    assert_eq!(
        config.http.as_ref().unwrap().token.as_deref(),
        Some("swordfish-swordfish")
    );
    assert!(
        !config.effective_toml().contains("swordfish"),
        "{}",
        config.effective_toml()
    );
    assert!(!format!("{:?}", config.sources).contains("swordfish"));
    assert!(!format!("{:?}", config.http).contains("swordfish"));
    let problems = bad("[http]\ntoken = 12345678901234567890\n[source.default]\npassword = 5555");
    assert!(!problems.contains("12345") && !problems.contains("5555"), "{problems}");
}

#[test]
fn the_effective_configuration_is_a_configuration_with_the_same_effect() {
    let config = good("[source.a]\nserver = \"mqtt://h\"\n[sink.f]\ntype = \"file\"\npath = \"x\"\n[http]");
    let again = good(config.effective_toml());
    assert_eq!(again.changes_since(&config), Changes::default());
}

#[test]
fn what_the_environment_gave_is_printed_as_the_file_would_have_it() {
    let config = good(
        "# env: RULEMILL__RULES__DEFAULT_SINKS=h,log\n\
         # env: RULEMILL__SOURCE__A__QOS=0\n\
         # env: RULEMILL__SOURCE__A__CLEAN_SESSION=true\n\
         # env: RULEMILL__SOURCE__A__CLIENT_ID=17\n\
         # env: RULEMILL__SINK__H__RETRIES_MAX=3\n\
         # env: RULEMILL__SINK__H__QUEUE_BYTES_MAX=1MiB\n\
         # env: RULEMILL__SINK__LOG__QUEUE_BYTES_MAX=1048576\n\
         [source.a]\nserver = \"tcp://h\"\n[sink.h]\ntype = \"http\"\nurl = \"http://h/\"\n\
         [sink.log]\ntype = \"log\"",
    );
    let printed = config.effective_toml();
    for line in [
        "default_sinks = [\"h\", \"log\"]",
        "qos = 0",
        "clean_session = true",
        "client_id = \"17\"",
        "retries_max = 3",
        "queue_bytes_max = \"1MiB\"",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}:\n{printed}");
    }
    assert_eq!(good(printed).changes_since(&config), Changes::default());
}

#[test]
fn the_query_of_an_address_is_not_printed() {
    let config = good("[listener]\n[sink.h]\ntype = \"http\"\nurl = \"https://h/x?token=swordfish&a=b\"");
    let printed = config.effective_toml();
    assert!(printed.contains("url = \"https://h/x?(hidden)\""), "{printed}");
    assert!(!printed.contains("swordfish"), "{printed}");
    assert!(checked(printed).is_ok(), "{printed}");
}

#[test]
fn changes_name_what_is_new_gone_and_different() {
    let old = good("[source.a]\nserver = \"tcp://h\"\n[source.b]\nserver = \"tcp://h\"\n[sink.s]\ntype = \"log\"\n");
    let new = good(
        "[source.a]\nserver = \"tcp://h\"\nqos = 0\n[source.c]\nserver = \"tcp://h\"\n[sink.s]\ntype = \"log\"\n\
         [limits]\nwindows_max = 5\n[http]\n",
    );
    let changes = new.changes_since(&old);
    assert!(changes.sources.added.contains("c") && changes.sources.added.len() == 1);
    assert!(changes.sources.removed.contains("b") && changes.sources.removed.len() == 1);
    assert!(changes.sources.changed.contains("a") && changes.sources.changed.len() == 1);
    assert!(changes.sinks.is_empty());
    assert!(changes.rules);
    assert_eq!(changes.at_next_start, ["http"]);
    assert!(new.changes_since(&new).is_empty());
}

#[test]
fn a_renewed_certificate_is_a_change_of_its_sink_only() {
    let folder = tempfile::tempdir().unwrap();
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
        std::fs::write(folder.path().join("c.pem"), made.cert.pem()).unwrap();
        write_private(&folder.path().join("k.pem"), &made.signing_key.serialize_pem());
    };
    let text = "[source.a]\nserver = \"tcp://h\"\n[sink.cloud]\ntype = \"mqtt\"\nserver = \"ssl://h\"\ntopic = \"t\"\n\
                ca = \"c.pem\"\ncert = \"c.pem\"\nkey = \"k.pem\"";
    let read = || parse(text, &folder.path().join("rulemill.toml"), &Environment::default()).unwrap();
    renew();
    let (old, same) = (read(), read());
    renew();
    let new = read();
    assert!(same.changes_since(&old).is_empty());
    let changes = new.changes_since(&old);
    assert!(changes.sinks.changed.contains("cloud") && changes.sinks.changed.len() == 1);
    assert!(changes.sources.is_empty());
}

#[test]
fn tls_files_that_do_not_work_are_refused_with_the_key_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mine = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    std::fs::write(at("c.pem"), mine.cert.pem()).unwrap();
    std::fs::write(at("text.pem"), "not a certificate").unwrap();
    write_private(&at("k.pem"), &mine.signing_key.serialize_pem());
    write_private(&at("other.pem"), &other.signing_key.serialize_pem());
    write_private(&at("nokey.pem"), "nothing");
    std::fs::write(at("open.pem"), mine.signing_key.serialize_pem()).unwrap();
    set_mode(&at("open.pem"), 0o640);
    for (ca, cert, key, expected) in [
        ("gone.pem", "c.pem", "k.pem", "source.a.ca cannot be read"),
        ("text.pem", "c.pem", "k.pem", "source.a.ca must be"),
        ("c.pem", "text.pem", "k.pem", "source.a.cert must be"),
        ("c.pem", "c.pem", "nokey.pem", "source.a.key must be"),
        ("c.pem", "c.pem", "other.pem", "source.a.key "),
        ("c.pem", "c.pem", "open.pem", "has mode 0640"),
    ] {
        let text = format!("[source.a]\nserver = \"ssl://h\"\nca = \"{ca}\"\ncert = \"{cert}\"\nkey = \"{key}\"");
        let problems = parse(&text, &at("rulemill.toml"), &Environment::default()).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems}");
        assert!(problems.to_string().contains(expected), "{problems}");
    }
}

#[test]
fn the_files_of_a_connection_are_checked_also_when_its_address_is_wrong() {
    for section in [
        "[source.a]\nserver = \"htp://h\"",
        "[listener]\n[sink.a]\ntype = \"mqtt\"\ntopic = \"t\"\nserver = \"h:x\"",
        "[listener]\n[sink.a]\ntype = \"http\"\nurl = \"h\"",
    ] {
        let problems = bad(&format!(
            "{section}\nca = \"/nowhere/ca.pem\"\ncert = \"/nowhere/c.pem\""
        ));
        for expected in ["a.ca cannot be read", "a.cert cannot be read", "a.cert needs key"] {
            assert!(problems.contains(expected), "{problems}");
        }
        assert_eq!(problems.lines().count(), 4, "{problems}");
        assert!(bad(section).lines().count() == 1, "{}", bad(section));
    }
}

#[test]
fn a_key_of_a_sink_without_a_type_is_named_when_it_is_of_no_type() {
    let problems = bad("[listener]\n[sink.a]\ntyp = \"log\"\ntopic = \"of some types\"");
    let expected = [
        "rulemill.toml:2: sink.a.type is missing; write for example type = \"mqtt\"",
        "rulemill.toml:3: sink.a.typ is not a known key; did you mean type?",
    ];
    assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

const LIMITS_OF_A_TEST: &str = "[limits]\ncall_timeout = \"5ms\"\ngroups_max = 7";

#[test]
fn the_file_beside_a_rule_sets_what_it_names_and_nothing_else() {
    let text = "topics = [\"a/+/b\"]\nsource = \"default\"\nsinks = [\"log\"]\nwindow = \"2s\"\n\
                [settings]\nthreshold = 5\nratio = 0.5\nname = \"x\"\non = true\n";
    let sidecar = Sidecar::parse(
        &format!("{text}{LIMITS_OF_A_TEST}"),
        "r.toml",
        &GuestDefaults::default(),
    )
    .unwrap();
    assert_eq!(sidecar.topics.as_deref(), Some(&["a/+/b".to_owned()][..]));
    assert_eq!(sidecar.source.as_deref(), Some("default"));
    assert_eq!(sidecar.window, Some(Duration::from_secs(2)));
    assert_eq!(sidecar.settings["threshold"], Literal::Int(5));
    assert_eq!(sidecar.settings["ratio"], Literal::Float(0.5));
    assert_eq!(sidecar.settings["on"], Literal::Bool(true));
    assert_eq!(sidecar.limits.call_timeout, Duration::from_millis(5));
    assert_eq!(sidecar.limits.groups_max, 7);
    assert_eq!(sidecar.limits.windows_max, LimitsConfig::default().windows_max);
    assert_eq!(sidecar.reload, ReloadConfig::default());
}

#[test]
fn the_file_beside_a_guest_sets_what_happens_on_a_change() {
    let text = "on_change = \"now\"\non_remove = \"discard\"\nprobation = \"0s\"\n";
    let sidecar = Sidecar::parse(text, "r.toml", &GuestDefaults::default()).unwrap();
    let expected = ReloadConfig {
        on_change: OnChange::Now,
        on_remove: OnRemove::Discard,
        probation: Duration::ZERO,
        probation_batches: ReloadConfig::default().probation_batches,
    };
    assert_eq!(sidecar.reload, expected);
}

#[test]
fn an_empty_file_beside_a_rule_is_as_none() {
    let config = good(&format!(
        "[listener]\n{LIMITS_OF_A_TEST}\n[reload]\non_change = \"now\""
    ));
    let defaults = GuestDefaults {
        limits: config.limits,
        reload: config.reload,
        ..GuestDefaults::default()
    };
    assert_eq!(
        Sidecar::parse("", "r.toml", &defaults).unwrap(),
        Sidecar::absent(&defaults)
    );
}

#[test]
fn a_bad_file_beside_a_rule_is_refused_with_all_its_problems() {
    let text = "topic = [\"a\"]\ntopics = []\nwindow = \"0s\"\nsinks = \"log\"\n[settings]\nlist = [1]\n\
                [limits]\nfile_bytes_max = 5\ngroups_max = 0\n";
    let problems = Sidecar::parse(text, "r.toml", &GuestDefaults::default())
        .unwrap_err()
        .problems
        .to_string();
    let expected = [
        "r.toml:1: topic is not a known key; did you mean topics?",
        "r.toml:2: topics must name at least one topic, and no empty one",
        "r.toml:3: window must be 1ms to 366days in whole milliseconds, got 0s",
        "r.toml:4: sinks must be a list of texts such as [\"a\", \"b\"], got \"log\"",
        "r.toml:5: settings must be a table of texts, numbers and booleans, got a table",
        "r.toml:8: limits.file_bytes_max is not a known key; known here: call_timeout, memory_bytes_max, table_elements_max, output_bytes_max, row_errors_max, notes_per_second_max, core_instances_max, suspend_after_batches, suspend_max, groups_max, windows_max",
        "r.toml:9: limits.groups_max must be 1 to 100000000, got 0",
    ];
    assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    for (text, expected) in [
        ("window = \"1500us\"", "in whole milliseconds, got 1ms 500us"),
        ("limits = 5", "limits must be a section"),
        (
            "on_change = \"later\"",
            "r.toml:1: on_change must be \"boundary\" or \"now\", got \"later\"",
        ),
        (
            "on_remove = true",
            "r.toml:1: on_remove must be \"drain\" or \"discard\", got true",
        ),
        ("probation = \"1year\"", "r.toml:1: probation must be 0s to 7days"),
        (
            "probation_batches = 0",
            "r.toml:1: probation_batches must be 1 to 1000000000, got 0",
        ),
        ("topics = [", "r.toml:1: "),
    ] {
        let problems = Sidecar::parse(text, "r.toml", &GuestDefaults::default())
            .unwrap_err()
            .problems
            .to_string();
        assert!(problems.contains(expected), "{problems}");
    }
}

#[test]
fn who_asks_the_running_process_needs_only_http_to_be_right() {
    let text = "# env: PORT=9000\n[http]\nlisten = \"127.0.0.1:${PORT}\"\ntoken = \"0123456789abcdef\"\n\
                [sink.cloud]\ntype = \"mqtt\"\nserver = \"ssl://x\"\nkey = \"/root/secret.key\"\npassword = \"${NOT_SET}\"\n";
    assert!(checked(text).is_err());
    let http = |text: &str| check_http(text, Path::new("rulemill.toml"), &environment(text));
    let found = http(text).unwrap().unwrap();
    assert_eq!(
        (found.listen.to_string().as_str(), found.token.as_deref()),
        ("127.0.0.1:9000", Some("0123456789abcdef"))
    );
    assert_eq!(http("[listener]\n").unwrap(), None);
    let wrong = http("[http]\nlisten = \"somewhere\"").unwrap_err().to_string();
    assert!(wrong.contains("http.listen"), "{wrong}");
    let set = "# env: RULEMILL__HTTP__LISTEN=127.0.0.1:7\n[listener]\n";
    assert_eq!(http(set).unwrap().unwrap().listen.port(), 7);
}
