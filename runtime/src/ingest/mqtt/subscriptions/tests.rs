use super::*;
use crate::clock;
use rumqttc::QoS;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn subscriptions(wanted: &[&str]) -> Subscriptions {
    let timing = SubscribeTiming {
        answer: Duration::from_secs(10),
        retry: Duration::from_secs(30),
    };
    let mut subscriptions = Subscriptions::new(None, timing);
    subscriptions.want(&wanted.iter().map(|text| filter(text)).collect::<Vec<_>>());
    subscriptions.connected(false);
    subscriptions
}

const GRANTED: SubscribeReasonCode = SubscribeReasonCode::Success(QoS::AtLeastOnce);

#[test]
fn one_request_is_in_flight_at_a_time() {
    let now = clock::monotonic();
    let mut subscriptions = subscriptions(&["a"]);
    assert_eq!(subscriptions.next(now), Some(Change::Subscribe(vec![filter("a")])));
    subscriptions.want(&[filter("b")]);
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
