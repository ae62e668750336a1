//! Simulations of crashes at every operation, on a disk that loses, tears, refuses and lies. `make sim` runs very many.

mod trial;

use trial::{Plan, Tally, run};

#[test]
fn nothing_promised_is_lost_and_nothing_comes_that_was_not_written() {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        let first_crash = None;
        match run(Plan { seed, first_crash }) {
            Ok(trial) => tally.add(&trial),
            Err(broken) => panic!("{broken}"),
        }
    }
    // Else they would be about nothing.
    for (name, count) in tally.counts() {
        assert!(count > 0, "{name} did not occur:\n{tally}");
    }
}

#[test]
fn a_crash_at_every_operation_is_survived() {
    for seed in 0..SEEDS_OF_EVERY_OPERATION {
        for operation in 0.. {
            let first_crash = Some(operation);
            match run(Plan { seed, first_crash }) {
                Ok(trial) if trial.first_life_ended => break,
                Ok(_) => {}
                Err(broken) => panic!("{broken}"),
            }
        }
    }
}

const SEEDS: u64 = 2_500;
const SEEDS_OF_EVERY_OPERATION: u64 = 15;
