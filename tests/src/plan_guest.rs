//! Rules made from a plan alone, for what no shipped rule does.

use crate::guest;
use serde_json::Value;
use std::fmt::Write as _;

/// A rule without kernels that describes itself with `plan`, as bytes for a `.wasm` file: a core module that carries
/// component type information, as a compiler would leave it.
pub fn plan_guest(plan: &Value) -> Vec<u8> {
    let plan = plan.to_string();
    assert!(
        plan.len() < PLAN_BYTES_MAX,
        "the plan fits below the allocator's memory"
    );
    let mut data = String::new();
    for byte in plan.bytes() {
        write!(data, "\\{byte:02x}").expect("a string takes any text");
    }
    let text = MODULE
        .replace("$DATA", &data)
        .replace("$LENGTH", &plan.len().to_string());
    let mut wasm = wat::parse_str(text).expect("the module is well-formed");
    wasm.extend(component_type());
    wasm
}

/// The custom section that says which world a module implements; the same for all rules, so a shipped one lends it.
fn component_type() -> Vec<u8> {
    let rule = std::fs::read(guest("device_temperature.wasm")).expect("a built guest can be read");
    let mut at = 8;
    while at < rule.len() {
        let (id, start) = (rule[at], at);
        let (length, body) = leb128(&rule, at + 1);
        at = body + length;
        let (name_length, name) = leb128(&rule, body);
        if id == 0 && rule[name..name + name_length].ends_with(b":plain-rule:imports and exports") {
            return rule[start..at].to_vec();
        }
    }
    panic!("device_temperature.wasm does not say which world it implements");
}

/// The number at `at`, and where what follows it starts.
fn leb128(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        value |= usize::from(bytes[at] & 0x7f) << shift;
        at += 1;
        if bytes[at - 1] < 0x80 {
            return (value, at);
        }
        shift += 7;
    }
}

/// Results stand at the start of memory, the plan from 1024 on, and what the host hands over from 64 KiB on.
const MODULE: &str = r#"
(module
  (import "[export]rulemill:guest/rule@1.0.0" "[resource-new]prepared" (func $new (param i32) (result i32)))
  (memory (export "memory") 16)
  (global $top (mut i32) (i32.const 65536))
  (data (i32.const 1024) "$DATA")
  (func (export "rulemill:guest/rule@1.0.0#describe") (result i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const $LENGTH))
    (i32.const 0))
  (func (export "rulemill:guest/rule@1.0.0#prepare") (param i32 i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (call $new (i32.const 0)))
    (i32.const 16))
  (func (export "rulemill:guest/rule@1.0.0#[method]prepared.run") (param i32 i32 i32 i32 i32) (result i32)
    (unreachable))
  (func (export "rulemill:guest/rule@1.0.0#[dtor]prepared") (param i32))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at)))
"#;

const PLAN_BYTES_MAX: usize = 60_000;
