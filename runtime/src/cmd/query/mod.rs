//! `rulemill query`: a query whose results are watched, given on the command line or at a prompt.

mod prompt;

use super::Failure;
use super::manage::{self, wanted};
use super::run::runtime;
use super::server::{Method, Said, Server, ServerArgs};
use super::sheet::{printable, printable_lines};
use super::signals::StopSignals;
use anyhow::{Context as _, bail};
use clap::Args;
use prompt::{Line, Prompt};
use rulemill_sql::ast::{Kind, Statement};
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

/// What `query` takes.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The query. Without it, queries and other statements are asked for
    sql: Option<String>,
    /// End when so many rows have come
    #[arg(long, value_name = "N", requires = "sql")]
    rows: Option<usize>,
    /// End after this time, such as 25s
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration, requires = "sql")]
    duration: Option<Duration>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the query, or those that are asked for.
///
/// # Errors
/// The query is wrong, or nobody answers. At the prompt, these are only printed.
pub(super) fn run(args: &QueryArgs) -> Result<(), Failure> {
    let server = args.server.client()?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let mut stop = StopSignals::listen()?;
        match &args.sql {
            Some(sql) => {
                let limit = Limit {
                    rows: args.rows,
                    duration: args.duration,
                };
                watch(&server, sql, &limit, &mut stop).await
            }
            None => session(&server, &mut stop).await,
        }
    });
    // Somebody may still be waiting for a line that never comes.
    runtime.shutdown_background();
    Ok(ended?)
}

/// When a query ends by itself.
#[derive(Clone, Copy, Debug, Default)]
struct Limit {
    rows: Option<usize>,
    duration: Option<Duration>,
}

/// Takes statements until there are no more, or a signal comes between two of them.
async fn session(server: &Server, stop: &mut StopSignals) -> anyhow::Result<()> {
    let mut prompt = Prompt::open()?;
    loop {
        let line;
        (prompt, line) = tokio::select! {
            next = prompt.next() => next?,
            () = stop.next() => return Ok(()),
        };
        let text = match &line {
            Line::Text(text) => text.trim(),
            Line::End => return Ok(()),
        };
        if text.is_empty() {
            continue;
        }
        if ["exit", "quit"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Ok(());
        }
        if let Err(error) = carry_out(server, text, stop).await {
            say(&format!("{error:#}"))?;
        }
    }
}

/// One statement of the prompt.
async fn carry_out(server: &Server, text: &str, stop: &mut StopSignals) -> anyhow::Result<()> {
    let text = text.trim_end_matches(';').trim_end();
    let query = strip_word(text, "explain").filter(|rest| strip_word(rest, "select").is_some());
    if let Some(query) = query {
        return say(manage::explained(server, query).await?.trim_end());
    }
    let stream = |name: &str, method: Method| {
        let name = name.to_owned();
        async move { wanted(server.send(method, &["streams", &name], None).await?) }
    };
    match rulemill_sql::parse(text).as_deref() {
        Ok([Statement::Create(_)]) => {
            let body = json!({ "sql": text }).to_string();
            say(&wanted(server.send(Method::POST, &["streams"], Some(body)).await?)?)
        }
        Ok([Statement::Show(Kind::Stream)]) => say(manage::streams(server).await?.trim_end()),
        Ok([Statement::Describe(Kind::Stream, name) | Statement::Explain(Kind::Stream, name)]) => {
            let described = serde_json::from_str(&stream(&name.text, Method::GET).await?);
            say(manage::stream_in_words(&described.context("the answer is no JSON")?).trim_end())
        }
        Ok([Statement::Drop(Kind::Stream, name)]) => say(&stream(&name.text, Method::DELETE).await?),
        // What is wrong with any other text, the running process says too.
        _ => watch(server, text, &Limit::default(), stop).await,
    }
}

/// What stands behind a word at the beginning, in any case of letters.
fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let text = text.trim_start();
    let (first, rest) = text.split_at_checked(word.len())?;
    let is_word = first.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace);
    is_word.then(|| rest.trim_start())
}

/// Runs a query and prints its emissions, one a line, until it is interrupted or at its limit.
async fn watch(server: &Server, sql: &str, limit: &Limit, stop: &mut StopSignals) -> anyhow::Result<()> {
    let body = json!({ "sql": sql }).to_string();
    let started = wanted(server.send(Method::POST, &["queries"], Some(body)).await?)?;
    let started: Value = serde_json::from_str(&started).context("the answer is no JSON")?;
    let id = started["id"].as_str().context("the answer has no id")?;
    say("Query was submit successfully.")?;
    let mut over = pin!(after(limit.duration));
    let mut left = limit.rows.unwrap_or(usize::MAX);
    let path = ["queries", id];
    while left > 0 {
        let fetched = tokio::select! {
            fetched = server.send(Method::GET, &path, None) => fetched?,
            () = &mut over => break,
            () = stop.next() => break,
        };
        let answer = match fetched {
            Said::Done(answer) => answer,
            Said::NotFound(message) => bail!("{}", printable(&message)),
        };
        let answer: Value = serde_json::from_str(&answer).context("the answer is no JSON")?;
        for emission in answer["results"].as_array().into_iter().flatten() {
            if left > 0 {
                say(&emission.to_string())?;
                left = left.saturating_sub(emission.as_array().map_or(1, Vec::len));
            }
        }
    }
    // It may have ended by itself.
    let _ended = server.send(Method::DELETE, &path, None).await?;
    Ok(())
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => crate::clock::pass(duration).await,
        None => std::future::pending().await,
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", printable_lines(text))?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_alone() {
        assert_eq!(strip_word(" Explain  select 1", "explain"), Some("select 1"));
        assert_eq!(strip_word("explained select", "explain"), None);
        assert_eq!(strip_word("expl", "explain"), None);
        assert_eq!(strip_word("\u{e4}\u{e4}\u{e4}\u{e4}", "explain"), None);
    }
}
