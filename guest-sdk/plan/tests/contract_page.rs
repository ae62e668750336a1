//! The examples on the contract's page are right: they are read, checked, and hold a plan and a library.

use rulemill_plan::{Library, Plan};

const PAGE: &str = include_str!("../../../docs/contract.md");

#[test]
fn the_plan_and_the_library_on_the_page_are_right() {
    let (mut plans, mut libraries) = (0, 0);
    for block in PAGE.split("```json\n").skip(1) {
        let json = block.split("```").next().unwrap();
        let problems = if json.contains("\"emits\"") {
            plans += 1;
            Plan::from_json(json).unwrap().check()
        } else {
            libraries += 1;
            Library::from_json(json).unwrap().check()
        };
        assert_eq!(problems, []);
    }
    assert_eq!((plans, libraries), (1, 1));
}
