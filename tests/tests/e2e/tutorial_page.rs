//! `docs/tutorial.md`, as somebody would follow it. Files are those that the page shows, commands are run as they stand there, and what they print
//! is compared.
//!
//! The page marks what a reader sees: `<!-- file: NAME -->` before the content of a file, `<!-- beside the next block -->` before a command that
//! runs while the next ones do, `<!-- arrives -->` before what is published. Addresses are replaced by those of this test.

use crate::common::{FILTER, WINDOW_LIMIT};
use rulemill_tests::{Access, Authority, Mosquitto, Rulemill, Sandbox, Subscriber, run_command, wait_for_async};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A part of the page.
#[derive(Debug)]
enum Part {
    /// The content of a file.
    File(String, String),
    /// Commands with what they print.
    Commands(Vec<(String, String)>),
    /// One command that runs while the next ones do.
    Beside(String, String),
    /// What is published.
    Arrives(String),
}

/// The parts of the page, in their order. A block that is not marked and no console is an error: nobody would check it.
fn parts(page: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut mark = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- ") {
            mark = comment.trim_end_matches("-->").trim();
        }
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = block.join("\n");
        let part = match (mark, mark.strip_prefix("file: "), language) {
            (_, Some(name), _) => Part::File(name.to_owned(), text),
            ("arrives", ..) => Part::Arrives(text),
            ("beside the next block", _, "console") => {
                let mut commands = commands(&block);
                let (command, printed) = commands.remove(0);
                Part::Beside(command, printed)
            }
            ("", _, "console") => Part::Commands(commands(&block)),
            _ => panic!("a block that nobody checks:\n{text}"),
        };
        parts.push(part);
        mark = "";
    }
    parts
}

fn commands(block: &[&str]) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, printed))) => {
                printed.push_str(line);
                printed.push('\n');
            }
            (None, None) => panic!("{line} stands before any command"),
        }
    }
    commands
}

/// The words of a command line: quotes keep blanks.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in command.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What the page's configuration makes of the stream's filter.
fn shared() -> String {
    format!("$share/gateway/{FILTER}")
}

/// The number of the ten seconds that it is now.
#[expect(clippy::disallowed_methods, reason = "windows of the process go by this clock")]
fn window() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    now.as_secs() / 10
}

/// What the page is carried out with.
struct Reader {
    sandbox: Sandbox,
    replaced: Vec<(&'static str, String)>,
}

impl Reader {
    fn here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (there, here) in &self.replaced {
            text = text.replace(there, here);
        }
        text
    }

    /// What a command prints, errors included.
    async fn run(&self, command: &str) -> String {
        let command = self.here(command);
        let words = words(&command);
        let (program, arguments) = words.split_first().expect("a command has a name");
        assert_eq!(program, "rulemill", "{command}");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = run_command(&self.sandbox, &arguments).await;
        (done.stdout + &done.stderr).trim_end().to_owned()
    }

    async fn check(&self, command: &str, printed: &str) {
        let found = self.run(command).await;
        let expected = self.here(printed.trim_end());
        // How long something took is as it happens to be.
        let but_time = |text: &str| {
            text.split_once(" in ")
                .map_or(text.to_owned(), |(what, _)| what.to_owned())
        };
        match command.contains(" simulate ") {
            true => assert_eq!(but_time(&found), but_time(&expected), "{command}"),
            false => assert_eq!(found, expected, "{command}"),
        }
    }

    /// Runs a query, and the commands that publish for it. When a window ends between their messages, once more.
    async fn check_query(
        &self,
        rulemill: &Rulemill,
        devices: &Mosquitto,
        (query, printed): (&str, &str),
        publish: &[(String, String)],
    ) {
        loop {
            let queries = || rulemill.log().text().matches("query started").count();
            let before = queries();
            let watched = self.run(query);
            let published = async {
                wait_for_async("the query", WINDOW_LIMIT, async || (queries() > before).then_some(())).await;
                devices.wait_until_subscribed(&shared()).await;
                let began = window();
                for (command, printed) in publish {
                    self.check(command, printed).await;
                }
                began == window()
            };
            let (found, in_one_window) = tokio::join!(watched, published);
            if in_one_window {
                assert_eq!(found, printed.trim_end(), "{query}");
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tutorial_works_as_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let sandbox = Sandbox::new();
    let authority = Authority::new(&sandbox);
    let server = authority.server(&sandbox);
    let devices = Mosquitto::start(&sandbox, Access::Open).await;
    let access = Access::MutualTls {
        ca: &authority.ca,
        server: &server,
    };
    let cloud = Mosquitto::start(&sandbox, access).await;
    let reader = authority.client(&sandbox, "reader");
    let results = Subscriber::connect_tls(&cloud, "devices/result", &authority.ca, &reader).await;
    authority.client(&sandbox, "demo_001");
    let mut reader = Reader {
        sandbox,
        replaced: vec![
            ("tcp://127.0.0.1:1883", devices.tcp_url()),
            ("ssl://HOST:8883", cloud.ssl_url()),
            ("certificate.pem", "demo_001.pem".to_owned()),
            ("private.pem.key", "demo_001.key".to_owned()),
            ("127.0.0.1:9081", "127.0.0.1:$HTTP".to_owned()),
        ],
    };

    let mut config = String::new();
    let mut running: Option<Rulemill> = None;
    let mut checked = 0;
    let parts = parts(&page);
    let mut parts = parts.iter().peekable();
    let mut beside: Option<(&str, &str)> = None;
    // What may be published again when a window ends between the messages.
    let mut published: &[(String, String)] = &[];
    while let Some(part) = parts.next() {
        match part {
            Part::File(name, text) if name == "rulemill.toml" => config = reader.here(text),
            Part::File(name, text) => drop(reader.sandbox.write(name, reader.here(text))),
            Part::Beside(command, printed) => beside = Some((command, printed)),
            Part::Commands(commands) => {
                checked += commands.len();
                if let Some(query) = beside.take() {
                    let rulemill = running.as_ref().expect("the server runs");
                    reader.check_query(rulemill, &devices, query, commands).await;
                    continue;
                }
                if commands[0].0 == "rulemill serve &" {
                    let rulemill = Rulemill::serve(&reader.sandbox, &config).await;
                    let port = format!("port {}", rulemill.http);
                    reader.replaced.push(("port 9081", port));
                    let serving = reader.here(commands[0].1.trim_end());
                    wait_for_async("the first line", WINDOW_LIMIT, async || {
                        (!rulemill.stdout().is_empty()).then_some(())
                    })
                    .await;
                    assert_eq!(rulemill.stdout().lines()[0], serving);
                    running = Some(rulemill);
                    continue;
                }
                if matches!(parts.peek(), Some(Part::Arrives(_))) {
                    published = commands;
                    continue;
                }
                for (command, printed) in commands {
                    reader.check(command, printed).await;
                }
            }
            Part::Arrives(expected) => loop {
                devices.wait_until_subscribed(&shared()).await;
                let before = results.wait_for_payloads(0, WINDOW_LIMIT).await.len();
                let began = window();
                for (command, printed) in published {
                    reader.check(command, printed).await;
                }
                let in_one_window = began == window();
                let received = results.wait_for_payloads(before + 1, WINDOW_LIMIT).await;
                if in_one_window {
                    assert_eq!(received[before..], std::slice::from_ref(expected)[..]);
                    break;
                }
            },
        }
    }
    assert!(checked > 12, "the page has had {checked} commands");
}
