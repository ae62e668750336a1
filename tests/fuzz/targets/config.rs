//! Any bytes as a configuration: see `rulemill::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rulemill::fuzzing::config(data));
