//! What a query can name: streams, and the functions of libraries.

use crate::ast::{CreateStream, Field, FieldType, Kind, Name};
use crate::problem::Problem;
use rulemill_plan::{AggregateFunction, Library, ScalarFunction};
use std::collections::BTreeMap;

/// Streams by their names, and libraries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// The streams.
    pub streams: BTreeMap<String, Stream>,
    /// The libraries, those that win first: when two have a function of one name, a query gets that of the first.
    pub libraries: Vec<Library>,
}

/// Messages of some topics, and what is in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The topic filter it listens to: its `DATASOURCE`.
    pub topic: String,
    /// The name of the source in the configuration: its `CONF_KEY`.
    pub source: Option<String>,
    /// Its fields; none: any message will do, and types follow from what queries do with a field.
    pub fields: Vec<Field>,
    /// The field with the time of the event: its `TIMESTAMP`.
    pub timestamp: Option<String>,
    /// All its options as they are written, the names in capitals.
    pub options: Vec<(String, String)>,
}

impl Stream {
    /// The stream of a definition. What its options ask for and rulemill does not do is a problem.
    pub fn from_definition(create: &CreateStream) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        if create.kind == Kind::Table {
            let message = "tables are not supported; a stream is what comes from a topic";
            problems.push(Problem::new(create.name.span, message));
        }
        let option = |name: &str| create.options.iter().find(|option| option.name.text == name);
        let mut only = |name: &str, wanted: &str, what: &str| {
            if let Some(option) = option(name).filter(|option| !option.value.text.eq_ignore_ascii_case(wanted)) {
                let message = format!(
                    "{what} {:?} is not supported; leave out {name}, or make it {wanted:?}",
                    option.value.text
                );
                problems.push(Problem::new(option.value.span, message));
            }
        };
        only("FORMAT", "json", "the format");
        only("TYPE", "mqtt", "the type of source");
        if let Some(option) = option("TIMESTAMP_FORMAT") {
            let message =
                "a time is milliseconds since the epoch or an RFC 3339 text; TIMESTAMP_FORMAT is not supported";
            problems.push(Problem::new(option.name.span, message));
        }
        let timestamp = option("TIMESTAMP").map(|option| &option.value);
        if let Some(timestamp) = timestamp {
            check_timestamp(create, timestamp, &mut problems);
        }
        let text = |name: &str| option(name).map(|option| option.value.text.clone());
        let stream = Stream {
            name: create.name.text.clone(),
            topic: text("DATASOURCE").unwrap_or_else(|| create.name.text.clone()),
            source: text("CONF_KEY"),
            fields: create.fields.clone(),
            timestamp: timestamp.map(|name| name.text.clone()),
            options: create
                .options
                .iter()
                .map(|option| (option.name.text.clone(), option.value.text.clone()))
                .collect(),
        };
        match problems.is_empty() {
            true => Ok(stream),
            false => Err(problems),
        }
    }

    /// Any messages of a topic filter, for a query that names the filter itself.
    pub fn of_filter(filter: &str) -> Self {
        Stream {
            name: filter.to_owned(),
            topic: filter.to_owned(),
            source: None,
            fields: Vec::new(),
            timestamp: None,
            options: Vec::new(),
        }
    }

    /// Whether any message will do.
    pub fn is_schemaless(&self) -> bool {
        self.fields.is_empty()
    }

    /// The type of a field; `None` when there is no such field.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldType> {
        self.fields
            .iter()
            .find(|field| field.name.text == name)
            .map(|field| &field.kind)
    }
}

fn check_timestamp(create: &CreateStream, timestamp: &Name, problems: &mut Vec<Problem>) {
    let field = create.fields.iter().find(|field| field.name.text == timestamp.text);
    let message = match field.map(|field| &field.kind) {
        None if create.fields.is_empty() => return,
        Some(FieldType::Bigint | FieldType::Float | FieldType::Datetime | FieldType::String) => return,
        None => format!(
            "TIMESTAMP must be one of the stream's fields, and {:?} is none",
            timestamp.text
        ),
        Some(_) => format!("the field {:?} cannot be a time", timestamp.text),
    };
    problems.push(Problem::new(timestamp.span, message));
}

impl Catalog {
    /// The scalar function of that name and the library that has it. Names of functions may be written in any case.
    pub(crate) fn scalar(&self, name: &str) -> Option<(&Library, &ScalarFunction)> {
        self.libraries.iter().find_map(|library| {
            let function = library
                .scalars
                .iter()
                .find(|function| function.name.eq_ignore_ascii_case(name));
            function.map(|function| (library, function))
        })
    }

    /// The aggregate of that name and the library that has it.
    pub(crate) fn aggregate(&self, name: &str) -> Option<(&Library, &AggregateFunction)> {
        self.libraries.iter().find_map(|library| {
            let function = library
                .aggregates
                .iter()
                .find(|function| function.name.eq_ignore_ascii_case(name));
            function.map(|function| (library, function))
        })
    }

    /// The names of all functions.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.libraries.iter().flat_map(|library| {
            let scalars = library.scalars.iter().map(|function| function.name.as_str());
            scalars.chain(library.aggregates.iter().map(|function| function.name.as_str()))
        })
    }
}
