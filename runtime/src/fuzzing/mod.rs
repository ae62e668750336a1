//! What a fuzzer throws bytes at: the loader, the lifting of results, the JSON decoder, the configuration. Each function
//! takes any bytes and panics where something is wrong. `tests/fuzz` calls them (`make fuzz`); what it starts from, and
//! what it has found, lies in `tests/fuzz/seeds` and is tried by the tests here too. Not part of the flow.

mod config;
mod json;
mod lifting;
mod loader;

pub use config::config;
pub use json::json;
pub use lifting::lifting;
pub use loader::loader;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn try_seeds(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fuzz/seeds")
            .join(target);
        let mut seeds = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            run(&std::fs::read(entry.unwrap().path()).unwrap());
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has no seeds");
    }

    #[test]
    fn seeds_of_the_loader_hold() {
        try_seeds("loader", loader);
    }

    #[test]
    fn seeds_of_the_lifting_hold() {
        try_seeds("lifting", lifting);
    }

    #[test]
    fn seeds_of_the_decoder_hold() {
        try_seeds("json", json);
    }

    #[test]
    fn seeds_of_the_configuration_hold() {
        try_seeds("config", config);
    }
}
