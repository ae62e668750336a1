//! Any bytes as a file of the rules directory: see `rulemill::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rulemill::fuzzing::loader(data));
