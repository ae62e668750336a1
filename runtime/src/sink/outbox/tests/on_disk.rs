//! A queue on disk, as mill threads and sinks see it.

use super::super::keeper::Keeper;
use super::*;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// A queue in a folder, and its thread.
struct Kept {
    outbox: Arc<Outbox>,
    keeper: Keeper,
}

impl Kept {
    fn open(folder: &Path, on_full: OnFull, bytes_max: usize) -> Self {
        let config = SinkConfig {
            kind: SinkKind::Log,
            format: SinkFormat::Array,
            queue_bytes_max: bytes_max,
            on_full,
            queue: SinkQueue::Disk,
            id_field: None,
        };
        let outbox = Arc::new(Outbox::new(&config, SinkMetrics::default().of(&Arc::from("test"))));
        let keeper = Keeper::start(&outbox, &config, folder).unwrap();
        Kept { outbox, keeper }
    }

    async fn end(self) -> Left {
        let left = self.outbox.close();
        timeout(PATIENCE, self.keeper.ended()).await.unwrap();
        left
    }

    /// Reads and finishes so many emissions.
    async fn deliver(&self, count: usize) -> Vec<String> {
        let mut cursor = Sequence::START;
        let mut names = Vec::new();
        while names.len() < count {
            let next = timeout(PATIENCE, self.outbox.wait_next(cursor)).await;
            let (sequence, emission) = next.unwrap();
            names.push(name_of(&emission));
            self.outbox.done(sequence);
            cursor = sequence;
        }
        names
    }
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{number:06}")).collect()
}

/// Emissions that differ in their place too, as those of rules without a window do.
fn numbered(name: &str) -> EncodedEmission {
    EncodedEmission {
        place: Some(crate::emit::Place {
            position: name.parse().unwrap_or_default(),
            number: 0,
        }),
        ..emission(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_comes_again_after_a_restart_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    for name in names(0..10) {
        assert_eq!(kept.outbox.push(numbered(&name), clock::monotonic()), Pushed::Queued);
    }
    assert_eq!(kept.deliver(4).await, names(0..4));
    assert_eq!(kept.end().await, Left { given_up: 0, kept: 6 });

    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    assert_eq!(kept.outbox.counters.queue.read().emissions, 6);
    assert_eq!(kept.deliver(6).await, names(4..10));
    timeout(PATIENCE, kept.outbox.emptied()).await.unwrap();
    assert_eq!(kept.end().await, Left::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_larger_than_the_window_in_memory_comes_out_whole() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 30);
    let count = 60_000;
    let pushing = Arc::clone(&kept.outbox);
    let pusher = tokio::task::spawn_blocking(move || {
        for name in names(0..count) {
            pushing.push(numbered(&name), clock::monotonic());
        }
        let mark = pushing.mark();
        (pushing, mark)
    });
    let (outbox, mark) = timeout(PATIENCE, pusher).await.unwrap().unwrap();
    timeout(PATIENCE, outbox.settled(mark)).await.unwrap();
    assert!(outbox.lock().bytes < 5 << 20, "{}", outbox.lock().bytes);
    assert_eq!(kept.deliver(count).await, names(0..count));
    timeout(PATIENCE, kept.outbox.emptied()).await.unwrap();
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_emission_is_not_queued_twice_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    for name in names(0..3) {
        kept.outbox.push(numbered(&name), clock::monotonic());
    }
    kept.end().await;

    // A replay makes them again, and goes on.
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    for name in names(0..5) {
        kept.outbox.push(numbered(&name), clock::monotonic());
    }
    assert_eq!(kept.deliver(5).await, names(0..5));
    timeout(PATIENCE, kept.outbox.emptied()).await.unwrap();
    kept.end().await;

    // What was delivered is known too; once the replay is over, the same is something new.
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    for name in names(3..6) {
        kept.outbox.push(numbered(&name), clock::monotonic());
    }
    kept.outbox.replay_is_over();
    assert_eq!(kept.deliver(1).await, names(5..6));
    timeout(PATIENCE, kept.outbox.emptied()).await.unwrap();
    while kept.outbox.is_replaying() {
        tokio::task::yield_now().await;
    }
    kept.outbox.push(numbered("000000"), clock::monotonic());
    assert_eq!(kept.deliver(1).await, names(0..1));
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_drops_what_it_is_told_to_and_counts_it() {
    for (on_full, first) in [(OnFull::DropNewest, Some("000000")), (OnFull::DropOldest, None)] {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path(), on_full, 8 << 20);
        let large = "x".repeat(100_000);
        for number in 0..200 {
            kept.outbox
                .push(emission(&format!("{number:06}{large}")), clock::monotonic());
        }
        let mark = kept.outbox.mark();
        timeout(PATIENCE, kept.outbox.settled(mark)).await.unwrap();
        let dropped = dropped(&kept.outbox, "queue_full");
        let depth = kept.outbox.counters.queue.read();
        assert_eq!(dropped + depth.emissions, 200);
        assert!(dropped > 100, "{dropped}");
        let (_, oldest) = kept.outbox.next(Sequence::START).unwrap();
        if let Some(first) = first {
            assert!(name_of(&oldest).starts_with(first));
        }
        let delivered = kept.deliver(usize::try_from(depth.emissions).unwrap()).await;
        let last = delivered.last().unwrap();
        assert_eq!(
            last.starts_with("000199"),
            on_full == OnFull::DropOldest,
            "{}",
            &last[..6]
        );
        kept.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_that_blocks_holds_up_whoever_pushes_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    let large = "x".repeat(100_000);
    let pushing = Arc::clone(&kept.outbox);
    let pusher = tokio::task::spawn_blocking(move || {
        for number in 0..300 {
            pushing.push(emission(&format!("{number:06}{large}")), clock::monotonic());
        }
    });
    let delivered = kept.deliver(300).await;
    for (number, name) in delivered.iter().enumerate() {
        assert!(name.starts_with(&format!("{number:06}")));
    }
    timeout(PATIENCE, pusher).await.unwrap().unwrap();
    assert_eq!(dropped(&kept.outbox, "queue_full"), 0);
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_larger_than_the_queue_is_dropped_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(folder.path(), OnFull::Block, 1 << 20);
    kept.outbox.push(emission(&"x".repeat(2 << 20)), clock::monotonic());
    kept.outbox.push(emission("small"), clock::monotonic());
    assert_eq!(kept.deliver(1).await, ["small"]);
    assert_eq!(dropped(&kept.outbox, "larger_than_queue"), 1);
    kept.end().await;
}
