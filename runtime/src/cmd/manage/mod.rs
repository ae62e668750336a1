//! Streams and rules of the running process: `create`, `show`, `describe`, `drop`, `start`, `stop`, `restart`, `getstatus` and
//! `explain`. What they print is what users of Kuiper know.

mod described;

use super::Failure;
use super::run::runtime;
use super::server::{Method, Said, Server, ServerArgs};
use super::sheet::printable_lines;
use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
pub(super) use described::stream as stream_in_words;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What `create` takes.
#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(subcommand)]
    what: Create,
}

/// What can be created.
#[derive(Debug, Subcommand)]
enum Create {
    /// Create a stream: rulemill create stream demo '(temperature float) WITH (FORMAT="JSON", DATASOURCE="devices/+/messages")'
    Stream(NewArgs),
    /// Create a rule: rulemill create rule rule1 -f rule1.json
    Rule(NewArgs),
}

/// A name and a definition.
#[derive(Debug, Args)]
struct NewArgs {
    /// The name
    name: String,
    /// The definition: `(FIELD TYPE, ...) WITH (OPTION="VALUE", ...)` of a stream, JSON of a rule
    #[arg(required_unless_present = "file")]
    definition: Option<String>,
    /// The file with the definition
    #[arg(long, short, conflicts_with = "definition")]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

/// What `show` takes.
#[derive(Debug, Args)]
pub struct KindArgs {
    #[arg(value_enum)]
    what: Kinds,
    #[command(flatten)]
    server: ServerArgs,
}

/// What `describe` and `drop` take.
#[derive(Debug, Args)]
pub struct NamedArgs {
    #[arg(value_enum)]
    what: Kind,
    /// The name
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// What `start`, `stop`, `restart` and `getstatus` take.
#[derive(Debug, Args)]
pub struct NamedRuleArgs {
    #[arg(value_enum)]
    what: OnlyRule,
    /// The name
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The query
    sql: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// What there are lists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kinds {
    /// Streams
    Streams,
    /// Rules
    Rules,
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A stream
    Stream,
    /// A rule
    Rule,
}

/// Streams neither run nor stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnlyRule {
    /// A rule
    Rule,
}

/// Creates a stream or a rule.
///
/// # Errors
/// The definition is wrong, there is one of that name, or nobody answers.
pub(super) fn create(args: CreateArgs) -> Result<(), Failure> {
    let (new, is_rule) = match args.what {
        Create::Stream(new) => (new, false),
        Create::Rule(new) => (new, true),
    };
    let text = match (&new.file, &new.definition) {
        (Some(file), _) => read(file)?,
        (None, definition) => definition.clone().unwrap_or_default(),
    };
    let mut said = String::new();
    if is_rule {
        if let Some(file) = &new.file {
            said = format!("Creating a new rule from file {}.\n", file.display());
        }
        let rule = rule_named(&text, &new.name)?;
        done(&new.server, Method::POST, &["rules"], Some(rule))?;
        said.push_str(&format!("Rule {} was created.\n", new.name));
    } else {
        let sql = statement(&new.name, &text);
        let body = json!({ "sql": sql }).to_string();
        said.push_str(&done(&new.server, Method::POST, &["streams"], Some(body))?);
        said.push('\n');
    }
    print(&said)
}

/// Lists streams or rules.
///
/// # Errors
/// Nobody answers.
pub(super) fn show(args: &KindArgs) -> Result<(), Failure> {
    let server = args.server.client()?;
    let text = runtime()?.block_on(async {
        match args.what {
            Kinds::Streams => streams(&server).await,
            Kinds::Rules => rules(&server).await,
        }
    })?;
    print(&text)
}

/// The names of the streams, one a line.
pub(super) async fn streams(server: &Server) -> anyhow::Result<String> {
    let streams = list(server, "streams").await?;
    let names = streams.iter().filter_map(Value::as_str);
    Ok(lines(names, "No stream definitions are found."))
}

async fn rules(server: &Server) -> anyhow::Result<String> {
    let rules = list(server, "rules").await?;
    let names = rules.iter().filter_map(|rule| rule["id"].as_str());
    Ok(lines(names, "No rule definitions are found."))
}

/// Shows a stream or a rule.
///
/// # Errors
/// There is none of that name, or nobody answers.
pub(super) fn describe(args: &NamedArgs) -> Result<(), Failure> {
    let text = match args.what {
        Kind::Stream => {
            let answer = done(&args.server, Method::GET, &["streams", &args.name], None)?;
            stream_in_words(&json_of(&answer)?)
        }
        Kind::Rule => {
            let answer = done(&args.server, Method::GET, &["rules", &args.name], None)?;
            format!("{:#}\n", json_of(&answer)?)
        }
    };
    print(&text)
}

/// Removes a stream or a rule.
///
/// # Errors
/// There is none of that name, it is used, or nobody answers.
pub(super) fn drop_one(args: &NamedArgs) -> Result<(), Failure> {
    let kind = match args.what {
        Kind::Stream => "streams",
        Kind::Rule => "rules",
    };
    let said = done(&args.server, Method::DELETE, &[kind, &args.name], None)?;
    print(&(said + "\n"))
}

/// Starts, stops or restarts a rule.
///
/// # Errors
/// There is none of that name, it cannot run, or nobody answers.
pub(super) fn act(args: &NamedRuleArgs, what: &str) -> Result<(), Failure> {
    let OnlyRule::Rule = args.what;
    let said = done(&args.server, Method::POST, &["rules", &args.name, what], None)?;
    print(&(said + "\n"))
}

/// Shows what a rule did.
///
/// # Errors
/// There is none of that name, or nobody answers.
pub(super) fn get_status(args: &NamedRuleArgs) -> Result<(), Failure> {
    let OnlyRule::Rule = args.what;
    let answer = done(&args.server, Method::GET, &["rules", &args.name, "status"], None)?;
    print(&format!("{:#}\n", json_of(&answer)?))
}

/// Says what would become of a query.
///
/// # Errors
/// The query is wrong, or nobody answers.
pub(super) fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let server = args.server.client()?;
    let text = runtime()?.block_on(explained(&server, &args.sql))?;
    print(&text)
}

/// What the running process says of a query.
pub(super) async fn explained(server: &Server, sql: &str) -> anyhow::Result<String> {
    let body = json!({ "sql": sql }).to_string();
    let answer = json_of(&wanted(server.send(Method::POST, &["explain"], Some(body)).await?)?)?;
    Ok(answer["text"].as_str().unwrap_or_default().to_owned())
}

/// The answer, when there is what was asked for.
pub(super) fn wanted(said: Said) -> anyhow::Result<String> {
    match said {
        Said::Done(text) => Ok(text),
        Said::NotFound(message) => bail!("{}", printable_lines(&message)),
    }
}

/// The statement that makes a stream. The text may be the whole of it, or begin with its fields or its name.
fn statement(name: &str, text: &str) -> String {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    match first {
        _ if first.eq_ignore_ascii_case("create") => text.to_owned(),
        _ if first.starts_with('(') => format!("CREATE STREAM {name} {text}"),
        _ => format!("CREATE STREAM {text}"),
    }
}

/// The JSON of a rule with this name in it.
fn rule_named(text: &str, name: &str) -> anyhow::Result<String> {
    let mut rule: Value = serde_json::from_str(text).context("the rule must be JSON")?;
    let object = rule.as_object_mut().context("the rule must be a JSON object")?;
    match object.get("id") {
        Some(id) if id.as_str() != Some(name) => bail!("the rule has the id {id}, and is to be called {name}"),
        Some(_) | None => drop(object.insert("id".to_owned(), json!(name))),
    }
    Ok(rule.to_string())
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Sends a request and waits for its answer.
fn done(server: &ServerArgs, method: Method, path: &[&str], body: Option<String>) -> Result<String, Failure> {
    let server = server.client()?;
    let said = runtime()?.block_on(server.send(method, path, body))?;
    Ok(wanted(said)?)
}

async fn list(server: &Server, what: &str) -> anyhow::Result<Vec<Value>> {
    let answer = wanted(server.send(Method::GET, &[what], None).await?)?;
    match json_of(&answer)? {
        Value::Array(list) => Ok(list),
        _ => bail!("the list of {what} is no list"),
    }
}

fn json_of(answer: &str) -> anyhow::Result<Value> {
    serde_json::from_str(answer).map_err(|error| anyhow!("the answer is not JSON: {error}"))
}

fn lines<'n>(names: impl Iterator<Item = &'n str>, none: &str) -> String {
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => format!("{none}\n"),
        false => names.join("\n") + "\n",
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(printable_lines(text).as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_may_be_given_whole_or_from_its_fields_or_its_name_on() {
        let whole = "CREATE STREAM demo (a float) WITH (DATASOURCE=\"x\")";
        for text in [
            whole,
            " (a float) WITH (DATASOURCE=\"x\")",
            "demo (a float) WITH (DATASOURCE=\"x\")\n",
        ] {
            assert_eq!(statement("demo", text), whole, "{text}");
        }
        assert_eq!(statement("demo", "create stream other ()"), "create stream other ()");
    }

    #[test]
    fn a_rule_gets_the_name_that_it_is_created_under() {
        let named = rule_named(r#"{"sql": "SELECT 1"}"#, "r").unwrap();
        assert_eq!(named, r#"{"id":"r","sql":"SELECT 1"}"#);
        let other = rule_named(r#"{"id": "q"}"#, "r").unwrap_err().to_string();
        assert_eq!(other, "the rule has the id \"q\", and is to be called r");
        assert!(rule_named("[]", "r").is_err());
    }

    #[test]
    fn nothing_to_list_is_said() {
        assert_eq!(lines([].into_iter(), "None."), "None.\n");
        assert_eq!(lines(["a", "b"].into_iter(), "None."), "a\nb\n");
    }
}
