//! `rulemill dead-letters`: what could not be processed, and another try. It reads the files; nothing needs to run but for the
//! broker or listener to which messages are published again.

mod file;
mod letter;

use super::run::runtime;
use super::sheet::{Sheet, printable};
use super::{ConfigArgs, Failure, simulate};
use crate::config::ServerAddress;
use crate::emit::DeadLetterKind;
use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use letter::Letter;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// What `dead-letters` takes.
#[derive(Debug, Args)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The newest dead letters, a line each
    List(ListArgs),
    /// One dead letter in full
    Show(ShowArgs),
    /// Publish the messages of dead letters again: every rule that listens gets them, not only the one that failed
    Replay(ReplayArgs),
}

/// Where dead letters are.
#[derive(Debug, Args)]
struct Where {
    #[command(flatten)]
    config: ConfigArgs,
    /// This file in place of the configured one
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Which of them.
#[derive(Debug, Args)]
struct Which {
    /// Only those of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only those of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<String>,
    /// Only those from this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    which: Which,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// The lines as they are in the file
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    place: Where,
    /// As `list` names it
    id: String,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    which: Which,
    /// As `list` names them
    ids: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Where to publish: tcp://HOST:PORT; without it the configured listener
    #[arg(long, value_parser = ServerAddress::parse)]
    server: Option<ServerAddress>,
}

/// Lists, shows or publishes again.
///
/// # Errors
/// The file cannot be read, there is no such dead letter, or messages could not be published.
pub(super) fn run(args: &DeadLettersArgs) -> Result<(), Failure> {
    match &args.what {
        What::List(args) => list(args),
        What::Show(args) => show(args),
        What::Replay(args) => replay(args),
    }
}

/// The kinds that there are.
fn kinds() -> PossibleValuesParser {
    DeadLetterKind::ALL.map(DeadLetterKind::label).into()
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let mut newest = VecDeque::new();
    let mut all = 0_u64;
    let others = file::read(&args.place.path()?, |letter| {
        all += 1;
        if args.which.takes(&letter) {
            newest.push_back(letter);
        }
        if newest.len() > args.last {
            newest.pop_front();
        }
    })?;
    let mut out = io::stdout().lock();
    if args.json {
        for letter in &newest {
            writeln!(out, "{}", letter.line)?;
        }
    } else if all == 0 {
        writeln!(out, "there are no dead letters")?;
    } else if newest.is_empty() && args.last > 0 {
        writeln!(out, "none of the {all} dead letters is of that rule, kind and source")?;
    } else {
        write!(out, "{}", table(newest.iter()))?;
    }
    warn_of_others(others);
    Ok(())
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let mut found = None;
    file::read(&args.place.path()?, |letter| {
        if letter.id == args.id {
            found = Some(letter);
        }
    })?;
    let letter = found.ok_or_else(|| unknown(std::slice::from_ref(&args.id)))?;
    write!(io::stdout().lock(), "{}", sheet(&letter))?;
    Ok(())
}

fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    if args.ids.is_empty() && !args.all && args.which.is_any() {
        return Err(anyhow!("say which: ids, --rule, --kind, --source, or --all").into());
    }
    let server = args.server()?;
    let mut missing = args.ids.clone();
    let (mut samples, mut seen, mut left) = (Vec::new(), HashSet::new(), BTreeMap::<&str, u64>::new());
    let others = file::read(&args.place.path()?, |letter| {
        missing.retain(|id| *id != letter.id);
        if !args.which.takes(&letter) || !(args.ids.is_empty() || args.ids.contains(&letter.id)) {
            return;
        }
        match letter.message() {
            // One that failed in several rules is one message.
            Ok(sample) if !seen.insert(letter.identity()) => drop(sample),
            Ok(sample) => samples.push(sample),
            Err(reason) => *left.entry(reason).or_default() += 1,
        }
    })?;
    if !missing.is_empty() {
        return Err(unknown(&missing).into());
    }
    let count = samples.len() as u64;
    let published = match count {
        0 => 0,
        _ => runtime()?.block_on(simulate::publish_all(&server, samples))?,
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{published} messages published again to {server}")?;
    for (reason, count) in left {
        writeln!(out, "{count} left out: {reason}")?;
    }
    warn_of_others(others);
    if published < count {
        return Err(anyhow!("{} messages were not acknowledged", count - published).into());
    }
    Ok(())
}

impl Where {
    fn path(&self) -> Result<PathBuf, Failure> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.config.load()?.dead_letter.file.path),
        }
    }
}

impl Which {
    fn is_any(&self) -> bool {
        self.rule.is_none() && self.kind.is_none() && self.source.is_none()
    }

    fn takes(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, name| wanted.as_deref().is_none_or(|wanted| wanted == letter.text(name));
        is(&self.rule, "rule") && is(&self.kind, "kind") && is(&self.source, "source")
    }
}

impl ReplayArgs {
    fn server(&self) -> Result<ServerAddress, Failure> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let without = || anyhow!("there is no [listener] to publish to: say --server tcp://HOST:PORT");
        if self.place.file.is_some() {
            return Err(without().into());
        }
        let listener = self.place.config.load()?.listener.ok_or_else(without)?;
        let address = format!("tcp://{}", reachable(listener.mqtt));
        Ok(ServerAddress::parse(&address).map_err(|reason| anyhow!("{reason}"))?)
    }
}

/// An address at which this machine reaches who listens there.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn unknown(ids: &[String]) -> anyhow::Error {
    let ids: Vec<String> = ids.iter().map(|id| printable(id)).collect();
    anyhow!(
        "there is no dead letter {}; `rulemill dead-letters list` names them",
        ids.join(", ")
    )
}

fn warn_of_others(others: u64) {
    if others > 0 {
        tracing::warn!(lines = others, "lines of the file are no dead letters");
    }
}

fn table<'l>(letters: impl Iterator<Item = &'l Letter>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["ID", "TIME", "KIND", "RULE", "SOURCE", "TOPIC", "REASON"]);
    for letter in letters {
        let text = |name| match letter.text(name) {
            "" => "-".to_owned(),
            text => shortened(text),
        };
        table.add_row([
            letter.id.clone(),
            letter.time("time"),
            text("kind"),
            text("rule"),
            text("source"),
            text("topic"),
            text("reason"),
        ]);
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

fn shortened(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    let start: String = text.chars().take(CHARS_MAX).collect();
    format!("{}...", start.trim_end())
}

fn sheet(letter: &Letter) -> String {
    let mut sheet = Sheet::default();
    sheet.headline(&letter.id);
    sheet.line("time", &letter.time("time"));
    for name in ["kind", "reason", "rule", "source", "topic"] {
        sheet.line(name, letter.text(name));
    }
    sheet.line("arrival", &letter.time("arrival"));
    let value = letter.value();
    if let (Some(start), Some(end)) = (value["window"][0].as_i64(), value["window"][1].as_i64()) {
        sheet.line("window", &format!("{start} to {end}"));
    }
    match &value["group"] {
        Value::Null => sheet.line("group", letter.text("group_text")),
        group => sheet.line("group", &group.to_string()),
    }
    if let Some(payload) = letter.payload() {
        sheet.line("payload", &String::from_utf8_lossy(&payload));
        sheet.line("bytes", &payload.len().to_string());
    }
    if let Err(reason) = letter.message() {
        sheet.line("replay", &format!("cannot be published again: {reason}"));
    }
    sheet.into_text()
}

const CHARS_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"time":1795693833635,"kind":"decode","reason":"payload is not JSON","source":"listener","topic":"a/\u001b[2J","qos":1,"arrival":1795693833000,"payload":"warm"}"#;
    const ROW: &str = r#"{"time":1795693833635,"kind":"row","reason":"too hot","rule":"mean","window":[0,1000],"group":{"device":"1"}}"#;

    #[test]
    fn a_letter_has_a_line_and_a_sheet_without_control_characters() {
        let (message, row) = (Letter::parse(MESSAGE).unwrap(), Letter::parse(ROW).unwrap());
        let text = table([&message, &row].into_iter());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[1].contains(&message.id) && lines[1].contains(r"a/\u{1b}[2J"),
            "{text}"
        );
        assert!(lines[2].contains("mean") && lines[2].contains("too hot"), "{text}");
        assert!(!text.contains('\u{1b}'));

        let text = sheet(&message);
        assert!(
            text.contains("payload     warm\n") && !text.contains("replay"),
            "{text}"
        );
        let text = sheet(&row);
        assert!(text.contains("group       {\"device\":\"1\"}\n"), "{text}");
        assert!(text.contains("cannot be published again"), "{text}");
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        let reach = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:1883"), "127.0.0.1:1883");
        assert_eq!(reach("[::]:1883"), "[::1]:1883");
        assert_eq!(reach("10.0.0.1:1883"), "10.0.0.1:1883");
    }
}
