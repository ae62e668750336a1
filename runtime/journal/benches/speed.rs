//! What a journal costs: `cargo bench --package rulemill-journal --bench speed -- [FOLDER]`. The folder, by default one for temporary files,
//! should be on the disk that is meant. Standard output is a Markdown table.

use rulemill_journal::log::{Durability, Encode as _, Log, LogOptions, Reader, Sequence};
use rulemill_journal::{Directory, Message, Qos, Storage};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let folder = match std::env::args().skip(1).find(|word| !word.starts_with('-')) {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| messages of 200 bytes | a commit | ns each | of these on the processor | messages/s | bytes on disk for one |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let encoded = encode();
    row(&mut out, "encoded only", ROWS, encoded, RUNS * ROWS, None)?;
    let (one_segment, segments) = (1 << 30, 16 << 20);
    for (name, durability, rows, runs, segment_bytes) in [
        ("`none`, without the disk", Durability::None, ROWS, RUNS, one_segment),
        (
            "`process-crash`, without the disk",
            Durability::ProcessCrash,
            ROWS,
            RUNS,
            one_segment,
        ),
        (
            "`process-crash`, without the disk",
            Durability::ProcessCrash,
            16,
            RUNS,
            one_segment,
        ),
        (
            "`process-crash`, without the disk",
            Durability::ProcessCrash,
            1,
            RUNS,
            one_segment,
        ),
        (
            "`process-crash`, as fast as the disk",
            Durability::ProcessCrash,
            ROWS,
            RUNS,
            segments,
        ),
        ("`power-loss`", Durability::PowerLoss, ROWS, 100, segments),
        ("`power-loss`", Durability::PowerLoss, 128, 100, segments),
        ("`power-loss`", Durability::PowerLoss, 1, 100, segments),
    ] {
        let (time, bytes) = append(folder.path(), durability, rows, runs, segment_bytes)?;
        row(&mut out, name, rows, time, runs * rows, Some(bytes))?;
    }
    let (open, read) = recover(folder.path())?;
    row(&mut out, "opened and checked", ROWS, open, RUNS * ROWS, None)?;
    row(&mut out, "read", ROWS, read, RUNS * ROWS, None)
}

fn row(
    out: &mut impl std::io::Write,
    name: &str,
    rows: usize,
    time: Spent,
    messages: usize,
    bytes: Option<u64>,
) -> Result<()> {
    let seconds = time.time.as_secs_f64();
    let count = messages as f64;
    let logical = count * MESSAGE_BYTES as f64;
    let amplification = bytes.map_or("–".to_owned(), |bytes| format!("{:.2}", bytes as f64 / logical));
    let each = seconds * 1e9 / count;
    let processor = time.processor.as_secs_f64() * 1e9 / count;
    let rate = count / seconds;
    writeln!(
        out,
        "| {name} | {rows} | {each:.0} | {processor:.0} | {rate:.0} | {amplification} |"
    )?;
    Ok(())
}

fn message() -> Message<'static> {
    Message {
        source: "default",
        audience: Message::FOR_ALL,
        arrival_us: 1_790_000_000_000_000,
        qos: Qos::AtLeastOnce,
        retain: false,
        duplicate: false,
        topic: TOPIC,
        payload: &[b'x'; MESSAGE_BYTES - TOPIC.len()],
    }
}

fn encode() -> Spent {
    let mut into = Vec::new();
    let begun = Begun::now();
    for _ in 0..RUNS {
        into.clear();
        for _ in 0..ROWS {
            let _ = std::hint::black_box(message()).encode(&mut into);
        }
    }
    begun.spent()
}

/// How long it takes, and how much is written, as the system counts it where it can.
fn append(folder: &Path, durability: Durability, rows: usize, runs: usize, segment_bytes: u64) -> Result<(Spent, u64)> {
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(&folder.join("log"))?);
    for name in storage.list()? {
        storage.remove(&name)?;
    }
    let options = LogOptions {
        segment_bytes,
        ..OPTIONS
    };
    let (mut log, _) = Log::open(storage, options, Sequence::START)?;
    // The first segment is there, and the buffer is large enough.
    log.append((0..rows).map(|_| message()))?;
    log.sync()?;
    let before = written_bytes();
    let begun = Begun::now();
    for _ in 0..runs {
        log.append((0..rows).map(|_| std::hint::black_box(message())))?;
        log.commit(durability)?;
    }
    let time = begun.spent();
    log.sync()?;
    let bytes = match (before, written_bytes()) {
        (Some(before), Some(after)) => after - before,
        _ => log.bytes(),
    };
    Ok((time, bytes))
}

fn recover(folder: &Path) -> Result<(Spent, Spent)> {
    append(folder, Durability::ProcessCrash, ROWS, RUNS, OPTIONS.segment_bytes)?;
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(&folder.join("log"))?);
    let begun = Begun::now();
    let (log, _) = Log::open(storage, OPTIONS, Sequence::START)?;
    let open = begun.spent();
    let begun = Begun::now();
    let mut reader = Reader::new(Sequence(1));
    while let Some(record) = reader.next(&log)? {
        std::hint::black_box(rulemill_journal::Entry::decode(record.kind, record.payload)?);
    }
    Ok((open, begun.spent()))
}

/// What this process has caused to be written to disks.
fn written_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "))?;
    line.parse().ok()
}

/// What something took.
#[derive(Clone, Copy, Debug)]
struct Spent {
    time: Duration,
    /// Of this thread; what it waits for does not count.
    processor: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Instant,
    processor: Duration,
}

impl Begun {
    #[expect(clippy::disallowed_methods, reason = "a measurement takes the time")]
    fn now() -> Self {
        Begun {
            processor: processor_time(),
            at: Instant::now(),
        }
    }

    fn spent(self) -> Spent {
        Spent {
            time: self.at.elapsed(),
            processor: processor_time().saturating_sub(self.processor),
        }
    }
}

/// How long this thread has run, where the system tells.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

const TOPIC: &str = "devices/device-0042/messages";
const MESSAGE_BYTES: usize = 200;
const ROWS: usize = 1024;
const RUNS: usize = 200;
const OPTIONS: LogOptions = LogOptions {
    segment_bytes: 16 << 20,
    bytes_max: 4 << 30,
    salt: 0x5a17_5a17,
};
