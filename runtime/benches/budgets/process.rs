//! The real binary as a child process, and what the system says of processes.

use super::mill::guests;
use super::table::Row;
use anyhow::{Context as _, bail, ensure};
use rulemill::clock;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Idle memory and the size of the binary.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let child = Rulemill::start(
        "[listener]\nmqtt = \"127.0.0.1:LISTENER\"\n",
        &["text", "device_temperature", "comfort", "high_temperature"],
    )?;
    child.wait_for("every guest runs", |child| Ok(child.running_guests()? == 4))?;
    pause(Duration::from_secs(1));
    let resident = child.resident_bytes()?;
    let stripped = stripped_bytes()?;
    Ok(vec![
        Row::judged(
            "idle resident memory, four guests loaded",
            megabytes(resident),
            "20 MB",
            resident <= 20_000_000,
        ),
        Row::judged("stripped binary", megabytes(stripped), "20 MB", stripped <= 20_000_000),
    ])
}

/// `rulemill run`, killed when this is dropped.
pub(crate) struct Rulemill {
    child: Child,
    pub(crate) listener: u16,
    http: u16,
    folder: tempfile::TempDir,
}

impl Rulemill {
    /// Starts it in a folder of its own with these guests; `LISTENER` in the configuration becomes a free port.
    pub(crate) fn start(configuration: &str, names: &[&str]) -> anyhow::Result<Self> {
        let copies: Vec<(&str, String)> = names.iter().map(|&name| (name, name.to_owned())).collect();
        Self::start_with(configuration, &copies)
    }

    /// The same, with guests under other names: what to copy, and the copy's name.
    pub(crate) fn start_with(configuration: &str, copies: &[(&str, String)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let rules = folder.path().join("rules.d");
        std::fs::create_dir(&rules)?;
        for (name, copy) in copies {
            let from = guests().join(format!("{name}.wasm"));
            std::fs::copy(&from, rules.join(format!("{copy}.wasm")))
                .with_context(|| format!("{}; run `make rules` first", from.display()))?;
        }
        let (listener, http) = (free_port()?, free_port()?);
        let mut text = configuration.replace("LISTENER", &listener.to_string());
        text.push_str(&format!(
            "[rules]\ndefault_sinks = [\"out\"]\n[sink.out]\ntype = \"file\"\npath = \"out.jsonl\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n"
        ));
        let file = folder.path().join("rulemill.toml");
        std::fs::write(&file, text)?;
        Ok(Rulemill {
            child: spawn(folder.path())?,
            listener,
            http,
            folder,
        })
    }

    /// Waits until `ready`, for at most two minutes: compiling hundreds of guests takes its time.
    pub(crate) fn wait_for(&self, what: &str, ready: impl Fn(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let deadline = clock::monotonic() + Duration::from_secs(120);
        while clock::monotonic() < deadline {
            if ready(self).unwrap_or(false) {
                return Ok(());
            }
            pause(Duration::from_millis(20));
        }
        bail!("waited in vain until {what}; the log:\n{}", self.log())
    }

    /// The same without a pause between two looks, for at most ten seconds.
    pub(crate) fn wait_briefly(&self, what: &str, ready: impl Fn(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let deadline = clock::monotonic() + Duration::from_secs(10);
        while clock::monotonic() < deadline {
            if ready(self)? {
                return Ok(());
            }
            pause(Duration::from_micros(200));
        }
        bail!("waited in vain until {what}; the log:\n{}", self.log())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The directory of its guests.
    pub(crate) fn rules(&self) -> PathBuf {
        self.folder.path().join("rules.d")
    }

    /// The emissions that are in the file.
    pub(crate) fn emitted_lines(&self) -> anyhow::Result<usize> {
        let text = std::fs::read_to_string(self.folder.path().join("out.jsonl"))?;
        Ok(text.matches('\n').count())
    }

    /// The sum of a field over all rows of all emissions.
    pub(crate) fn counted(&self, field: &str) -> anyhow::Result<u64> {
        let text = std::fs::read_to_string(self.folder.path().join("out.jsonl"))?;
        let mut sum = 0;
        for line in text.lines() {
            let rows: Vec<serde_json::Value> = serde_json::from_str(line)?;
            sum += rows.iter().filter_map(|row| row[field].as_u64()).sum::<u64>();
        }
        Ok(sum)
    }

    /// The files and sockets that it has open.
    pub(crate) fn open_files(&self) -> anyhow::Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Lets it finish: it emits what is open and ends.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(asked.success(), "kill failed");
        let ended = self.child.wait()?;
        ensure!(ended.success(), "it ended with {ended}; the log:\n{}", self.log());
        Ok(())
    }

    /// Ends it as a crash does, and starts it again. Gives how long it took until it answered.
    pub(crate) fn crash(&mut self) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let began = clock::monotonic();
        self.child = spawn(self.folder.path())?;
        self.wait_for("it answers again", |rulemill| {
            Ok(rulemill.get("/healthz")?.contains("200 OK"))
        })?;
        Ok(clock::monotonic().duration_since(began))
    }

    /// What it has caused to be written to disks.
    pub(crate) fn written_bytes(&self) -> anyhow::Result<u64> {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(line.context("write_bytes")?.parse()?)
    }

    /// The sum of the samples of a metric.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let text = self.get("/metrics")?;
        let samples = text.lines().filter(|line| line.starts_with(name));
        let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(values.sum())
    }

    /// Guests that run, libraries included.
    pub(crate) fn running_guests(&self) -> anyhow::Result<usize> {
        Ok(self.get("/guests")?.matches(r#""status":"running""#).count())
    }

    /// The processor time of all threads that are alive.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        let mut sum = Duration::ZERO;
        for task in tasks {
            sum += scheduled(&task?.path().join("schedstat"))?;
        }
        Ok(sum)
    }

    /// The resident memory.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(&self.child.id().to_string())
    }

    /// The answer to a request, headers included.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http))?;
        // While rules are loaded the port is open, but nobody answers.
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Rulemill {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))?;
    let child = Command::new(env!("CARGO_BIN_EXE_rulemill"))
        .args(["run", "--config"])
        .arg(folder.join("rulemill.toml"))
        // What is counted at the end includes what was open.
        .env("RULEMILL__DATA__ON_STOP", "emit")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(child)
}

/// The resident memory of a process, by its id or `self`.
pub(crate) fn resident_bytes(process: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).context("VmRSS")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

/// The processor time of the calling thread.
pub(crate) fn cpu_of_this_thread() -> anyhow::Result<Duration> {
    scheduled(Path::new("/proc/thread-self/schedstat"))
}

/// Waits without work.
pub(crate) fn pause(time: Duration) {
    let until = clock::monotonic() + time;
    while let Some(left) = until
        .checked_duration_since(clock::monotonic())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

/// What was measured, and on what.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let git = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).output();
    let commit = git.ok().filter(|git| git.status.success());
    let commit = commit.map_or_else(
        || "unknown".into(),
        |git| String::from_utf8_lossy(&git.stdout).trim().to_owned(),
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} cores, {model}, load {load} at the start; commit {commit}")
}

/// Bytes as megabytes, for people.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn scheduled(file: &Path) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(file)?;
    let nanos = text.split_whitespace().next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn stripped_bytes() -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("rulemill");
    std::fs::copy(env!("CARGO_BIN_EXE_rulemill"), &copy)?;
    let stripped = Command::new("strip").arg(&copy).status().context("strip")?;
    ensure!(stripped.success(), "strip failed");
    Ok(std::fs::metadata(&copy)?.len())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
