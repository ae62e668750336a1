//! Any bytes as what a guest returned: see `rulemill::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rulemill::fuzzing::lifting(data));
