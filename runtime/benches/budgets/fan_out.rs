//! Many rules on one stream in one mill: what a message costs for each of them, without threads and queues around it.

use super::messages::{Messages, WINDOW_MS};
use super::mill::workbench_of;
use super::process::cpu_of_this_thread;
use super::ratio::median;
use super::table::Row;
use rulemill::config::LimitsConfig;
use std::time::Duration;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    Ok(vec![
        row("copies of one rule", |_| WINDOW_MS)?,
        row("rules that share no window", |number| WINDOW_MS + number)?,
    ])
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a round are far below 2^52")]
fn row(what: &str, window_ms: impl Fn(u64) -> u64) -> anyhow::Result<Row> {
    let messages = Messages::new();
    let windows = (0..RULES).map(|number| Some(window_ms(number)));
    let mut workbench = workbench_of("device_temperature", LimitsConfig::default(), windows)?;
    let rounds = (0..ROUNDS).map(|round| {
        let deliveries = messages.round(round, 1);
        // Each round begins with the close of the windows before it, in pieces, which is not what is measured.
        let (first, rest) = deliveries.split_at(deliveries.len() - MESSAGES);
        first[first.len() - CLOSING..]
            .iter()
            .for_each(|delivery| workbench.process([delivery.clone()]));
        let before = cpu_of_this_thread()?;
        rest.iter().for_each(|delivery| workbench.process([delivery.clone()]));
        Ok(cpu_of_this_thread()? - before)
    });
    let rounds: Vec<Duration> = rounds.collect::<anyhow::Result<_>>()?;
    let each = median(rounds.into_iter()).as_nanos() as f64 / (MESSAGES as u64 * RULES) as f64;
    Ok(Row::information(
        format!("{RULES} {what} on one stream, one by one, per message and rule"),
        format!("{each:.0} ns"),
    ))
}

const RULES: u64 = 300;
/// Those of ten seconds, at 500 messages a second: most groups are there already.
const MESSAGES: usize = 5000;

/// Messages in which all windows have come out.
const CLOSING: usize = 100;

const ROUNDS: usize = 9;
