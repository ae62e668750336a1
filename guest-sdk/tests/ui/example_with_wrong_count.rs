use rulemill_guest::prelude::*;

#[function]
#[example("a" => "aa")]
fn twice(text: &str, times: i64) -> String {
    format!("{text}{times}")
}

fn main() {}
