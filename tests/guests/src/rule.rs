//! Rules: a plan, and kernels that do what a test wants.

use crate::module::{build, escaped};
use crate::world::{VERSION, World};
use serde_json::Value;

/// A rule that gives its plan, and whose every kernel gives back its inputs, until a part of it is replaced.
#[derive(Clone, Debug)]
pub struct RuleGuest {
    description: Vec<u8>,
    contract: String,
    imports: String,
    items: String,
    describe: String,
    prepare: String,
    run: String,
    realloc: String,
}

/// A rule without kernels that describes itself with `plan`.
pub fn plan_guest(plan: &Value) -> Vec<u8> {
    RuleGuest::new(plan).build()
}

impl RuleGuest {
    /// A rule with this plan.
    pub fn new(plan: &Value) -> Self {
        Self::describing(plan.to_string())
    }

    /// A rule that says this about itself.
    pub fn describing(description: impl Into<Vec<u8>>) -> Self {
        RuleGuest {
            description: description.into(),
            contract: VERSION.to_owned(),
            imports: String::new(),
            items: String::new(),
            describe: DESCRIBE.to_owned(),
            prepare: PREPARE.to_owned(),
            run: GIVE_BACK.to_owned(),
            realloc: REALLOC.to_owned(),
        }
    }

    /// Built for another version of the contract.
    #[must_use]
    pub fn contract(mut self, version: &str) -> Self {
        version.clone_into(&mut self.contract);
        self
    }

    /// Further imports; they stand first in a module.
    #[must_use]
    pub fn imports(mut self, text: &str) -> Self {
        self.imports.push_str(text);
        self
    }

    /// Further functions, globals, tables, a start.
    #[must_use]
    pub fn items(mut self, text: &str) -> Self {
        self.items.push_str(text);
        self
    }

    /// The body of `describe`: it leaves the address of pointer and length of a text.
    #[must_use]
    pub fn describe(mut self, body: &str) -> Self {
        body.clone_into(&mut self.describe);
        self
    }

    /// The body of `prepare`; `$settings` and `$length` are its parameters.
    #[must_use]
    pub fn prepare(mut self, body: &str) -> Self {
        body.clone_into(&mut self.prepare);
        self
    }

    /// The body of `run`: it leaves the address of a result. Its parameters are `$self`, `$kernel`, `$rows`, `$columns`
    /// and `$count`, its locals `$i` and `$at`.
    #[must_use]
    pub fn run(mut self, body: &str) -> Self {
        body.clone_into(&mut self.run);
        self
    }

    /// What `run` does before it gives back its inputs.
    #[must_use]
    pub fn attack(self, text: &str) -> Self {
        let body = format!("{text} {GIVE_BACK}");
        self.run(&body)
    }

    /// The body of `cabi_realloc`; `$size` is what is wanted. It leaves the address.
    #[must_use]
    pub fn realloc(mut self, body: &str) -> Self {
        body.clone_into(&mut self.realloc);
        self
    }

    /// The bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let heap = (DESCRIPTION_AT + self.description.len()).next_multiple_of(1 << 16);
        let places = [
            ("$IMPORTS", self.imports.as_str()),
            ("$ITEMS", &self.items),
            ("$DESCRIBE", &self.describe),
            ("$PREPARE", &self.prepare),
            ("$RUN", &self.run),
            ("$REALLOC", &self.realloc),
            ("$DATA", &escaped(&self.description)),
            ("$LENGTH", &self.description.len().to_string()),
            ("$HEAP", &heap.to_string()),
            ("$PAGES", &(heap / (1 << 16) + HEAP_PAGES).to_string()),
        ];
        build(MODULE, &places, World::Rule, &self.contract)
    }
}

/// Results stand at the start of memory, then what the rule says about itself, then what the host hands over.
const MODULE: &str = r#"
(module
  (import "[export]rulemill:guest/rule@1.0.0" "[resource-new]prepared" (func $new (param i32) (result i32)))
  $IMPORTS
  (memory (export "memory") $PAGES)
  (global $top (mut i32) (i32.const $HEAP))
  (data (i32.const 1024) "$DATA")
  $ITEMS
  (func (export "rulemill:guest/rule@1.0.0#describe") (result i32)
    $DESCRIBE)
  (func (export "rulemill:guest/rule@1.0.0#prepare") (param $settings i32) (param $length i32) (result i32)
    $PREPARE)
  (func (export "rulemill:guest/rule@1.0.0#[method]prepared.run")
    (param $self i32) (param $kernel i32) (param $rows i32) (param $columns i32) (param $count i32) (result i32)
    (local $i i32) (local $at i32)
    $RUN)
  (func (export "cabi_post_rulemill:guest/rule@1.0.0#[method]prepared.run") (param i32)
    (global.set $top (i32.const $HEAP)))
  (func (export "rulemill:guest/rule@1.0.0#[dtor]prepared") (param i32))
  (func (export "cabi_realloc") (param i32) (param i32) (param i32) (param $size i32) (result i32)
    (local $at i32)
    $REALLOC))
"#;

const DESCRIBE: &str = "
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const $LENGTH))
    (i32.const 0)";

const PREPARE: &str = "
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (call $new (i32.const 0)))
    (i32.const 16)";

/// A body of `run`: the inputs are the outputs, where they lie.
pub const GIVE_BACK: &str = "
    (i32.store (i32.const 32) (i32.const 0))
    (i32.store (i32.const 36) (local.get $rows))
    (i32.store (i32.const 40) (local.get $columns))
    (i32.store (i32.const 44) (local.get $count))
    (i32.store (i32.const 48) (i32.const 0))
    (i32.store (i32.const 52) (i32.const 0))
    (i32.const 32)";

const REALLOC: &str = "
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at)";

const DESCRIPTION_AT: usize = 1024;
/// Memory for what the host hands over, in pages of 64 KiB.
const HEAP_PAGES: usize = 16;
