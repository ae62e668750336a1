//! A real mosquitto.

use crate::ports::{ATTEMPTS_MAX, free_port, says_in_use};
use crate::{Identity, LIMIT, Output, Sandbox, wait_for};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A broker that runs until this guard is dropped.
#[derive(Debug)]
pub struct Mosquitto {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    config: PathBuf,
    process: Child,
    log: Output,
}

/// Who may connect.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// Anybody, without TLS.
    Open,
    /// Whoever shows a certificate of this authority, over TLS.
    MutualTls {
        /// The authority's certificate.
        ca: &'a Path,
        /// The broker's own certificate and key.
        server: &'a Identity,
    },
}

/// How much a broker has to do.
#[derive(Clone, Copy, Debug)]
pub enum Traffic {
    /// So little that each packet is logged, and as many as one likes may be in flight.
    Light,
    /// Thousands of messages a second: who subscribes is logged, and 1000 may be in flight to a client.
    Heavy,
}

impl Mosquitto {
    /// Starts a broker and waits until it listens. It keeps sessions and queued messages over a restart.
    pub async fn start(sandbox: &Sandbox, access: Access<'_>) -> Self {
        Self::start_with(sandbox, access, Traffic::Light).await
    }

    /// As [`Mosquitto::start`], for so much traffic.
    pub async fn start_with(sandbox: &Sandbox, access: Access<'_>, traffic: Traffic) -> Self {
        for _ in 0..ATTEMPTS_MAX {
            let port = free_port();
            let config = sandbox.write(
                &format!("mosquitto-{port}.conf"),
                config(sandbox, port, (access, traffic)),
            );
            let (process, log) = spawn(&config);
            let mut broker = Mosquitto {
                port,
                config,
                process,
                log,
            };
            if broker.listens().await {
                return broker;
            }
            assert!(
                says_in_use(&broker.log.text()),
                "mosquitto ended:\n{}",
                broker.log.text()
            );
        }
        panic!("no free port for mosquitto in {ATTEMPTS_MAX} attempts");
    }

    /// Stops the broker in good order, for [`Mosquitto::restart`].
    pub async fn stop(&mut self) {
        signal(&self.process, "TERM");
        let process = &mut self.process;
        wait_for("mosquitto to end", LIMIT, || process.try_wait().ok().flatten()).await;
    }

    /// Kills the broker, for [`Mosquitto::restart`]. It forgets what it had in memory: sessions, and messages that it had
    /// acknowledged and not delivered.
    pub fn kill(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts the stopped broker again on the same port, with its sessions.
    pub async fn restart(&mut self) {
        (self.process, self.log) = spawn(&self.config);
        assert!(self.listens().await, "mosquitto ended:\n{}", self.log.text());
    }

    /// Waits until somebody subscribes to exactly this filter.
    pub async fn wait_for_subscription(&self, filter: &str) {
        let what = format!("a subscription to {filter}");
        let tells = |line: &String| is_subscription(line, filter);
        wait_for(&what, LIMIT, || self.log.lines().iter().any(tells).then_some(())).await;
    }

    /// Waits until the last that was said of exactly this filter is that somebody subscribes to it.
    pub async fn wait_until_subscribed(&self, filter: &str) {
        let what = format!("a subscription to {filter} that was not given up");
        wait_for(&what, LIMIT, || {
            let lines = self.log.lines();
            let last = lines.iter().rfind(|line| line.contains(filter));
            last.filter(|line| is_subscription(line, filter)).map(|_| ())
        })
        .await;
    }

    /// The address as rulemill's configuration wants it, without TLS.
    pub fn tcp_url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// The address as rulemill's configuration wants it, with TLS.
    pub fn ssl_url(&self) -> String {
        format!("ssl://127.0.0.1:{}", self.port)
    }

    /// What it logged so far.
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// True when it runs and listens, false when it ended.
    async fn listens(&mut self) -> bool {
        let (process, log) = (&mut self.process, &self.log);
        wait_for("mosquitto to listen", LIMIT, || {
            if process.try_wait().ok().flatten().is_some() {
                return Some(false);
            }
            log.text().contains(" running").then_some(true)
        })
        .await
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let lines = self.log.lines();
            let last = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- mosquitto on port {}\n{}", self.port, last.join("\n"));
        }
    }
}

/// Sends a signal to a process that the caller started.
pub(crate) fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), process.id().to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "could not send SIG{name}");
}

fn spawn(config: &Path) -> (Child, Output) {
    let mut process = Command::new("mosquitto")
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mosquitto is installed (`make need-mosquitto`)");
    let log = Output::follow(process.stderr.take().expect("stderr is piped"));
    (process, log)
}

fn config(sandbox: &Sandbox, port: u16, (access, traffic): (Access<'_>, Traffic)) -> String {
    let tuning = match traffic {
        Traffic::Light => "log_type all\nmax_inflight_messages 0",
        Traffic::Heavy => {
            "log_type error\nlog_type warning\nlog_type notice\nlog_type information\nlog_type subscribe\n\
             max_inflight_messages 1000"
        }
    };
    let mut text = format!(
        "user root\nlog_dest stderr\n{tuning}\nallow_anonymous true\n\
         max_queued_messages 0\nset_tcp_nodelay true\n\
         persistence true\npersistence_file mosquitto-{port}.db\npersistence_location {}/\n\
         listener {port} 127.0.0.1\n",
        sandbox.dir().display()
    );
    if let Access::MutualTls { ca, server } = access {
        writeln!(text, "cafile {}", ca.display()).expect("a string takes any text");
        writeln!(text, "certfile {}", server.cert.display()).expect("a string takes any text");
        writeln!(text, "keyfile {}", server.key.display()).expect("a string takes any text");
        text.push_str("require_certificate true\n");
    }
    text
}

/// How much of the log a failure shows.
const LOG_LINES_SHOWN: usize = 60;

/// As it is logged with the packets, and as it is without.
fn is_subscription(line: &str, filter: &str) -> bool {
    line.contains(&format!("{filter} (QoS ")) || line.ends_with(&format!(" 1 {filter}"))
}
