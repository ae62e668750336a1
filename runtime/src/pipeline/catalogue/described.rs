//! Streams as they are described to others, in the shapes of eKuiper's REST interface.

use super::queries::Queries;
use crate::http::StreamStatus;
use rulemill_sql::Stream;
use rulemill_sql::ast::{Field, FieldType};
use serde_json::{Map, Value, json};

/// All streams, by name.
pub(super) fn streams(queries: &Queries) -> Vec<StreamStatus> {
    let streams = queries.streams();
    streams
        .map(|(stream, file)| StreamStatus {
            name: stream.name.clone(),
            description: describe(stream, queries.statement_of(file)),
        })
        .collect()
}

/// `statement` is the text of its definition, where a file has nothing else.
fn describe(stream: &Stream, statement: Option<&str>) -> Value {
    let written = stream.options.iter();
    let written: Vec<Value> = written
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let options: Map<String, Value> = stream
        .options
        .iter()
        .map(|(name, value)| (key(name), option(name, value)))
        .collect();
    let mut description = json!({
        "Name": stream.name,
        "StreamFields": fields(&stream.fields),
        "Options": options,
        "OptionsAsWritten": written,
    });
    if let Some(statement) = statement {
        description["Statement"] = json!(statement.trim());
    }
    description
}

fn fields(fields: &[Field]) -> Value {
    let fields = fields.iter();
    fields
        .map(|field| json!({"Name": field.name.text, "FieldType": kind(&field.kind)}))
        .collect()
}

fn kind(kind: &FieldType) -> Value {
    match kind {
        FieldType::Bigint => json!("bigint"),
        FieldType::Float => json!("float"),
        FieldType::String => json!("string"),
        FieldType::Bytea => json!("bytea"),
        FieldType::Datetime => json!("datetime"),
        FieldType::Boolean => json!("boolean"),
        FieldType::Array(element) => json!({"Type": "array", "ElementType": self::kind(element)}),
        FieldType::Struct(inner) => json!({"Type": "struct", "Fields": fields(inner)}),
    }
}

/// The name of an option in JSON.
fn key(name: &str) -> String {
    let mut key = String::new();
    for (position, word) in name.split('_').enumerate() {
        let word = word.to_ascii_lowercase();
        match (position, word.chars().next()) {
            (1.., Some(first)) => {
                key.push(first.to_ascii_uppercase());
                key.push_str(&word[first.len_utf8()..]);
            }
            _ => key.push_str(&word),
        }
    }
    match key.as_str() {
        "schemaid" => "schemaId".to_owned(),
        _ => key,
    }
}

fn option(name: &str, value: &str) -> Value {
    match name {
        "SHARED" | "STRICT_VALIDATION" => json!(value.eq_ignore_ascii_case("true")),
        "RETAIN_SIZE" => value.parse::<u32>().map_or(json!(value), |size| json!(size)),
        _ => json!(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_sql::script;

    #[test]
    fn a_stream_is_described_as_by_the_peer() {
        let text = "CREATE STREAM demo (a bigint, b array(float), c struct(d string)) WITH
                    (FORMAT=\"JSON\", DATASOURCE=\"x/+\", CONF_KEY=\"plant\", SHARED=\"TRUE\")";
        let stream = script(text).unwrap().streams.remove(0);
        assert_eq!(
            describe(&stream, Some(" text ")),
            json!({
                "Name": "demo",
                "StreamFields": [
                    {"Name": "a", "FieldType": "bigint"},
                    {"Name": "b", "FieldType": {"Type": "array", "ElementType": "float"}},
                    {"Name": "c", "FieldType": {"Type": "struct", "Fields": [{"Name": "d", "FieldType": "string"}]}},
                ],
                "Options": {"format": "JSON", "datasource": "x/+", "confKey": "plant", "shared": true},
                "OptionsAsWritten": [
                    {"Name": "FORMAT", "Value": "JSON"},
                    {"Name": "DATASOURCE", "Value": "x/+"},
                    {"Name": "CONF_KEY", "Value": "plant"},
                    {"Name": "SHARED", "Value": "TRUE"},
                ],
                "Statement": "text",
            })
        );
    }
}
