//! The binary under test.

use crate::mosquitto::signal;
use crate::ports::{ATTEMPTS_MAX, free_port, says_in_use};
use crate::{LIMIT, Output, Sandbox, get, wait_for, wait_for_async};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// `rulemill run`, until this guard is dropped.
#[derive(Debug)]
pub struct Rulemill {
    /// The port of `[http]`, when the configuration says `$HTTP`.
    pub http: u16,
    /// The port of `[listener]`, when the configuration says `$LISTENER`.
    pub listener: u16,
    config: PathBuf,
    process: Child,
    stdout: Output,
    log: Output,
}

/// How a command ended, and what it printed.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Rulemill {
    /// Starts `rulemill run` with this configuration and waits until it is ready. `$HTTP` and `$LISTENER` in the text
    /// become free ports; `[http]` must be there.
    pub async fn start(sandbox: &Sandbox, config: &str) -> Self {
        Self::start_as(sandbox, "run", config).await
    }

    /// The same for `rulemill serve`.
    pub async fn serve(sandbox: &Sandbox, config: &str) -> Self {
        Self::start_as(sandbox, "serve", config).await
    }

    async fn start_as(sandbox: &Sandbox, verb: &str, config: &str) -> Self {
        for _ in 0..ATTEMPTS_MAX {
            let (http, listener) = (free_port(), free_port());
            let path = sandbox.write("rulemill.toml", with_ports(config, http, listener));
            let mut run = command(&path, verb);
            if !config.contains("on_stop") {
                // Most stories end with a look at what was open.
                run.env("RULEMILL__DATA__ON_STOP", "emit");
            }
            let mut process = run
                .current_dir(sandbox.dir())
                .spawn()
                .expect("the binary can be started");
            let stdout = Output::follow(process.stdout.take().expect("stdout is piped"));
            let log = Output::follow(process.stderr.take().expect("stderr is piped"));
            let mut started = Rulemill {
                http,
                listener,
                config: path,
                process,
                stdout,
                log,
            };
            match started.ready().await {
                None => return started,
                Some(_) if says_in_use(&started.log.text()) => {}
                Some(status) => panic!("rulemill ended with {status} before it was ready"),
            }
        }
        panic!("no free ports for rulemill in {ATTEMPTS_MAX} attempts");
    }

    /// Writes another configuration, with the same ports, and asks for it to be read.
    pub fn reconfigure(&self, config: &str) {
        let text = with_ports(config, self.http, self.listener);
        std::fs::write(&self.config, text).expect("the sandbox can be written to");
        signal(&self.process, "HUP");
    }

    /// Asks it to stop, as Ctrl-C does, and waits until it has begun to.
    pub async fn interrupt(&self) {
        signal(&self.process, "INT");
        let begun = || self.log.text().contains("stopping").then_some(());
        wait_for("rulemill to begin to stop", LIMIT, begun).await;
    }

    /// Ends it at once, as a crash does, and waits until it is gone.
    pub async fn kill(&mut self) {
        signal(&self.process, "KILL");
        let process = &mut self.process;
        wait_for("rulemill to be gone", LIMIT, || process.try_wait().ok().flatten()).await;
        self.stdout.wait_for_end().await;
        self.log.wait_for_end().await;
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        signal(&self.process, "TERM");
        let process = &mut self.process;
        let status = wait_for("rulemill to stop", LIMIT, || process.try_wait().ok().flatten()).await;
        self.stdout.wait_for_end().await;
        self.log.wait_for_end().await;
        status
    }

    /// Standard output: what the log sink wrote, one emission a line.
    pub fn stdout(&self) -> &Output {
        &self.stdout
    }

    /// Standard error: the log.
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// The emissions on standard output from line `start` on, each the rows of one array.
    pub fn emissions_from(&self, start: usize) -> Vec<Vec<Value>> {
        let lines = self.stdout.lines_from(start);
        lines.iter().map(|line| rows_of(line)).collect()
    }

    /// Waits until the emissions so far satisfy `enough`; gives them.
    pub async fn wait_for_emissions(
        &self,
        what: &str,
        limit: Duration,
        enough: impl Fn(&[Vec<Value>]) -> bool,
    ) -> Vec<Vec<Value>> {
        wait_for(what, limit, || {
            Some(self.emissions_from(0)).filter(|emissions| enough(emissions))
        })
        .await
    }

    /// The value of a metric, summed over its labels; 0 while it is not there. `labels` are texts that its line must have.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = get(self.http, "/metrics").await.expect("rulemill serves its metrics");
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = text
            .lines()
            .filter(of_name)
            .filter(|line| labels.iter().all(|label| line.contains(label)));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// `None` when it is ready, its exit status when it ended before.
    async fn ready(&mut self) -> Option<ExitStatus> {
        let (process, http) = (&mut self.process, self.http);
        wait_for_async("rulemill to be ready", LIMIT, async || {
            if let Some(status) = process.try_wait().ok().flatten() {
                return Some(Some(status));
            }
            let (status, _) = get(http, "/readyz").await?;
            (status == 200).then_some(None)
        })
        .await
    }
}

impl Drop for Rulemill {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- rulemill's stdout\n{}", tail(&self.stdout));
            eprintln!("--- rulemill's log\n{}", tail(&self.log));
        }
    }
}

/// Runs `rulemill VERB` on this configuration until it ends by itself.
pub async fn run_to_end(sandbox: &Sandbox, verb: &str, config: &str) -> Finished {
    let path = sandbox.write("rulemill.toml", with_ports(config, free_port(), free_port()));
    end_of(command(&path, verb).current_dir(sandbox.dir())).await
}

/// Runs `rulemill ARGUMENTS` in the sandbox until it ends by itself.
pub async fn run_command(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    end_of(
        piped(&mut Command::new(binary()))
            .args(arguments)
            .current_dir(sandbox.dir()),
    )
    .await
}

async fn end_of(command: &mut Command) -> Finished {
    let what = format!("{command:?} to end");
    let mut process = Ending(command.spawn().expect("the binary can be started"));
    let stdout = Output::follow(process.0.stdout.take().expect("stdout is piped"));
    let stderr = Output::follow(process.0.stderr.take().expect("stderr is piped"));
    let status = wait_for(&what, LIMIT, || process.0.try_wait().ok().flatten()).await;
    stdout.wait_for_end().await;
    stderr.wait_for_end().await;
    Finished {
        code: status.code(),
        stdout: stdout.text(),
        stderr: stderr.text(),
    }
}

/// A process that does not outlive the wait for its end.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // It has ended already unless the wait failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The rows of an emission: a JSON array of objects, on one line.
pub(crate) fn rows_of(line: &str) -> Vec<Value> {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not a JSON array: {error}: {line}"))
}

fn with_ports(config: &str, http: u16, listener: u16) -> String {
    config
        .replace("$HTTP", &http.to_string())
        .replace("$LISTENER", &listener.to_string())
}

fn command(config: &Path, verb: &str) -> Command {
    let mut command = Command::new(binary());
    piped(&mut command).arg(verb).arg("--config").arg(config);
    command
}

fn piped(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

/// `target/PROFILE/rulemill`, beside the directory of the test's own executable, unless `RULEMILL_BIN` names another.
#[expect(
    clippy::disallowed_methods,
    reason = "which binary is tested is the environment's business"
)]
fn binary() -> PathBuf {
    if let Ok(path) = std::env::var("RULEMILL_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("the test has an executable");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("tests are built into target/PROFILE/deps");
    let path = profile.join("rulemill");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p rulemill` first",
        path.display()
    );
    path
}

fn tail(output: &Output) -> String {
    let lines = output.lines();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

/// How much of each output a failure shows.
const LINES_SHOWN: usize = 200;
