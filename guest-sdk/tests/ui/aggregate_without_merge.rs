use rulemill_guest::prelude::*;

#[derive(Default, State)]
struct Count {
    rows: u64,
}

#[aggregate]
impl Count {
    fn accumulate(&mut self, _value: f64) {
        self.rows += 1;
    }

    fn finish(&self) -> f64 {
        0.0
    }
}

fn main() {}
