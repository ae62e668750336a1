//! The recorder with queues in place of mills.

mod kept;

use super::super::alive::Alive;
use super::super::flow::Wanted;
use super::*;
use crate::config::Durability;
use crate::handover::{Closed, Offer};
use crate::limits::{ACCEPTED_ROWS_MAX, BATCH_ROWS_MAX};
use crate::message::{Audience, Delivery, Message};
use crate::telemetry::Telemetry;
use bytes::Bytes;
use futures_util::FutureExt as _;
use rulemill_core::Micros;

/// A recorder that runs, and the test's ends of it.
struct Running {
    telemetry: Telemetry,
    offers: mpsc::Sender<Offered>,
    ticks: mpsc::Sender<usize>,
    finish: watch::Sender<bool>,
    mills: Vec<mpsc::Receiver<Flow>>,
    wanted: Vec<Wanted>,
    switches: mpsc::Sender<SwitchRequest>,
    thread: JoinHandle<()>,
}

impl Running {
    /// One with a mill for each of `rooms`, which has room for so many batches. All of them want batches.
    fn start(rooms: &[usize]) -> Self {
        let running = Running::idle(rooms);
        running.wanted.iter().for_each(Wanted::want);
        running
    }

    fn idle(rooms: &[usize]) -> Self {
        Running::with(rooms, None)
    }

    fn with(rooms: &[usize], keeping: Option<Keeping>) -> Self {
        let (senders, mills): (Vec<_>, Vec<_>) = rooms.iter().map(|room| mpsc::channel(*room)).unzip();
        let queues: Vec<MillQueue> = senders.into_iter().map(MillQueue::idle).collect();
        let wanted = queues.iter().map(|queue| queue.wanted().clone()).collect();
        let (offers, offered) = mpsc::channel(64);
        let (ask, ticks) = mpsc::channel(rooms.len());
        let (finish, finished) = watch::channel(false);
        let (switches, switched) = mpsc::channel(rooms.len());
        let mut telemetry = Telemetry::start();
        let metrics = MillMetrics::register(&mut telemetry.registry);
        let inputs = RecorderInputs {
            offers: offered,
            ticks,
            finish: finished,
            switches: switched,
            keeping,
        };
        Running {
            telemetry,
            offers,
            ticks: ask,
            finish,
            mills,
            wanted,
            switches,
            thread: Recorder::start(queues, inputs, metrics.clone(), Alive::new(watch::channel(false).0)).unwrap(),
        }
    }

    /// How many messages wait, as the metrics have it.
    fn waiting(&self) -> String {
        let exposed = self.telemetry.encode();
        let line = exposed
            .lines()
            .find_map(|line| line.strip_prefix("rulemill_mill_waiting_messages "));
        line.unwrap().to_owned()
    }

    fn offer(&self, source: &str, payloads: &[&str]) -> Offer {
        Offer::through(self.offers.clone(), delivery(source, payloads), Durability::None)
    }

    /// The payloads of the next batch of a mill, or the time.
    async fn next(&mut self, mill: usize) -> Option<Vec<String>> {
        match self.mills[mill].recv().await? {
            Flow::Batch(batch) => {
                let payload = |message: &Message| String::from_utf8(message.payload.to_vec()).unwrap();
                Some(batch.messages().map(payload).collect())
            }
            Flow::Tick(..) => Some(vec!["tick".to_owned()]),
            Flow::Checkpoint(_) => Some(vec!["checkpoint".to_owned()]),
        }
    }
}

fn delivery(source: &str, payloads: &[&str]) -> Delivery {
    let messages = payloads.iter().map(|payload| Message {
        topic: "t".into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: 1,
        retain: false,
        arrival: Micros(0),
    });
    Delivery {
        source: source.into(),
        messages: messages.collect(),
        audience: Audience::All,
    }
}

#[tokio::test]
async fn all_mills_get_the_same_in_the_same_order() {
    let mut running = Running::start(&[64, 64]);
    let offers = [
        running.offer("x", &["a", "b"]),
        running.offer("y", &["c"]),
        running.offer("x", &["d"]),
    ];
    for offer in offers {
        offer.await.unwrap();
    }
    for mill in [0, 1] {
        let mut seen = Vec::new();
        while seen.len() < 4 {
            seen.extend(running.next(mill).await.unwrap());
        }
        assert_eq!(seen, ["a", "b", "c", "d"]);
    }
}

#[tokio::test]
async fn a_mill_without_rules_gets_nothing_and_holds_up_nobody() {
    let mut running = Running::idle(&[1, 1]);
    running.wanted[1].want();
    running.offer("x", &["a"]).await.unwrap();
    assert_eq!(running.next(1).await.unwrap(), ["a"]);
    assert!(running.mills[0].try_recv().is_err());
}

#[tokio::test]
async fn what_is_accepted_while_a_mill_is_busy_becomes_one_batch() {
    let mut running = Running::start(&[1, 64]);
    for (source, payloads) in [("x", ["a"]), ("x", ["b"]), ("x", ["c"]), ("y", ["d"])] {
        running.offer(source, &payloads).await.unwrap();
        while running.mills[0].is_empty() {
            tokio::task::yield_now().await;
        }
    }
    for mill in [0, 1] {
        for expect in [&["a"][..], &["b", "c"], &["d"]] {
            assert_eq!(running.next(mill).await.unwrap(), expect);
        }
    }
}

#[tokio::test]
async fn what_was_withdrawn_is_passed_over() {
    let mut running = Running::start(&[64]);
    let (offered, _) = Offered::new(delivery("x", &["a"]));
    let withdrawn = running.offer("x", &["b"]);
    if withdrawn.withdraw() {
        running.offers.send(offered).await.unwrap();
        assert_eq!(running.next(0).await.unwrap(), ["a"]);
    } else {
        assert_eq!(running.next(0).await.unwrap(), ["b"], "it was accepted before");
    }
}

#[tokio::test]
async fn batches_have_a_bound() {
    let mut running = Running::start(&[1]);
    running.offer("x", &["a"]).await.unwrap();
    for payloads in [&vec!["m"; BATCH_ROWS_MAX - 1][..], &["n", "o"], &["p"]] {
        running.offer("x", payloads).await.unwrap();
    }
    assert_eq!(running.next(0).await.unwrap(), ["a"]);
    assert_eq!(running.next(0).await.unwrap().len(), BATCH_ROWS_MAX - 1);
    assert_eq!(running.next(0).await.unwrap(), ["n", "o", "p"]);
}

#[tokio::test]
async fn at_the_bound_nothing_more_is_accepted_until_the_mills_take_something() {
    let mut running = Running::start(&[1]);
    let full = vec!["m"; BATCH_ROWS_MAX];
    // One batch is in the queue, and beyond the bound one more is taken when there is any room left.
    for _ in 0..=ACCEPTED_ROWS_MAX / BATCH_ROWS_MAX {
        running.offer("x", &full).await.unwrap();
    }
    let mut waiting = running.offer("x", &["n"]);
    assert_eq!((&mut waiting).now_or_never(), None);
    while running.waiting() != ACCEPTED_ROWS_MAX.to_string() {
        tokio::task::yield_now().await;
    }

    assert_eq!(running.next(0).await.unwrap().len(), BATCH_ROWS_MAX);

    waiting.await.unwrap();
}

#[tokio::test]
async fn the_time_comes_when_a_mill_asks_also_while_another_one_is_full() {
    let mut running = Running::start(&[1, 64]);
    running.offer("x", &["a"]).await.unwrap();
    running.offer("x", &["b"]).await.unwrap();
    assert_eq!(running.next(1).await.unwrap(), ["a"]);

    running.ticks.send(1).await.unwrap();
    assert_eq!(running.next(1).await.unwrap(), ["tick"]);
    // The full one has something to do.
    running.ticks.send(0).await.unwrap();
    assert_eq!(running.next(0).await.unwrap(), ["a"]);

    assert_eq!(running.next(1).await.unwrap(), ["b"]);
}

#[tokio::test]
async fn what_was_offered_before_the_end_is_handed_over() {
    let mut running = Running::start(&[1]);
    running.offer("x", &["a"]).await.unwrap();
    running.offer("x", &["b"]).await.unwrap();
    running.finish.send_replace(true);
    let mut all = Vec::new();
    while let Some(payloads) = running.next(0).await {
        all.extend(payloads);
    }
    assert_eq!(all, ["a", "b"]);
    assert_eq!(running.offer("x", &["c"]).await, Err(Closed));
    running.thread.join().unwrap();
}

#[tokio::test]
async fn nothing_is_accepted_when_a_mill_is_gone() {
    let mut running = Running::start(&[1, 1]);
    running.mills.pop();
    // This one is accepted before it is noticed, or not.
    let _ = running.offer("x", &["a"]).await;
    running.thread.join().unwrap();
    assert_eq!(
        Offer::through(running.offers, delivery("x", &["b"]), Durability::None).await,
        Err(Closed)
    );
}
