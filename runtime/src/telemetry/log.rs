//! Log lines on standard error: text for people, or one JSON object a line. Standard output belongs to the `log` sink.

use clap::ValueEnum;
use std::io::{self, IsTerminal};
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object.
    Json,
}

/// The least severe lines that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Something was lost, or a human is needed.
    Error,
    /// Something is odd, and nothing is lost.
    Warn,
    /// What changes: connections, rules, configuration.
    Info,
    /// What happens to batches.
    Debug,
    /// Everything, also of the libraries underneath.
    Trace,
}

/// Sends the log of this process to standard error. A second call changes nothing.
pub fn set_up(format: LogFormat, level: LogLevel) {
    let colours = io::stderr().is_terminal();
    // The only error is that a log is set up already, as where a test runs several commands.
    let _ = tracing::subscriber::set_global_default(subscriber(format, level, colours, io::stderr));
}

fn subscriber<W>(
    format: LogFormat,
    level: LogLevel,
    colours: bool,
    writer: W,
) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry().with(lines.with_filter(level.filter()))
}

impl LogLevel {
    /// Libraries underneath are heard from WARN on only, except with `trace`.
    fn filter(self) -> Targets {
        let targets = |ours, others| Targets::new().with_default(others).with_target("rulemill", ours);
        match self {
            LogLevel::Error => targets(LevelFilter::ERROR, LevelFilter::ERROR),
            LogLevel::Warn => targets(LevelFilter::WARN, LevelFilter::WARN),
            LogLevel::Info => targets(LevelFilter::INFO, LevelFilter::WARN),
            LogLevel::Debug => targets(LevelFilter::DEBUG, LevelFilter::WARN),
            LogLevel::Trace => targets(LevelFilter::TRACE, LevelFilter::TRACE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing::{debug, info, warn};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while `act` runs.
    fn logged(format: LogFormat, level: LogLevel, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, level, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_json_line_is_one_object_with_its_fields() {
        let text = logged(LogFormat::Json, LogLevel::Info, || {
            warn!(rule = "mean", "rule \"refused\"\n");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["level"], &line["rule"]), (&"WARN".into(), &"mean".into()));
        assert_eq!(line["message"], "rule \"refused\"\n");
    }

    #[test]
    fn a_text_line_has_no_colours_for_files() {
        let text = logged(LogFormat::Text, LogLevel::Info, || info!(rule = "mean", "rule loaded"));
        assert!(text.contains("rule loaded") && !text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn lines_below_the_level_and_of_libraries_are_left_out() {
        let act = || {
            info!("ours at info");
            debug!("ours at debug");
            info!(target: "rumqttc", "theirs at info");
            warn!(target: "rumqttc", "theirs at warn");
        };
        let text = logged(LogFormat::Text, LogLevel::Info, act);
        let kept: Vec<bool> = ["ours at info", "ours at debug", "theirs at info", "theirs at warn"]
            .iter()
            .map(|line| text.contains(line))
            .collect();
        assert_eq!(kept, [true, false, false, true], "{text}");
    }
}
