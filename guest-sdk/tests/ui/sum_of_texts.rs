use rulemill_guest::prelude::*;
use std::time::Duration;

fn rule() -> Rule {
    let messages = Messages::new("wrong");
    let place = messages.field::<str>("place");
    let groups = messages.tumbling(Duration::from_secs(10));
    groups.emit("sum", groups.sum(place));
    groups.done()
}

fn main() {
    rule();
}
