//! Guests end to end on one thread: from the bytes of a module to columns.

use super::{GuestEngine, LoadError, MillGuests, load};
use crate::config::LimitsConfig;
use rulemill_core::{Cells, Column, Guests as _, Rows};
use rulemill_plan::{BoundArgument, Literal, Type};
use std::time::Duration;

fn limits() -> LimitsConfig {
    LimitsConfig {
        call_timeout: Duration::from_millis(50),
        memory_bytes_max: 64 << 20,
        file_bytes_max: 16 << 20,
        groups_max: 1000,
        windows_max: 10,
    }
}

#[test]
fn shipped() {
    let engine = GuestEngine::new().unwrap();
    let bytes = std::fs::read("../dist/rules/text.wasm").unwrap();
    let loaded = load(&engine, &bytes, &limits()).unwrap();
    let mut guests = MillGuests::new(engine);
    guests.put_library(loaded.library.unwrap());
    let arguments = [
        BoundArgument::Type(Type::Text),
        BoundArgument::Literal(Literal::from("/")),
        BoundArgument::Literal(Literal::from(1)),
    ];
    let bound = guests.bind_scalar(None, "split_value", &arguments).unwrap();
    let topics = Column::new(Cells::Texts(["a/1/c", "a", "a/é/c"].into_iter().collect()));
    let rows = Rows {
        rows: 3,
        columns: &[&topics],
    };
    let (column, errors) = guests.evaluate(bound.site, rows).unwrap();
    println!("{column:?} {errors:?}");
    assert!(matches!(
        load(&guests_engine(), b"hello", &limits()),
        Err(LoadError::NotWasm)
    ));
}

fn guests_engine() -> GuestEngine {
    GuestEngine::new().unwrap()
}
