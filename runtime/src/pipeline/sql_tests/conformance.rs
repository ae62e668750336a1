//! Cases of a peer's test suite, from a folder outside the repository. A case that is not held to is named in
//! `skipped.txt`, with the reason; a case that is named there and holds is an error too.

use super::running::{Outcome, Running};
use rulemill_sql::ast::Statement;
use rulemill_sql::{Stream, parse, script};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The cases of a file; `None` when the folder is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "where the cases are is a matter of who runs the tests"
)]
fn cases(file: &str) -> Option<Vec<Value>> {
    let folder = match std::env::var_os("RULEMILL_CONFORMANCE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance"),
    };
    let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
        eprintln!(
            "{file} was not run: it is not in {} (RULEMILL_CONFORMANCE names another folder)",
            folder.display()
        );
        return None;
    };
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a case is JSON"))
            .collect(),
    )
}

/// The cases of one file that are not held to, with the reason of each.
fn skipped(file: &str) -> BTreeMap<String, &'static str> {
    let (mut skipped, mut of_file, mut reason) = (BTreeMap::new(), false, "");
    for line in include_str!("skipped.txt")
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        if let Some(name) = line.strip_prefix("# ") {
            of_file = name == file;
        } else if let Some(text) = line.strip_prefix("## ") {
            reason = text;
        } else if of_file {
            skipped.insert(line.to_owned(), reason);
        }
    }
    skipped
}

/// Runs the cases of a file: each has a name, and a reason when it does not hold.
fn check(file: &str, run: impl Fn(&Value) -> (String, Result<(), String>)) {
    let Some(cases) = cases(file) else { return };
    let skipped = skipped(file);
    let mut wrong = Vec::new();
    let mut held = 0;
    for case in &cases {
        let (name, result) = run(case);
        match (result, skipped.contains_key(&name)) {
            (Ok(()), false) => held += 1,
            (Err(_), true) => {}
            (Ok(()), true) => wrong.push(format!("{name}\n    holds, but is skipped")),
            (Err(reason), false) => wrong.push(format!("{name}\n    {reason}")),
        }
    }
    eprintln!(
        "{file}: {held} of {} cases hold, {} are skipped",
        cases.len(),
        skipped.len()
    );
    assert!(
        wrong.is_empty(),
        "{} cases of {file}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn text<'c>(case: &'c Value, name: &str) -> &'c str {
    case[name].as_str().unwrap_or_default()
}

/// One line, so that it can be a name.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn statements_are_accepted_or_refused_as_by_the_peer() {
    check("statements.jsonl", |case| {
        let sql = text(case, "sql");
        let accepted = accept(sql);
        let result = match (case["ok"].as_bool() == Some(true), accepted) {
            (true, Ok(())) | (false, Err(_)) => Ok(()),
            (true, Err(reason)) => Err(reason),
            (false, Ok(())) => Err(format!("must be refused: {}", one_line(text(case, "error")))),
        };
        (one_line(sql), result)
    });
}

/// Whether a text is accepted: as far as it can be seen without the streams that it reads.
fn accept(sql: &str) -> Result<(), String> {
    let statements = parse(sql).map_err(|problem| problem.line(sql))?;
    let Some(Statement::Select(select)) = statements.into_iter().next() else {
        return script_without_commands(sql);
    };
    let from = &select.from.stream.text;
    match Running::start(
        sql,
        vec![Stream {
            name: from.clone(),
            ..Stream::of_filter("t")
        }],
    ) {
        Err(reason)
            if reason.contains("there is no function") || reason.contains("must be") || reason.contains("only") =>
        {
            Err(reason)
        }
        _ => Ok(()),
    }
}

fn script_without_commands(sql: &str) -> Result<(), String> {
    let is_definition = sql.trim_start().to_ascii_lowercase().starts_with("create stream");
    match script(sql) {
        Err(problems) if is_definition && problems[0].message.contains("unknown") => Err(problems[0].message.clone()),
        _ => Ok(()),
    }
}

#[test]
fn expressions_give_what_they_give_at_the_peer() {
    check("expressions.jsonl", |case| {
        let sql = text(case, "sql");
        let payload = case["message"].to_string();
        (format!("{sql} {payload}"), expression(sql, &payload, &case["result"]))
    });
}

fn expression(sql: &str, payload: &str, wanted: &Value) -> Result<(), String> {
    let stream = Stream {
        name: "src".to_owned(),
        ..Stream::of_filter("src")
    };
    let outcome = match Running::start(sql, vec![stream]) {
        Ok(mut running) => running.message("src", payload, 0),
        Err(reason) if wanted.get("$error").is_some() => Outcome::Failed(reason),
        Err(reason) => return Err(reason),
    };
    let holds = match &outcome {
        Outcome::Failed(_) => wanted.get("$error").is_some(),
        Outcome::Rows(rows) if sql.starts_with("select *") => Some(!rows.is_empty()) == wanted.as_bool(),
        Outcome::Rows(rows) => {
            let out = rows.first().map_or(Value::Null, |array| array[0]["t"].clone());
            same(&out, wanted)
        }
    };
    match holds {
        true => Ok(()),
        false => Err(format!("must give {wanted}, gives {outcome:?}")),
    }
}

/// Whether two values are the same, whichever way a number is written.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64() && (left.is_f64() || right.is_f64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

#[test]
fn rules_emit_what_they_emit_at_the_peer() {
    check("rules.jsonl", |case| (text(case, "name").to_owned(), rule(case)));
}

/// Runs a case's messages in the order of their arrival, and compares what comes out, emission by emission.
fn rule(case: &Value) -> Result<(), String> {
    let mut streams = Vec::new();
    for (_, definition) in case["streams"].as_object().ok_or("there are no streams")? {
        let definition = definition.as_str().unwrap_or_default().replace("TYPE=\"mock\", ", "");
        let read = script(&definition).map_err(|problems| problems[0].message.clone())?;
        streams.extend(read.streams);
    }
    let mut running = Running::start(text(case, "sql"), streams)?;
    let mut messages: Vec<(i64, String, String)> = Vec::new();
    for (stream, inputs) in case["inputs"].as_object().ok_or("there are no messages")? {
        for input in inputs.as_array().into_iter().flatten() {
            let arrival = input["arrival_ms"].as_i64().unwrap_or_default();
            messages.push((arrival, stream.clone(), input["message"].to_string()));
        }
    }
    messages.sort_by_key(|(arrival, ..)| *arrival);
    let mut emissions = Vec::new();
    for (arrival, stream, payload) in &messages {
        emissions.extend(running.advance(*arrival));
        emissions.extend(running.messages(stream, &[payload], *arrival));
    }
    let last = messages.last().map_or(0, |(arrival, ..)| *arrival);
    emissions.extend(running.advance(last + 3_600_000));
    let wanted: Vec<Value> = case["expected"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|wanted| !is_error(wanted))
        .cloned()
        .collect();
    let as_set = |rows: &Value| {
        let mut rows: Vec<Map<String, Value>> = rows
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row.as_object().cloned())
            .collect();
        rows.sort_by_key(|row| format!("{row:?}"));
        Value::Array(rows.into_iter().map(Value::Object).collect())
    };
    // The peer's clock stands still after the last message, so it leaves windows open that end here.
    if text(case, "sql").to_ascii_lowercase().contains("window(") {
        emissions.truncate(wanted.len());
    }
    let holds = emissions.len() == wanted.len()
        && emissions
            .iter()
            .zip(&wanted)
            .all(|(left, right)| same(&as_set(left), &as_set(right)));
    match holds {
        true => Ok(()),
        false => Err(format!(
            "must give {}, gives {}",
            Value::from(wanted),
            Value::from(emissions)
        )),
    }
}

/// A row with the words of an error: here it is a dead letter.
fn is_error(emission: &Value) -> bool {
    emission
        .as_array()
        .is_none_or(|rows| rows.iter().any(|row| row.get("error").is_some()))
}
