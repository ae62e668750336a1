//! Libraries: a description, and functions that do what a test wants.

use crate::module::{build, escaped};
use crate::world::{VERSION, World};
use serde_json::Value;

/// A library that describes itself, and whose every scalar function gives back its first argument, a column of ints,
/// until a part of it is replaced. Its aggregates keep one word, the sum of what they are given.
#[derive(Clone, Debug)]
pub struct LibraryGuest {
    description: Vec<u8>,
    items: String,
    bind: String,
    evaluate: String,
    accumulate: String,
    finish: String,
}

impl LibraryGuest {
    /// A library with this description.
    pub fn new(description: &Value) -> Self {
        Self::describing(description.to_string())
    }

    /// A library that says this about itself.
    pub fn describing(description: impl Into<Vec<u8>>) -> Self {
        LibraryGuest {
            description: description.into(),
            items: String::new(),
            bind: BIND.to_owned(),
            evaluate: GIVE_BACK.to_owned(),
            accumulate: SUM.to_owned(),
            finish: STATES.to_owned(),
        }
    }

    /// The same functions under another description.
    #[must_use]
    pub fn describing_as(mut self, description: &Value) -> Self {
        self.description = description.to_string().into_bytes();
        self
    }

    /// Further functions, globals, tables, a start.
    #[must_use]
    pub fn items(mut self, text: &str) -> Self {
        self.items.push_str(text);
        self
    }

    /// The body of `bind`: it leaves the address of a result.
    #[must_use]
    pub fn bind(mut self, body: &str) -> Self {
        body.clone_into(&mut self.bind);
        self
    }

    /// The body of `evaluate`: it leaves the address of a result. Its parameters are `$self`, `$rows`, `$columns` and
    /// `$count`, its locals `$i` and `$at`.
    #[must_use]
    pub fn evaluate(mut self, body: &str) -> Self {
        body.clone_into(&mut self.evaluate);
        self
    }

    /// What `evaluate` does before it gives back its first argument.
    #[must_use]
    pub fn attack(self, text: &str) -> Self {
        let body = format!("{text} {GIVE_BACK}");
        self.evaluate(&body)
    }

    /// The body of `accumulate`: it leaves the address of a result.
    #[must_use]
    pub fn accumulate(mut self, body: &str) -> Self {
        body.clone_into(&mut self.accumulate);
        self
    }

    /// The body of `finish`: it leaves the address of a result.
    #[must_use]
    pub fn finish(mut self, body: &str) -> Self {
        body.clone_into(&mut self.finish);
        self
    }

    /// The bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let heap = (DESCRIPTION_AT + self.description.len()).next_multiple_of(1 << 16);
        let places = [
            ("$ITEMS", self.items.as_str()),
            ("$BIND", &self.bind),
            ("$EVALUATE", &self.evaluate),
            ("$ACCUMULATE", &self.accumulate),
            ("$FINISH", &self.finish),
            ("$DATA", &escaped(&self.description)),
            ("$LENGTH", &self.description.len().to_string()),
            ("$HEAP", &heap.to_string()),
            ("$PAGES", &(heap / (1 << 16) + HEAP_PAGES).to_string()),
        ];
        build(MODULE, &places, World::Library, VERSION)
    }
}

/// Results stand at the start of memory, the name of the type `int` at 512, then the description, then what the host
/// hands over.
const MODULE: &str = r#"
(module
  (import "[export]rulemill:guest/functions@1.0.0" "[resource-new]call-site" (func $new_site (param i32) (result i32)))
  (import "[export]rulemill:guest/functions@1.0.0" "[resource-new]accumulator" (func $new_accumulator (param i32) (result i32)))
  (memory (export "memory") $PAGES)
  (global $top (mut i32) (i32.const $HEAP))
  (data (i32.const 512) "int")
  (data (i32.const 1024) "$DATA")
  $ITEMS
  (func (export "rulemill:guest/functions@1.0.0#describe") (result i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const $LENGTH))
    (i32.const 0))
  (func (export "rulemill:guest/functions@1.0.0#bind") (param i32 i32 i32 i32) (result i32)
    $BIND)
  (func (export "rulemill:guest/functions@1.0.0#bind-aggregate") (param i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (call $new_accumulator (i32.const 0)))
    (i32.store (i32.const 24) (i32.const 512))
    (i32.store (i32.const 28) (i32.const 3))
    (i32.const 16))
  (func (export "rulemill:guest/functions@1.0.0#[method]call-site.evaluate")
    (param $self i32) (param $rows i32) (param $columns i32) (param $count i32) (result i32)
    (local $i i32) (local $at i32)
    $EVALUATE)
  (func (export "cabi_post_rulemill:guest/functions@1.0.0#[method]call-site.evaluate") (param i32)
    (global.set $top (i32.const $HEAP)))
  (func (export "rulemill:guest/functions@1.0.0#[method]accumulator.initial") (param i32) (result i32)
    (i64.store (i32.const 128) (i64.const 0))
    (i32.store (i32.const 96) (i32.const 128))
    (i32.store (i32.const 100) (i32.const 1))
    (i32.const 96))
  (func (export "rulemill:guest/functions@1.0.0#[method]accumulator.accumulate")
    (param $self i32) (param $states i32) (param $states_count i32) (param $groups i32) (param $groups_count i32)
    (param $rows i32) (param $columns i32) (param $count i32) (result i32)
    (local $i i32) (local $at i32)
    $ACCUMULATE)
  (func (export "rulemill:guest/functions@1.0.0#[method]accumulator.merge")
    (param i32 i32 i32 i32 i32) (result i32)
    (unreachable))
  (func (export "rulemill:guest/functions@1.0.0#[method]accumulator.finish")
    (param $self i32) (param $states i32) (param $count i32) (result i32)
    $FINISH)
  (func (export "rulemill:guest/functions@1.0.0#[method]accumulator.migrate")
    (param i32 i64 i32 i32) (result i32)
    (unreachable))
  (func (export "rulemill:guest/functions@1.0.0#[dtor]call-site") (param i32))
  (func (export "rulemill:guest/functions@1.0.0#[dtor]accumulator") (param i32))
  (func (export "cabi_realloc") (param i32) (param i32) (param i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at)))
"#;

const BIND: &str = "
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (call $new_site (i32.const 0)))
    (i32.store (i32.const 24) (i32.const 512))
    (i32.store (i32.const 28) (i32.const 3))
    (i32.const 16)";

/// The first column as it lies there: 28 bytes, moved behind the word that says that all is well.
const GIVE_BACK: &str = "
    (i32.store (i32.const 32) (i32.const 0))
    (memory.copy (i32.const 36) (local.get $columns) (i32.const 28))
    (i32.store (i32.const 64) (i32.const 0))
    (i32.store (i32.const 68) (i32.const 0))
    (i32.const 32)";

/// Adds each int of the first column to the word of its group.
const SUM: &str = "
    (loop $next
      (if (i32.lt_u (local.get $i) (local.get $rows))
        (then
          (local.set $at (i32.add (local.get $states) (i32.mul (i32.const 8)
            (i32.load (i32.add (local.get $groups) (i32.mul (local.get $i) (i32.const 4)))))))
          (i64.store (local.get $at) (i64.add (i64.load (local.get $at))
            (i64.load (i32.add (i32.load offset=12 (local.get $columns)) (i32.mul (local.get $i) (i32.const 8))))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))))
    (i32.store (i32.const 192) (i32.const 0))
    (i32.store (i32.const 196) (local.get $states))
    (i32.store (i32.const 200) (local.get $states_count))
    (i32.store (i32.const 204) (i32.const 0))
    (i32.store (i32.const 208) (i32.const 0))
    (i32.const 192)";

/// The words of the states, as ints.
const STATES: &str = "
    (i32.store (i32.const 160) (i32.const 0))
    (i32.store (i32.const 164) (i32.const 0))
    (i32.store (i32.const 168) (i32.const 0))
    (i32.store (i32.const 172) (i32.const 1))
    (i32.store (i32.const 176) (local.get $states))
    (i32.store (i32.const 180) (local.get $count))
    (i32.const 160)";

const DESCRIPTION_AT: usize = 1024;
/// Memory for what the host hands over, in pages of 64 KiB.
const HEAP_PAGES: usize = 16;
