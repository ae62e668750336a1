//! A window of a million groups: its memory, and how long its close keeps the mill from other work at a time.

use super::messages::{SOURCE, WINDOW_MS};
use super::mill::workbench;
use super::process::resident_bytes;
use super::ratio::{median, timed};
use super::table::Row;
use rulemill::config::LimitsConfig;
use rulemill::message::{Audience, Delivery, Message};
use rulemill::pipeline::Workbench;
use rulemill_core::Micros;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let limits = LimitsConfig {
        groups_max: GROUPS,
        ..LimitsConfig::default()
    };
    let mut workbench = workbench("device_temperature", limits, Some(WINDOW_MS))?;
    let before = resident_bytes("self")?;
    fill(&mut workbench, 0);
    let each = resident_bytes("self")?.saturating_sub(before) / GROUPS as u64;
    let own = each.saturating_sub(KEY_BYTES);
    let mut closes = Vec::new();
    for window in 0..WINDOWS {
        closes.push(close(&mut workbench, window + 1));
        fill(&mut workbench, window + 1);
    }
    let longest = median(closes.iter().map(|close| close.longest));
    let whole = median(closes.iter().map(|close| close.whole));
    Ok(vec![
        Row::judged(
            "1,000,000 groups in a window, resident bytes each",
            format!("{own} and {KEY_BYTES} of the key"),
            "96 and the key",
            own <= 96,
        ),
        Row::judged(
            "1,000,000 groups, ingest stalls when they close for",
            format!(
                "{:.1} ms at a time; {} ms in all",
                longest.as_secs_f64() * 1000.0,
                whole.as_millis()
            ),
            "20 ms",
            longest.as_millis() < 20,
        ),
    ])
}

/// Gives every group a message in the window of that number.
fn fill(workbench: &mut Workbench, window: i64) {
    for first in (0..GROUPS).step_by(BATCH) {
        workbench.process([delivery(first..first + BATCH, arrival(window, 0))]);
    }
}

struct Close {
    /// The longest turn of the mill.
    longest: Duration,
    whole: Duration,
}

/// Lets the window before the one of that number close, while messages come.
fn close(workbench: &mut Workbench, window: i64) -> Close {
    let turns = (0..TURNS).map(|turn| {
        let delivery = delivery(0..16, arrival(window, turn));
        timed(|| workbench.process([delivery]))
    });
    let turns: Vec<Duration> = turns.collect();
    Close {
        longest: turns.iter().copied().max().unwrap_or_default(),
        whole: turns.iter().sum(),
    }
}

fn arrival(window: i64, after: i64) -> Micros {
    Micros(window * WINDOW_MS.cast_signed() * 1000 + after)
}

fn delivery(devices: Range<usize>, arrival: Micros) -> Delivery {
    let message = |device: usize| Message {
        topic: format!("devices/dev-{device:07}/messages").into(),
        payload: r#"{"temperature": 20.5, "humidity" : 12}"#.into(),
        qos: 1,
        retain: false,
        arrival,
    };
    Delivery {
        source: SOURCE.into(),
        messages: Arc::from_iter(devices.map(message)),
        audience: Audience::All,
    }
}

const GROUPS: usize = 1_000_000;
const BATCH: usize = 1000;

/// Turns in which a window closes, and more.
const TURNS: i64 = 200;

const WINDOWS: i64 = 5;

/// `dev-0000000`.
const KEY_BYTES: u64 = 11;
