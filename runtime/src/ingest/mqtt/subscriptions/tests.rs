use super::*;
use crate::clock;
use rumqttc::QoS;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn subscriptions(wanted: &[&str]) -> Subscriptions {
    let mut subscriptions = Subscriptions::new(BTreeSet::new(), TIMING);
    subscriptions.connected(false);
    subscriptions.serve(filters(wanted));
    subscriptions
}

fn filters(texts: &[&str]) -> Arc<BTreeSet<TopicFilter>> {
    Arc::new(texts.iter().map(|text| filter(text)).collect())
}

/// Sends what is due and answers it with these codes; gives what was sent, as text.
fn answer(subscriptions: &mut Subscriptions, codes: &[SubscribeReasonCode], now: Instant) -> String {
    let change = subscriptions.next(now).expect("something is due");
    subscriptions.sent(7);
    match change {
        Change::Subscribe(filters) => {
            subscriptions.suback(7, codes, now);
            let filters: Vec<_> = filters.iter().map(ToString::to_string).collect();
            format!("subscribe {}", filters.join(" "))
        }
        Change::Unsubscribe(filter) => {
            subscriptions.unsuback(7);
            format!("unsubscribe {filter}")
        }
    }
}

const TIMING: SubscribeTiming = SubscribeTiming {
    answer: Duration::from_secs(10),
    retry: Duration::from_secs(30),
};

const GRANTED: SubscribeReasonCode = SubscribeReasonCode::Success(QoS::AtLeastOnce);

const REFUSED: SubscribeReasonCode = SubscribeReasonCode::Failure;

#[test]
fn one_request_is_in_flight_at_a_time() {
    let now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a"]);
    assert_eq!(subscriptions.next(now), Some(Change::Subscribe(vec![filter("a")])));
    subscriptions.serve(filters(&["b"]));
    assert_eq!(subscriptions.next(now), None);
    subscriptions.sent(4);
    subscriptions.suback(4, &[GRANTED], now);
    assert_eq!(subscriptions.next(now), Some(Change::Subscribe(vec![filter("b")])));
    subscriptions.sent(5);
    subscriptions.suback(5, &[GRANTED], now);
    assert_eq!(subscriptions.next(now), Some(Change::Unsubscribe(filter("a"))));
    subscriptions.sent(6);
    assert_eq!(subscriptions.unsuback(6), Some(filter("a")));
    assert_eq!(subscriptions.next(now), None);
    assert_eq!(subscriptions.deadline(), None);
}

#[test]
fn answers_to_something_else_are_ignored() {
    let now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a"]);
    assert!(subscriptions.suback(4, &[GRANTED], now).is_empty());
    subscriptions.next(now);
    subscriptions.sent(4);
    assert!(subscriptions.suback(3, &[GRANTED], now).is_empty());
    assert_eq!(subscriptions.unsuback(3), None);
    assert_eq!(subscriptions.suback(4, &[GRANTED], now).len(), 1);
}

#[test]
fn a_filter_without_a_return_code_counts_as_refused() {
    let now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a", "b"]);
    subscriptions.next(now);
    subscriptions.sent(4);
    let answers = subscriptions.suback(4, &[GRANTED], now);
    assert_eq!(
        answers,
        [
            Answer::Granted {
                filter: filter("a"),
                qos: 1
            },
            Answer::Refused { filter: filter("b") }
        ]
    );
    assert_eq!(subscriptions.next(now), None);
    let later = now + Duration::from_secs(30);
    assert_eq!(subscriptions.deadline(), Some(later));
    assert_eq!(subscriptions.next(later), Some(Change::Subscribe(vec![filter("b")])));
}

#[test]
fn a_filter_that_is_covered_is_not_subscribed_to() {
    let now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a/+", "a/b", "c"]);
    assert_eq!(answer(&mut subscriptions, &[GRANTED, GRANTED], now), "subscribe a/+ c");
    assert_eq!(subscriptions.next(now), None);

    subscriptions.serve(filters(&["a/b", "c"]));
    assert_eq!(answer(&mut subscriptions, &[GRANTED], now), "subscribe a/b");
    assert_eq!(answer(&mut subscriptions, &[], now), "unsubscribe a/+");
    assert_eq!(subscriptions.next(now), None);
}

#[test]
fn a_refused_filter_covers_nothing_until_it_is_granted() {
    let now = clock::monotonic();
    let later = now + Duration::from_secs(30);
    let mut subscriptions = subscriptions(&["a/#", "a/+", "a/b"]);
    assert_eq!(answer(&mut subscriptions, &[REFUSED], now), "subscribe a/#");
    assert_eq!(answer(&mut subscriptions, &[REFUSED], now), "subscribe a/+");
    assert_eq!(answer(&mut subscriptions, &[GRANTED], now), "subscribe a/b");
    assert_eq!(subscriptions.next(now), None);
    assert_eq!(subscriptions.deadline(), Some(later));
    assert_eq!(subscriptions.refused(), filters(&["a/#", "a/+"]).as_ref().clone());

    assert_eq!(
        answer(&mut subscriptions, &[GRANTED, REFUSED], later),
        "subscribe a/# a/+"
    );
    // `a/+` was refused, and is covered now: nobody waits for it.
    assert_eq!(answer(&mut subscriptions, &[], later), "unsubscribe a/b");
    assert_eq!(subscriptions.next(later), None);
    assert_eq!(subscriptions.deadline(), None);
    assert!(subscriptions.refused().is_empty());
}

#[test]
fn a_new_connection_asks_for_what_was_refused_and_goes_on_with_the_rest() {
    let now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a/#", "a/+"]);
    assert_eq!(answer(&mut subscriptions, &[GRANTED], now), "subscribe a/#");
    assert!(subscriptions.refused().is_empty());

    subscriptions.connected(false);
    assert_eq!(answer(&mut subscriptions, &[REFUSED], now), "subscribe a/#");
    assert_eq!(answer(&mut subscriptions, &[GRANTED], now), "subscribe a/+");
    assert_eq!(subscriptions.refused(), [filter("a/#")].into());

    // A kept session keeps `a/+` until it has `a/#`.
    subscriptions.connected(true);
    assert_eq!(subscriptions.refused(), [filter("a/#")].into());
    assert_eq!(answer(&mut subscriptions, &[REFUSED], now), "subscribe a/#");
    assert_eq!(subscriptions.next(now), None);
    assert_eq!(subscriptions.deadline(), Some(now + Duration::from_secs(30)));
    subscriptions.connected(false);
    assert_eq!(
        answer(&mut subscriptions, &[REFUSED, GRANTED], now),
        "subscribe a/# a/+"
    );
}

#[test]
fn what_was_asked_for_and_not_answered_is_given_up_when_nobody_wants_it() {
    let mut now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a"]);
    subscriptions.next(now);
    now += Duration::from_secs(10);
    subscriptions.expire(now);
    subscriptions.serve(filters(&["b"]));
    assert_eq!(answer(&mut subscriptions, &[GRANTED], now), "subscribe b");
    assert_eq!(answer(&mut subscriptions, &[], now), "unsubscribe a");
    assert_eq!(subscriptions.next(now), None);
}

#[test]
fn what_an_earlier_process_left_behind_is_given_up_unless_it_is_wanted() {
    let now = clock::monotonic();
    let left_behind = ["a/#", "a/b", "c"].map(filter).into();
    let mut subscriptions = Subscriptions::new(left_behind, TIMING);
    subscriptions.connected(true);
    subscriptions.serve(filters(&["a/b"]));
    assert_eq!(subscriptions.leftover(), ["a/#", "c"].map(filter).into());
    assert_eq!(answer(&mut subscriptions, &[GRANTED], now), "subscribe a/b");
    assert_eq!(answer(&mut subscriptions, &[], now), "unsubscribe a/#");
    assert_eq!(answer(&mut subscriptions, &[], now), "unsubscribe c");
    assert_eq!(subscriptions.next(now), None);
    assert!(subscriptions.leftover().is_empty());
}

#[test]
fn a_session_that_is_gone_leaves_nothing_behind() {
    let now = clock::monotonic();
    let mut subscriptions = Subscriptions::new([filter("c")].into(), TIMING);
    subscriptions.connected(false);
    subscriptions.serve(filters(&[]));
    assert!(subscriptions.leftover().is_empty());
    assert_eq!(subscriptions.next(now), None);
}

#[test]
fn three_late_answers_in_a_row_are_too_many() {
    let mut now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a"]);
    for expect in [
        Expired::Again { filters: 1 },
        Expired::Again { filters: 1 },
        Expired::TooOften { filters: 1 },
    ] {
        assert!(subscriptions.next(now).is_some());
        assert_eq!(subscriptions.expire(now), Expired::Nothing);
        now += Duration::from_secs(10);
        assert_eq!(subscriptions.expire(now), expect);
    }
}
