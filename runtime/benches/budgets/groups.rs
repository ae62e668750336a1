//! A window of a million groups: its memory, and the longest time for which its close keeps the mill from other work.

use super::messages::{SOURCE, WINDOW_MS};
use super::mill::workbench;
use super::process::resident_bytes;
use super::ratio::timed;
use super::table::Row;
use rulemill::config::LimitsConfig;
use rulemill::message::{Audience, Delivery, Message};
use rulemill_core::Micros;
use std::sync::Arc;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let limits = LimitsConfig {
        groups_max: GROUPS,
        ..LimitsConfig::default()
    };
    let mut workbench = workbench("device_temperature", limits, Some(WINDOW_MS))?;
    let before = resident_bytes("self")?;
    for first in (0..GROUPS).step_by(BATCH) {
        workbench.process([delivery(first, Micros(0))]);
    }
    let each = resident_bytes("self")?.saturating_sub(before) / GROUPS as u64;
    let own = each.saturating_sub(KEY_BYTES);
    let stall = timed(|| workbench.advance(Micros(WINDOW_MS.cast_signed() * 1000)));
    Ok(vec![
        Row::judged(
            "1,000,000 groups in a window, resident bytes each",
            format!("{own} and {KEY_BYTES} of the key"),
            "96 and the key",
            own <= 96,
        ),
        Row::judged(
            "1,000,000 groups, ingest stalls when they close for",
            format!("{} ms", stall.as_millis()),
            "20 ms",
            stall.as_millis() <= 20,
        ),
    ])
}

fn delivery(first: usize, arrival: Micros) -> Delivery {
    let message = |device: usize| Message {
        topic: format!("devices/dev-{device:07}/messages").into(),
        payload: r#"{"temperature": 20.5, "humidity" : 12}"#.into(),
        qos: 1,
        retain: false,
        arrival,
    };
    Delivery {
        source: SOURCE.into(),
        messages: Arc::from_iter((first..first + BATCH).map(message)),
        audience: Audience::All,
    }
}

const GROUPS: usize = 1_000_000;
const BATCH: usize = 1000;

/// `dev-0000000`.
const KEY_BYTES: u64 = 11;
