//! Any bytes as a file of the rules directory: see `rulemill::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // A panic that the loader catches is a refusal. One that gets past it still ends the process.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |data: &[u8]| rulemill::fuzzing::loader(data)
);
