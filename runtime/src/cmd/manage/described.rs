//! A stream as Kuiper's command line shows it.

use serde_json::Value;
use std::fmt::Write as _;

/// Its fields and its options.
pub(in super::super) fn stream(description: &Value) -> String {
    let mut text = format!("Fields\n{}\n", "-".repeat(80));
    for field in description["StreamFields"].as_array().into_iter().flatten() {
        let name = field["Name"].as_str().unwrap_or_default();
        let _ = writeln!(text, "{name}\t{}", kind(&field["FieldType"]));
    }
    text.push('\n');
    for option in description["OptionsAsWritten"].as_array().into_iter().flatten() {
        let name = option["Name"].as_str().unwrap_or_default();
        let value = option["Value"].as_str().unwrap_or_default();
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

/// A type as it is written in a statement.
fn kind(kind: &Value) -> String {
    match (kind.as_str(), kind["Type"].as_str()) {
        (Some(name), _) => name.to_owned(),
        (None, Some("array")) => format!("array({})", self::kind(&kind["ElementType"])),
        (None, Some("struct")) => {
            let fields = kind["Fields"].as_array().into_iter().flatten();
            let fields = fields.map(|field| {
                let name = field["Name"].as_str().unwrap_or_default();
                format!("{name} {}", self::kind(&field["FieldType"]))
            });
            format!("struct({})", fields.collect::<Vec<_>>().join(", "))
        }
        (None, _) => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stream_is_shown_as_users_of_kuiper_know_it() {
        let description = json!({
            "Name": "demo",
            "StreamFields": [
                {"Name": "temperature", "FieldType": "float"},
                {"Name": "parts", "FieldType": {"Type": "array", "ElementType": {"Type": "struct", "Fields": [
                    {"Name": "a", "FieldType": "bigint"}, {"Name": "b", "FieldType": "string"}]}}},
            ],
            "OptionsAsWritten": [{"Name": "FORMAT", "Value": "JSON"}, {"Name": "DATASOURCE", "Value": "devices/+/messages"}],
        });
        let rule = "-".repeat(80);
        let expected = format!(
            "Fields\n{rule}\ntemperature\tfloat\nparts\tarray(struct(a bigint, b string))\n\nFORMAT: JSON\n\
             DATASOURCE: devices/+/messages\n"
        );
        assert_eq!(stream(&description), expected);
    }
}
