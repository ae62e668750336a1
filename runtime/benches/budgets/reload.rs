//! How long it takes from a file that is in place until its code runs, and what a thousand reloads cost.

use super::device::Device;
use super::mill::guests;
use super::process::{Rulemill, megabytes, pause};
use super::table::Row;
use anyhow::{Context as _, anyhow, ensure};
use rulemill::clock;
use rulemill::config::LimitsConfig;
use rulemill::rule::{ContentDigest, GuestEngine, load};
use std::time::Duration;

/// From the rename of a shipped rule to its first batch, with and without its code in the cache.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let versions = Versions::read()?;
    let compile = compile_time(&versions)?;
    let rulemill = Rulemill::start(LISTENER, &["text", RULE])?;
    rulemill.wait_for("both guests run", |rulemill| Ok(rulemill.running_guests()? == 2))?;
    let mut cold = Vec::new();
    for number in 0..RELOADS {
        cold.push(reload(&rulemill, &versions, number)?);
    }
    let mut warm = Vec::new();
    for number in 0..RELOADS {
        warm.push(reload(&rulemill, &versions, number)?);
    }
    let (cold, warm) = (median(cold), median(warm));
    let beyond = cold.saturating_sub(compile);
    Ok(vec![
        Row::judged(
            format!("reload: file in place to new code in use, median of {RELOADS}"),
            format!(
                "{}; {} beyond compiling ({})",
                millis(cold),
                millis(beyond),
                millis(compile)
            ),
            "50 ms beyond loading",
            beyond <= Duration::from_millis(50),
        ),
        Row::judged(
            format!("the same with its code in the cache, median of {RELOADS}"),
            millis(warm),
            "20 ms",
            warm <= Duration::from_millis(20),
        ),
    ])
}

/// A thousand reloads, or as many as the command line says, while 5,000 messages a second flow. It runs only when it is named.
pub(crate) fn soak() -> anyhow::Result<Vec<Row>> {
    let reloads: usize = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1000);
    ensure!(reloads > 50, "there must be more than 50 reloads, got {reloads}");
    let versions = Versions::read()?;
    let mut rulemill = Rulemill::start(LISTENER, &["text", RULE])?;
    rulemill.wait_for("both guests run", |rulemill| Ok(rulemill.running_guests()? == 2))?;
    let (device, began) = (Device::start(rulemill.listener, PER_SECOND)?, clock::monotonic());
    let mut settled = None;
    for number in 0..reloads {
        reload(&rulemill, &versions, number)?;
        if number + 1 == 50 {
            settled = Some((rulemill.resident_bytes()?, rulemill.open_files()?));
        }
    }
    let (resident, files) = settled.context("fifty reloads")?;
    let (resident_after, files_after) = (rulemill.resident_bytes()?, rulemill.open_files()?);
    let took = clock::monotonic().duration_since(began);
    let (sent, acknowledged) = device.stop()?;
    rulemill.stop()?;
    let counted = rulemill.counted("t_count")?;
    let growth = ratio(resident_after, resident);
    Ok(vec![
        Row::judged(
            format!("{reloads} reloads under {PER_SECOND} messages/s: counted in windows"),
            format!(
                "{counted} of {sent} sent, {} acknowledged; {:.0} messages/s",
                acknowledged.messages,
                per_second(sent, took)
            ),
            "all, once",
            counted == sent && acknowledged.messages == sent && per_second(sent, took) >= f64::from(PER_SECOND) * 0.98,
        ),
        Row::judged(
            "resident memory after them, by that after the first 50",
            format!(
                "{:+.1} % ({} to {})",
                (growth - 1.0) * 100.0,
                megabytes(resident),
                megabytes(resident_after)
            ),
            "5 %",
            growth <= 1.05,
        ),
        Row::judged(
            "open files after them, and after the first 50",
            format!("{files_after}, {files}"),
            "the same",
            files_after <= files,
        ),
        Row::information("longest acknowledgement meanwhile", millis(acknowledged.longest)),
    ])
}

/// Versions of a shipped rule that do the same and are different files.
struct Versions {
    code: Vec<u8>,
}

impl Versions {
    fn read() -> anyhow::Result<Self> {
        let path = guests().join(format!("{RULE}.wasm"));
        let code = std::fs::read(&path).with_context(|| format!("{}; run `make rules` first", path.display()))?;
        Ok(Versions { code })
    }

    /// The rule with a custom section that has a number in it.
    fn version(&self, number: usize) -> Vec<u8> {
        let mut code = self.code.clone();
        code.extend([0, 10, 1, b'v']);
        code.extend(u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes());
        code
    }
}

/// Puts a version in place, and waits until it runs.
fn reload(rulemill: &Rulemill, versions: &Versions, number: usize) -> anyhow::Result<Duration> {
    let code = versions.version(number);
    let running = format!(r#""digest":"{}""#, ContentDigest::of(&code));
    let hidden = rulemill.rules().join(".new");
    std::fs::write(&hidden, &code)?;
    let started = clock::monotonic();
    std::fs::rename(&hidden, rulemill.rules().join(format!("{RULE}.wasm")))?;
    rulemill.wait_briefly("the new version runs", |rulemill| {
        Ok(rulemill.get(&format!("/rules/{RULE}"))?.contains(&running))
    })?;
    Ok(clock::monotonic().duration_since(started))
}

/// What compiling a version takes alone, in this process.
fn compile_time(versions: &Versions) -> anyhow::Result<Duration> {
    let engine = GuestEngine::new().map_err(|error| anyhow!("{error:#}"))?;
    let limits = LimitsConfig::default();
    let mut times = Vec::new();
    for number in 0..20 {
        let code = versions.version(number);
        let started = clock::monotonic();
        load(&engine, &code, &limits)?;
        times.push(clock::monotonic().duration_since(started));
        pause(Duration::from_millis(1));
    }
    Ok(median(times))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// For people.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
fn per_second(sent: u64, took: Duration) -> f64 {
    sent as f64 / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of numbers of megabytes")]
fn ratio(after: u64, before: u64) -> f64 {
    after as f64 / before as f64
}

const LISTENER: &str = "[listener]\nmqtt = \"127.0.0.1:LISTENER\"\n";
const RULE: &str = "device_temperature";
const RELOADS: usize = 100;
const PER_SECOND: u32 = 5000;
