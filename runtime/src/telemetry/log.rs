//! Log lines on standard error: text for people, or one JSON object a line. Standard output belongs to the `log` sink.

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

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
    /// Everything.
    Trace,
}

/// Sends the log of this process to standard error. A second call changes nothing.
pub fn set_up(format: LogFormat, level: LogLevel) {
    let builder = fmt().with_writer(std::io::stderr).with_max_level(level.filter());
    // The only error is that a log is set up already, as where a test runs several commands.
    let _ = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}
