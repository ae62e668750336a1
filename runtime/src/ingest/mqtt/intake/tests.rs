use super::super::orders::Plan;
use super::*;
use crate::config::Durability;
use crate::handover::Offered;
use crate::message::Delivery;
use crate::telemetry::source::SourcesMetrics;
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

/// Accepts deliveries while its queue has room.
struct Mill {
    offers: mpsc::Receiver<Offered>,
    room: usize,
    queue: VecDeque<Delivery>,
}

fn intake(room: usize) -> (Intake, Mill) {
    let (sender, offers) = mpsc::channel(1);
    let metrics = Arc::new(SourcesMetrics::default().source("default"));
    let (_, plan) = watch::channel(Plan::new());
    let intake = Intake::new(
        Inlet::new("default", Durability::None, sender),
        Orders::new(0, plan),
        metrics,
    );
    let queue = VecDeque::new();
    (intake, Mill { offers, room, queue })
}

/// Lets both go on as far as they can.
fn hand_over(intake: &mut Intake, mill: &mut Mill) {
    loop {
        intake.offer().unwrap();
        if mill.queue.len() >= mill.room {
            return;
        }
        // An offer that was withdrawn may still be in its way.
        assert_ne!(intake.room().now_or_never(), Some(Err(Closed)));
        let Ok(offered) = mill.offers.try_recv() else { return };
        if let Some((delivery, receipt)) = offered.take() {
            mill.queue.push_back(delivery);
            receipt.accept();
            assert_eq!(intake.room().now_or_never(), Some(Ok(())));
        }
    }
}

fn publish(packet_id: u16, bytes: usize) -> Publish {
    let qos = if packet_id == 0 {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    let mut publish = Publish::new("t", qos, vec![b'x'; bytes]);
    publish.pkid = packet_id;
    publish
}

fn rows(mill: &mut Mill) -> usize {
    mill.queue.pop_front().unwrap().messages.len()
}

#[test]
fn batches_end_at_their_bounds() {
    let (mut intake, mut mill) = intake(8);
    for _ in 0..BATCH_ROWS_MAX + 1 {
        intake.take(publish(0, 0));
    }
    hand_over(&mut intake, &mut mill);
    assert_eq!((rows(&mut mill), rows(&mut mill)), (BATCH_ROWS_MAX, 1));

    for bytes in [BATCH_BYTES_MAX + 1, 1, BATCH_BYTES_MAX - 1, 1] {
        intake.take(publish(0, bytes));
    }
    hand_over(&mut intake, &mut mill);
    assert_eq!((rows(&mut mill), rows(&mut mill), rows(&mut mill)), (1, 2, 1));
    assert!(intake.is_empty());
}

#[test]
fn acknowledgements_follow_acceptance_in_order() {
    let (mut intake, mut mill) = intake(1);
    intake.take(publish(1, 1));
    intake.take(publish(0, 1));
    intake.take(publish(2, 1));
    assert!(intake.acks().is_empty());
    hand_over(&mut intake, &mut mill);
    assert_eq!(*intake.acks(), [1, 2]);

    intake.take(publish(3, 1));
    hand_over(&mut intake, &mut mill);
    assert_eq!(*intake.acks(), [1, 2]);
    assert!(intake.room().now_or_never().is_none());
    rows(&mut mill);
    hand_over(&mut intake, &mut mill);
    assert_eq!(*intake.acks(), [1, 2, 3]);
}

#[test]
fn without_a_session_nothing_taken_is_given_up() {
    let (mut intake, mut mill) = intake(1);
    for packet_id in [1, 2, 3] {
        intake.take(publish(packet_id, 1));
        hand_over(&mut intake, &mut mill);
    }
    intake.disconnected(Session::Clean);
    assert!(intake.acks().is_empty());
    for _ in 0..2 {
        assert_eq!(rows(&mut mill), 1);
        hand_over(&mut intake, &mut mill);
    }
    assert_eq!(rows(&mut mill), 1);
    assert!(intake.is_empty());
    assert!(
        intake.acks().is_empty(),
        "packet ids of the old connection must not be acknowledged"
    );
}

#[test]
fn a_kept_session_takes_qos_1_back_and_leaves_qos_0() {
    let (mut intake, mut mill) = intake(1);
    intake.take(publish(1, 1));
    hand_over(&mut intake, &mut mill);
    for packet_id in [2, 0, 3, 0] {
        intake.take(publish(packet_id, 10));
        hand_over(&mut intake, &mut mill);
    }
    intake.disconnected(Session::Kept);
    rows(&mut mill);
    hand_over(&mut intake, &mut mill);
    let left = mill.queue.pop_front().unwrap();
    assert!(left.messages.iter().all(|message| message.qos == 0));
    assert_eq!(left.messages.len(), 2);
    intake.connected(true);
    assert!(intake.is_empty());
    assert_eq!(intake.queue_bytes, 0);
}

#[test]
fn a_refused_message_is_acknowledged_only_if_it_asks_for_it() {
    let (mut intake, _mill) = intake(1);
    intake.refuse(publish(0, 1));
    intake.refuse(publish(9, 1));
    assert_eq!(*intake.acks(), [9]);
}

#[test]
fn the_mills_being_gone_is_an_error() {
    let (mut intake, mill) = intake(1);
    drop(mill);
    intake.take(publish(1, 1));
    assert_eq!(intake.offer(), Err(Closed));
    assert!(intake.acks().is_empty());
}

#[test]
fn a_batch_that_was_taken_when_the_connection_was_lost_is_accepted_and_not_acknowledged() {
    let (mut intake, mut mill) = intake(1);
    intake.take(publish(1, 1));
    intake.offer().unwrap();
    let (_, receipt) = mill.offers.try_recv().unwrap().take().unwrap();
    intake.disconnected(Session::Kept);
    assert!(!intake.is_empty(), "it is still on its way");

    receipt.accept();

    assert_eq!(intake.room().now_or_never(), Some(Ok(())));
    intake.connected(false);
    hand_over(&mut intake, &mut mill);
    assert!(intake.is_empty(), "it is not offered again");
    assert!(intake.acks().is_empty());
}
