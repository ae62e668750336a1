//! Any bytes as a payload: see `rulemill::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rulemill::fuzzing::json(data));
