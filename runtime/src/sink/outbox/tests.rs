use super::*;
use crate::clock;
use crate::config::{SinkFormat, SinkKind, SinkQueue};
use crate::sink::test::emission;
use crate::telemetry::sink::SinkMetrics;
use std::sync::Arc;

mod on_disk;

fn outbox(fit: usize, on_full: OnFull) -> Outbox {
    let one = size_of::<Entry>() + size_of::<u32>() + emission("a").json.len();
    let config = SinkConfig {
        kind: SinkKind::Log,
        format: SinkFormat::Array,
        queue_bytes_max: fit * one,
        on_full,
        queue: SinkQueue::Memory,
        id_field: None,
    };
    Outbox::new(&config, SinkMetrics::default().of(&Arc::from("test")))
}

fn push(outbox: &Outbox, name: &str) -> Pushed {
    outbox.push(emission(name), clock::monotonic())
}

/// What a sink that starts again would read.
fn waiting(outbox: &Outbox) -> Vec<String> {
    let mut after = Sequence::START;
    let mut names = Vec::new();
    let taken = outbox.lock().taken;
    while let Some((sequence, emission)) = outbox.next(after) {
        after = sequence;
        names.push(name_of(&emission));
    }
    outbox.lock().taken = taken;
    names
}

fn name_of(emission: &EncodedEmission) -> String {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&emission.json).unwrap();
    rows[0]["name"].as_str().unwrap().to_owned()
}

fn dropped(outbox: &Outbox, reason: &'static str) -> u64 {
    outbox.counters.dropped(reason).get()
}

#[test]
fn what_is_done_out_of_order_is_not_read_again() {
    let outbox = outbox(9, OnFull::DropNewest);
    for name in ["a", "b", "c"] {
        assert_eq!(push(&outbox, name), Pushed::Queued);
    }
    let (first, _) = outbox.next(Sequence::START).unwrap();
    let (second, _) = outbox.next(first).unwrap();
    outbox.done(second);
    outbox.done(second);
    outbox.rewind();
    assert_eq!(waiting(&outbox), ["a", "c"]);
    assert_eq!(outbox.counters.queue.read().emissions, 2);
}

#[test]
fn drop_newest_refuses_what_does_not_fit() {
    let outbox = outbox(2, OnFull::DropNewest);
    let pushed: Vec<_> = ["a", "b", "c"].map(|name| push(&outbox, name)).into();
    assert_eq!(pushed, [Pushed::Queued, Pushed::Queued, Pushed::Dropped]);
    assert_eq!(waiting(&outbox), ["a", "b"]);
    assert_eq!(dropped(&outbox, "queue_full"), 1);
}

#[test]
fn drop_oldest_spares_what_is_in_flight() {
    let outbox = outbox(2, OnFull::DropOldest);
    push(&outbox, "a");
    push(&outbox, "b");
    let (flying, _) = outbox.next(Sequence::START).unwrap();
    assert_eq!(push(&outbox, "c"), Pushed::QueuedInstead);
    assert_eq!(waiting(&outbox), ["a", "c"]);
    outbox.next(flying).unwrap();
    assert_eq!(push(&outbox, "d"), Pushed::Dropped);
    assert_eq!(waiting(&outbox), ["a", "c"]);
    outbox.rewind();
    assert_eq!(push(&outbox, "e"), Pushed::QueuedInstead);
    assert_eq!(waiting(&outbox), ["c", "e"]);
    assert_eq!(dropped(&outbox, "queue_full"), 3);
}

#[test]
fn an_emission_larger_than_the_queue_is_dropped_under_any_policy() {
    for on_full in [OnFull::Block, OnFull::DropOldest, OnFull::DropNewest] {
        let outbox = outbox(1, on_full);
        assert_eq!(push(&outbox, &"x".repeat(1000)), Pushed::TooLarge);
        assert_eq!(dropped(&outbox, "larger_than_queue"), 1);
    }
}

#[test]
fn a_blocked_push_goes_on_when_something_is_done() {
    let outbox = outbox(1, OnFull::Block);
    push(&outbox, "a");
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| push(&outbox, "b"));
        let (first, _) = outbox.next(Sequence::START).unwrap();
        outbox.done(first);
        assert_eq!(blocked.join().unwrap(), Pushed::Queued);
    });
    assert_eq!(waiting(&outbox), ["b"]);
}

#[test]
fn draining_lets_a_blocked_push_in_and_closing_turns_it_away() {
    for (close, expect) in [(false, Pushed::Queued), (true, Pushed::Closed)] {
        let outbox = outbox(1, OnFull::Block);
        push(&outbox, "a");
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| push(&outbox, "b"));
            if close {
                assert_eq!(outbox.close().given_up, 1);
            } else {
                outbox.start_draining();
            }
            assert_eq!(blocked.join().unwrap(), expect);
        });
    }
}

#[tokio::test]
async fn a_waiting_reader_is_woken_and_emptied_resolves() {
    let outbox = Arc::new(outbox(9, OnFull::DropNewest));
    let reader = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.wait_next(Sequence::START).await }
    });
    push(&outbox, "a");
    let (sequence, emission) = reader.await.unwrap();
    assert_eq!(name_of(&emission), "a");
    let emptied = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.emptied().await }
    });
    outbox.done(sequence);
    emptied.await.unwrap();
    assert_eq!(outbox.counters.queue.read(), Depth::default());
}

#[test]
fn closing_counts_what_is_left() {
    let outbox = outbox(9, OnFull::DropNewest);
    push(&outbox, "a");
    push(&outbox, "b");
    assert_eq!(outbox.close().given_up, 2);
    assert_eq!(dropped(&outbox, "stopped"), 2);
    assert_eq!(push(&outbox, "c"), Pushed::Closed);
}
