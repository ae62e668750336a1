//! Definitions of streams.

use super::cursor::{Cursor, is_reserved};
use crate::ast::{CreateStream, Field, FieldType, Kind, Name, StreamOption};
use crate::problem::{Problem, nearest};
use crate::tokens::{Symbol, Token};

/// What follows `CREATE STREAM`.
pub(super) fn create(cursor: &mut Cursor<'_>, kind: Kind) -> Result<CreateStream, Problem> {
    let name = cursor.expect_name("the name of the stream")?;
    let fields = fields(cursor)?;
    cursor.expect_keyword("WITH")?;
    cursor.expect(Symbol::OpenParen, "`(`")?;
    let mut options: Vec<StreamOption> = Vec::new();
    loop {
        let option = option(cursor)?;
        if options.iter().any(|other| other.name.text == option.name.text) {
            let message = format!("the option {} is there already", option.name.text);
            return Err(Problem::new(option.name.span, message));
        }
        options.push(option);
        if cursor.take(Symbol::CloseParen) {
            return Ok(CreateStream {
                kind,
                name,
                fields,
                options,
            });
        }
        cursor.expect(Symbol::Comma, "`,` or `)`")?;
    }
}

/// `(a bigint, b string)`; the last comma may stand there for nothing.
fn fields(cursor: &mut Cursor<'_>) -> Result<Vec<Field>, Problem> {
    cursor.enter()?;
    cursor.expect(Symbol::OpenParen, "`(`")?;
    let mut fields: Vec<Field> = Vec::new();
    while !cursor.take(Symbol::CloseParen) {
        let name = field_name(cursor)?;
        if fields.iter().any(|other| other.name.text == name.text) {
            return Err(Problem::new(
                name.span,
                format!("the field {:?} is there already", name.text),
            ));
        }
        let kind = field_type(cursor)?;
        fields.push(Field { name, kind });
        if *cursor.token() != Token::Symbol(Symbol::CloseParen) {
            cursor.expect(Symbol::Comma, "`,` or `)`")?;
        }
    }
    cursor.leave();
    Ok(fields)
}

/// Also a keyword: in this place nothing else is meant.
fn field_name(cursor: &mut Cursor<'_>) -> Result<Name, Problem> {
    match cursor.token().clone() {
        Token::Word { text, .. } => Ok(Name {
            text,
            span: cursor.advance(),
        }),
        _ => Err(cursor.unexpected("the name of a field")),
    }
}

fn field_type(cursor: &mut Cursor<'_>) -> Result<FieldType, Problem> {
    let word = match cursor.token() {
        Token::Word { text, quoted: false } if !is_reserved(text) => text.to_ascii_lowercase(),
        _ => return Err(cursor.unexpected(TYPES)),
    };
    let kind = match word.as_str() {
        "bigint" => FieldType::Bigint,
        "float" => FieldType::Float,
        "string" => FieldType::String,
        "bytea" => FieldType::Bytea,
        "datetime" => FieldType::Datetime,
        "boolean" => FieldType::Boolean,
        "array" => {
            cursor.advance();
            return array(cursor);
        }
        "struct" => {
            cursor.advance();
            return fields(cursor).map(FieldType::Struct);
        }
        _ => {
            let problem = cursor.unexpected(TYPES);
            let near = nearest(&word, TYPE_NAMES.iter().copied());
            return Err(Problem::new(problem.span, format!("{}{near}", problem.message)));
        }
    };
    cursor.advance();
    Ok(kind)
}

const TYPES: &str = "a type (bigint, float, string, bytea, datetime, boolean, array(...) or struct(...))";
const TYPE_NAMES: &[&str] = &[
    "array", "bigint", "boolean", "bytea", "datetime", "float", "string", "struct",
];

fn array(cursor: &mut Cursor<'_>) -> Result<FieldType, Problem> {
    cursor.enter()?;
    cursor.expect(Symbol::OpenParen, "`(` and the type of the elements")?;
    let element = field_type(cursor)?;
    cursor.expect(Symbol::CloseParen, "`)`")?;
    cursor.leave();
    Ok(FieldType::Array(Box::new(element)))
}

fn option(cursor: &mut Cursor<'_>) -> Result<StreamOption, Problem> {
    let name = match cursor.token() {
        Token::Word { text, .. } => text.to_ascii_uppercase(),
        _ => return Err(cursor.unexpected("the name of an option")),
    };
    let span = cursor.span();
    if !OPTIONS.contains(&name.as_str()) {
        let near = nearest(&name, OPTIONS.iter().copied());
        let message = format!("unknown option {name}{near} (there are {})", OPTIONS.join(", "));
        return Err(Problem::new(span, message));
    }
    cursor.advance();
    cursor.expect(Symbol::Equal, "`=`")?;
    let value = match cursor.token().clone() {
        Token::Text(text) | Token::Number(text) => Name {
            text,
            span: cursor.advance(),
        },
        Token::Word { text, .. } if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => Name {
            text,
            span: cursor.advance(),
        },
        _ => return Err(cursor.unexpected("a value in quotes")),
    };
    let option = StreamOption {
        name: Name { text: name, span },
        value,
    };
    check_value(&option)?;
    Ok(option)
}

fn check_value(option: &StreamOption) -> Result<(), Problem> {
    let value = &option.value;
    let is_bool = ["true", "false"]
        .iter()
        .any(|word| value.text.eq_ignore_ascii_case(word));
    let wanted = match option.name.text.as_str() {
        "SHARED" | "STRICT_VALIDATION" if !is_bool => "\"true\" or \"false\"",
        "RETAIN_SIZE" if value.text.parse::<u32>().is_err() => "an integer",
        "KIND" if !["lookup", "scan"].contains(&value.text.to_ascii_lowercase().as_str()) => "\"lookup\" or \"scan\"",
        "EXTRA" if serde_json::from_str::<serde_json::Map<_, _>>(&value.text).is_err() => "a JSON object",
        _ => return Ok(()),
    };
    let message = format!("the option {} must be {wanted}, got {:?}", option.name.text, value.text);
    Err(Problem::new(value.span, message))
}

/// The options of eKuiper's streams and tables.
const OPTIONS: &[&str] = &[
    "CONF_KEY",
    "DATASOURCE",
    "DELIMITER",
    "EXTRA",
    "FORMAT",
    "KEY",
    "KIND",
    "RETAIN_SIZE",
    "SCHEMAID",
    "SHARED",
    "STRICT_VALIDATION",
    "TEMP",
    "TIMESTAMP",
    "TIMESTAMP_FORMAT",
    "TYPE",
    "VERSION",
];
