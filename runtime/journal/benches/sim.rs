//! Very many simulations: `cargo bench --package rulemill-journal --bench sim -- [SEEDS [FIRST]]`. A seed that fails says so,
//! and becomes a test.

#[path = "../tests/simulation/trial/mod.rs"]
mod trial;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use trial::{Plan, Tally, run};

fn main() -> ExitCode {
    let numbers = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let numbers: Vec<u64> = numbers.filter_map(|word| word.parse().ok()).collect();
    let seeds = numbers.first().copied().unwrap_or(SEEDS);
    let first = numbers.get(1).copied().unwrap_or(0);
    let next = AtomicU64::new(first);
    let tally = Mutex::new(Tally::default());
    let broken = Mutex::new(Vec::new());
    let work = || {
        let mut own = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                break;
            }
            let first_crash = None;
            match run(Plan { seed, first_crash }) {
                Ok(trial) => own.add(&trial),
                Err(error) => broken.lock().unwrap_or_else(PoisonError::into_inner).push(error),
            }
        }
        tally.lock().unwrap_or_else(PoisonError::into_inner).add(&own);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut out = std::io::stdout().lock();
    let told = writeln!(
        out,
        "{seeds} seeds from {first}, {} of them broken\n{tally}",
        broken.len()
    );
    let told = told.and_then(|()| {
        broken
            .iter()
            .take(TOLD_MAX)
            .try_for_each(|error| writeln!(out, "{error}"))
    });
    if told.is_ok() && broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

const SEEDS: u64 = 100_000;
const TOLD_MAX: usize = 20;
