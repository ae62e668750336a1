//! The `rulemill` command.

fn main() {}
