//! The tutorial's rule and data.

use super::driver::{Driver, Message, reading, tutorial_plan};

fn messages() -> Vec<Message> {
    let first = [("1", 20.0), ("2", 31.0), ("1", 35.0), ("2", 20.0), ("1", 80.0)];
    let second = [("2", 45.0), ("1", 10.0), ("2", 12.0), ("1", 65.0), ("2", 55.0)];
    let first = (0..)
        .zip(first)
        .map(|(n, (device, value))| reading(1000 * n, device, value));
    let second = (0..)
        .zip(second)
        .map(|(n, (device, value))| reading(10_000 + 1000 * n, device, value));
    first.chain(second).collect()
}

const FIRST: &str = "[0, 10000) device_id=1 t_av=45 t_count=3 t_max=80 t_min=20; \
                     device_id=2 t_av=25.5 t_count=2 t_max=31 t_min=20";
const SECOND: &str = "[10000, 20000) device_id=2 t_av=37.333333333333336 t_count=3 t_max=55 t_min=12; \
                      device_id=1 t_av=37.5 t_count=2 t_max=65 t_min=10";

#[test]
fn the_two_windows_are_those_of_the_tutorial() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&messages());
    assert_eq!(driver.taken("rule"), [FIRST]);
    assert_eq!(
        driver.stream.next_deadline().map(|deadline| deadline.0),
        Some(20_000_000)
    );
    driver.tick(19_999);
    assert!(driver.emissions.is_empty());
    driver.tick(20_000);
    assert_eq!(driver.taken("rule"), [SECOND]);
    assert_eq!(driver.stream.next_deadline(), None);
    assert!(driver.dead.is_empty());
}

#[test]
fn messages_one_by_one_give_the_same() {
    let mut driver = Driver::with(tutorial_plan());
    for message in messages() {
        driver.send(&[message]);
    }
    driver.tick(20_000);
    assert_eq!(driver.taken("rule"), [FIRST, SECOND]);
    assert_eq!(driver.library.rows_of("split_value"), 2, "once a topic");
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_in, counts.rows_windowed), (10, 10));
    assert_eq!((counts.windows_closed, counts.emissions, counts.rows_out), (2, 2, 4));
}
