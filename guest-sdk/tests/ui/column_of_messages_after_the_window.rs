use rulemill_guest::prelude::*;
use std::time::Duration;

fn rule() -> Rule {
    let messages = Messages::new("wrong");
    let temperature = messages.field::<f64>("temperature");
    let groups = messages.tumbling(Duration::from_secs(10));
    groups.emit("temperature", temperature);
    groups.done()
}

fn main() {
    rule();
}
