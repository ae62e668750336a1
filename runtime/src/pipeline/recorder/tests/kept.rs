//! The recorder with a journal on a simulated disk.

use super::super::super::journal::Folders;
use super::super::super::journal::checkpointing::{Begin, Trim};
use super::super::super::journal::code::CodeStore;
use super::super::super::journal::writing::Journal;
use super::*;
use crate::config::OnStop;
use crate::telemetry::journal::JournalMetrics;
use rulemill_journal::log::{Log, LogOptions, Reader, Sequence};
use rulemill_journal::sim::{Crash, Faults, SimDisk};
use rulemill_journal::{Entry, Storage};
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

const OPTIONS: LogOptions = LogOptions {
    segment_bytes: 1 << 16,
    bytes_max: 1 << 20,
    salt: 7,
};

/// A recorder that keeps a journal, with one mill.
struct Kept {
    running: Running,
    disk: SimDisk,
    begins: mpsc::Receiver<Begin>,
    trims: mpsc::Sender<Trim>,
}

fn log_of(disk: &SimDisk) -> Log {
    let storage: Arc<dyn Storage> = disk.directory("journal");
    Log::open(storage, OPTIONS, Sequence::START).unwrap().0
}

/// What is in the log, in words.
fn entries(disk: &SimDisk) -> Vec<String> {
    let log = log_of(disk);
    let mut reader = Reader::new(Sequence(1));
    let mut entries = Vec::new();
    while let Some(record) = reader.next(&log).unwrap() {
        entries.push(match Entry::decode(record.kind, record.payload).unwrap() {
            Entry::Message(message) => String::from_utf8(message.payload.to_vec()).unwrap(),
            Entry::Batch { messages, .. } => format!("batch of {messages}"),
            Entry::Tick { mill, .. } => format!("tick of {mill}"),
            Entry::Switch(switch) => format!("switch of {} after {}", switch.mill, switch.position),
            Entry::Audience(audience) => format!("audience {}", audience.number),
        });
    }
    entries
}

impl Kept {
    fn start(room: usize, bytes_max: u64) -> Self {
        let disk = SimDisk::new(1);
        let folders = Folders {
            log: disk.directory("journal"),
            checkpoints: disk.directory("checkpoints"),
            code: CodeStore::new(Path::new("nowhere")),
        };
        let metrics = JournalMetrics::default();
        let journal = Journal::new(log_of(&disk), folders, OPTIONS, bytes_max, Vec::new(), metrics.clone());
        let (begin, begins) = mpsc::channel(1);
        let (trims, trimmed) = mpsc::channel(1);
        let keeping = Keeping {
            covered: 0,
            journal,
            position: 0,
            replayed: false,
            waiting: Vec::new(),
            checkpoints: begin,
            trims: trimmed,
            interval: Duration::from_secs(600),
            on_stop: OnStop::Keep,
            metrics,
        };
        let running = Running::with(&[room], Some(keeping));
        running.wanted.iter().for_each(Wanted::want);
        Kept {
            running,
            disk,
            begins,
            trims,
        }
    }

    fn offer(&self, payloads: &[&str], durability: Durability) -> Offer {
        Offer::through(self.running.offers.clone(), delivery("x", payloads), durability)
    }

    /// Ends it, with the last checkpoint.
    async fn end(mut self) -> SimDisk {
        self.running.finish.send_replace(true);
        let begun = timeout(PATIENCE, self.begins.recv()).await.unwrap();
        assert!(begun.is_some(), "the last checkpoint");
        self.trims.send(Trim { below: None, bytes: 0 }).await.unwrap();
        let thread = self.running.thread;
        drop(self.running.mills);
        tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
        self.disk
    }
}

#[tokio::test]
async fn what_is_accepted_and_what_became_of_it_is_in_the_journal() {
    let mut kept = Kept::start(4, 1 << 20);
    kept.offer(&["a", "b"], Durability::ProcessCrash).await.unwrap();
    assert_eq!(kept.running.next(0).await.unwrap(), ["a", "b"]);
    kept.offer(&["unkept"], Durability::None).await.unwrap();
    assert_eq!(kept.running.next(0).await.unwrap(), ["unkept"]);
    kept.running.ticks.send(0).await.unwrap();
    assert_eq!(kept.running.next(0).await.unwrap(), ["tick"]);
    let (written, answer) = std::sync::mpsc::sync_channel(1);
    let switch = SwitchRequest {
        mill: 0,
        position: 3,
        change: b"{}".to_vec(),
        written,
    };
    kept.running.switches.send(switch).await.unwrap();
    let record = tokio::task::spawn_blocking(move || answer.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(record, Ok(5));
    let disk = kept.end().await;
    assert_eq!(
        entries(&disk),
        ["a", "b", "batch of 2", "tick of 0", "switch of 0 after 3"]
    );
}

#[tokio::test]
async fn a_mill_that_is_woken_late_has_not_seen_what_came_before() {
    let mut kept = Kept::start(4, 1 << 20);
    kept.offer(&["a"], Durability::ProcessCrash).await.unwrap();
    kept.running.next(0).await.unwrap();
    for mill in [5, 0] {
        let (written, answer) = std::sync::mpsc::sync_channel(1);
        let switch = SwitchRequest {
            mill,
            position: 0,
            change: b"{}".to_vec(),
            written,
        };
        kept.running.switches.send(switch).await.unwrap();
        let record = tokio::task::spawn_blocking(move || answer.recv().unwrap());
        record.await.unwrap().unwrap();
    }
    let disk = kept.end().await;
    assert_eq!(
        entries(&disk),
        ["a", "batch of 1", "switch of 5 after 2", "switch of 0 after 0"]
    );
}

#[tokio::test]
async fn a_full_journal_gets_room_by_two_checkpoints_when_nothing_else_happens() {
    let mut kept = Kept::start(4, 100_000);
    let large = "x".repeat(30_000);
    let waiting = loop {
        let mut offer = kept.offer(&[&large], Durability::ProcessCrash);
        match timeout(Duration::from_millis(300), &mut offer).await {
            Ok(done) => done.unwrap(),
            Err(_) => break offer,
        }
        kept.running.next(0).await.unwrap();
    };
    // The first one is not kept twice yet, so nothing can go; the second one is at the same place.
    for below in [None, Some(9)] {
        let begin = timeout(PATIENCE, kept.begins.recv()).await.unwrap().unwrap();
        assert_eq!(begin.position.first_needed(), 9);
        kept.trims.send(Trim { below, bytes: 100 }).await.unwrap();
    }
    timeout(PATIENCE, waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_must_survive_a_loss_of_power_is_accepted_once_it_is_synced() {
    let kept = Kept::start(4, 1 << 20);
    timeout(PATIENCE, kept.offer(&["a"], Durability::PowerLoss))
        .await
        .unwrap()
        .unwrap();
    kept.disk.restart(Crash::Power);
    assert_eq!(entries(&kept.disk)[0], "a");
}

#[tokio::test]
async fn while_the_disk_fails_nothing_is_accepted_and_afterwards_everything_is_there_once() {
    let mut kept = Kept::start(4, 1 << 20);
    kept.offer(&["a"], Durability::ProcessCrash).await.unwrap();
    assert_eq!(kept.running.next(0).await.unwrap(), ["a"]);
    for (round, faults) in [
        Faults {
            write_error: 1000,
            ..Faults::default()
        },
        Faults {
            sync_error: 1000,
            name_error: 500,
            ..Faults::default()
        },
    ]
    .into_iter()
    .enumerate()
    {
        let before = kept.disk.faults_hit();
        kept.disk.set_faults(faults);
        let payloads = [format!("b{round}"), format!("c{round}")];
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let durability = if round == 0 {
            Durability::ProcessCrash
        } else {
            Durability::PowerLoss
        };
        let mut offer = kept.offer(&payloads, durability);
        while kept.disk.faults_hit() < before + 2 {
            assert_eq!((&mut offer).now_or_never(), None);
            tokio::task::yield_now().await;
        }
        assert_eq!((&mut offer).now_or_never(), None);
        kept.disk.set_faults(Faults::default());
        timeout(PATIENCE, offer).await.unwrap().unwrap();
        assert_eq!(kept.running.next(0).await.unwrap(), payloads);
    }
    let disk = kept.end().await;
    let expected = ["a", "batch of 1", "b0", "c0", "batch of 2", "b1", "c1", "batch of 2"];
    assert_eq!(entries(&disk), expected);
}

#[tokio::test]
async fn a_full_journal_accepts_nothing_until_a_checkpoint_has_made_room() {
    let mut kept = Kept::start(4, 100_000);
    let large = "x".repeat(30_000);
    let mut accepted = 0;
    let waiting = loop {
        let mut offer = kept.offer(&[&large], Durability::ProcessCrash);
        match timeout(Duration::from_millis(300), &mut offer).await {
            Ok(done) => done.unwrap(),
            Err(_) => break offer,
        }
        accepted += 1;
        kept.running.next(0).await.unwrap();
    };
    assert_eq!(accepted, 4, "the last one may go beyond it");
    let begin = timeout(PATIENCE, kept.begins.recv()).now_or_never();
    assert!(begin.is_none(), "no checkpoint is due");
    kept.trims
        .send(Trim {
            below: Some(7),
            bytes: 0,
        })
        .await
        .unwrap();
    timeout(PATIENCE, waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_accepted_and_is_in_no_batch_counts_as_that_in_a_checkpoint() {
    let mut kept = Kept::start(1, 1 << 20);
    kept.offer(&["a"], Durability::ProcessCrash).await.unwrap();
    kept.offer(&["b"], Durability::ProcessCrash).await.unwrap();
    kept.offer(&["c"], Durability::ProcessCrash).await.unwrap();
    // The first is on its way to the mill, whose queue is full; the others wait.
    assert_eq!(kept.running.next(0).await.unwrap(), ["a"]);
    assert_eq!(kept.running.next(0).await.unwrap(), ["b", "c"]);
    kept.running.finish.send_replace(true);
    assert_eq!(kept.running.next(0).await.unwrap(), ["checkpoint"]);
    let begin = timeout(PATIENCE, kept.begins.recv()).await.unwrap().unwrap();
    // a, its batch, b, c, their batch.
    assert_eq!((begin.position.done, begin.position.next_message), (5, 6));
    kept.trims.send(Trim { below: None, bytes: 0 }).await.unwrap();
}

#[tokio::test]
async fn a_mill_that_asked_for_the_time_while_the_disk_failed_is_told_once_it_works() {
    let mut kept = Kept::start(4, 1 << 20);
    kept.offer(&["a"], Durability::ProcessCrash).await.unwrap();
    assert_eq!(kept.running.next(0).await.unwrap(), ["a"]);
    kept.disk.set_faults(Faults {
        write_error: 1000,
        ..Faults::default()
    });
    let before = kept.disk.faults_hit();
    // The first finds out; the second comes while it is known.
    kept.running.ticks.send(0).await.unwrap();
    while kept.disk.faults_hit() == before {
        tokio::task::yield_now().await;
    }
    kept.running.ticks.send(0).await.unwrap();
    let mut offer = kept.offer(&["b"], Durability::ProcessCrash);
    assert_eq!((&mut offer).now_or_never(), None);
    kept.disk.set_faults(Faults::default());
    timeout(PATIENCE, offer).await.unwrap().unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        told.extend(kept.running.next(0).await.unwrap());
    }
    assert_eq!(
        told,
        ["tick", "tick", "b"],
        "the first has its place before everything else"
    );
    let disk = kept.end().await;
    assert_eq!(
        entries(&disk),
        ["a", "batch of 1", "tick of 0", "tick of 0", "b", "batch of 1"]
    );
}

#[tokio::test]
async fn a_full_disk_holds_up_acknowledgements_and_loses_nothing() {
    let kept = Kept::start(64, 1 << 20);
    let payload = "x".repeat(1000);
    kept.offer(&[&payload], Durability::ProcessCrash).await.unwrap();
    kept.disk.set_capacity(Some(20_000));
    let mut accepted = 1;
    let waiting = loop {
        let mut offer = kept.offer(&[&payload], Durability::ProcessCrash);
        match timeout(Duration::from_millis(300), &mut offer).await {
            Ok(done) => done.unwrap(),
            Err(_) => break offer,
        }
        accepted += 1;
    };
    assert!((10..20).contains(&accepted), "{accepted}");
    kept.disk.set_capacity(None);
    timeout(PATIENCE, waiting).await.unwrap().unwrap();
    let disk = kept.end().await;
    let messages = entries(&disk).iter().filter(|entry| **entry == payload).count();
    assert_eq!(messages, accepted + 1);
}
