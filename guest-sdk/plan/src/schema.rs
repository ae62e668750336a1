//! The published JSON Schemas of the descriptions, for whoever writes a guest in another language or checks one.

use crate::{Library, Plan};

/// The JSON Schema of a plan; `schema/plan.schema.json` in the repository.
pub fn plan_schema() -> String {
    text_of(&schemars::schema_for!(Plan))
}

/// The JSON Schema of a library's description; `schema/library.schema.json` in the repository.
pub fn library_schema() -> String {
    text_of(&schemars::schema_for!(Library))
}

fn text_of(schema: &schemars::Schema) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("a schema is JSON already");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn check_fresh(file: &str, schema: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(file);
        if blessed() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, schema).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == schema,
            "{file} is not what the types say; renew it with BLESS=1 and read the difference"
        );
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "renewing expected files is asked for in the environment"
    )]
    fn blessed() -> bool {
        std::env::var("BLESS").is_ok()
    }

    #[test]
    fn the_published_schema_of_plans_is_fresh() {
        check_fresh("plan.schema.json", &super::plan_schema());
    }

    #[test]
    fn the_published_schema_of_libraries_is_fresh() {
        check_fresh("library.schema.json", &super::library_schema());
    }
}
