//! The commands: what the command line may say, and which code answers. They do not know how the pipeline works, and
//! they are the only code besides `main` that ends in an exit code.

mod base64;
mod check;
mod compile;
mod dead_letters;
mod demo;
mod failure;
mod manage;
mod order;
mod query;
mod run;
mod server;
mod sheet;
mod signals;
pub mod simulate;
mod status;
mod validate;

pub use check::CheckArgs;
pub use compile::CompileArgs;
pub use dead_letters::DeadLettersArgs;
pub use demo::DemoArgs;
pub use failure::Failure;
pub use manage::{CreateArgs, ExplainArgs, KindArgs, NamedArgs, NamedRuleArgs};
pub use order::OrderArgs;
pub use query::QueryArgs;
pub use run::RunArgs;
pub use server::ServerArgs;
pub use simulate::SimulateArgs;
pub use status::StatusArgs;
pub use validate::ValidateArgs;

use crate::config::{self, Config, Environment};
use crate::telemetry::log::{self, LogFormat, LogLevel};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A WebAssembly-pluggable rule runtime for the edge.
#[derive(Debug, Parser)]
#[command(name = "rulemill", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the rules of a directory over what sources deliver, until SIGTERM
    Run(RunArgs),
    /// Show rulemill at work: listener, shipped rules and simulated devices in one process
    Demo(DemoArgs),
    /// Publish as simulated devices, or the messages of a file, to any broker
    Simulate(Box<SimulateArgs>),
    /// Check a configuration and list everything that is wrong with it
    Validate(ValidateArgs),
    /// Say what rulemill would make of .wasm files: what they need and offer, their self-test, and whether they would run
    Check(CheckArgs),
    /// Compile a query to a .wasm file that needs nothing else
    Compile(CompileArgs),
    /// Show what runs in the running process, and how it does
    Status(StatusArgs),
    /// List, show and publish again what could not be processed
    DeadLetters(DeadLettersArgs),
    /// The same as `run`, with the line that Kuiper's server begins with
    Serve(RunArgs),
    /// Create a stream or a rule: a file in the rules directory of the running process
    Create(CreateArgs),
    /// List the streams or the rules
    Show(KindArgs),
    /// Show one stream or rule
    Describe(NamedArgs),
    /// Remove a stream or a rule
    Drop(NamedArgs),
    /// Let a stopped rule run
    Start(NamedRuleArgs),
    /// Stop a rule: it takes no messages, and its file stays
    Stop(NamedRuleArgs),
    /// Stop a rule and start it again
    Restart(NamedRuleArgs),
    /// Show what a rule did, as JSON
    Getstatus(NamedRuleArgs),
    /// Run a query and watch its results; without one, ask for them at a prompt
    Query(QueryArgs),
    /// Say what would become of a query: what it decodes, calls and computes
    Explain(ExplainArgs),
    /// Lift the quarantine of a rule or library, and load its file again
    Retry(OrderArgs),
    /// Let the version of a rule that runs in the shadow take over
    Promote(OrderArgs),
}

/// How this process logs.
#[derive(Debug, Args)]
struct LogArgs {
    /// How log lines look on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// The least severe lines that are logged
    #[arg(long, global = true, value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
}

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "rulemill.toml")]
    pub config: PathBuf,
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// What went wrong, with its exit code.
    pub fn run(self) -> Result<(), Failure> {
        log::set_up(self.log.log_format, self.log.log_level);
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Simulate(args) => Ok(run::runtime()?.block_on(simulate::run(*args))?),
            Command::Validate(args) => validate::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Compile(args) => compile::run(&args),
            Command::Status(args) => status::run(&args),
            Command::DeadLetters(args) => dead_letters::run(&args),
            Command::Serve(args) => run::serve(&args),
            Command::Create(args) => manage::create(args),
            Command::Show(args) => manage::show(&args),
            Command::Describe(args) => manage::describe(&args),
            Command::Drop(args) => manage::drop_one(&args),
            Command::Start(args) => manage::act(&args, "start"),
            Command::Stop(args) => manage::act(&args, "stop"),
            Command::Restart(args) => manage::act(&args, "restart"),
            Command::Getstatus(args) => manage::get_status(&args),
            Command::Query(args) => query::run(&args),
            Command::Explain(args) => manage::explain(&args),
            Command::Retry(args) => order::retry(&args),
            Command::Promote(args) => order::promote(&args),
        }
    }
}

impl ConfigArgs {
    /// Reads and checks the configuration in this process's environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(&self) -> Result<Config, Failure> {
        Ok(config::load(&self.config, &Environment::of_process())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn log_flags_may_stand_after_the_command() {
        let cli = Cli::try_parse_from(["rulemill", "validate", "--log-format", "json", "--log-level", "warn"]).unwrap();
        assert_eq!(
            (cli.log.log_format, cli.log.log_level),
            (LogFormat::Json, LogLevel::Warn)
        );
    }

    #[test]
    fn unknown_commands_and_levels_are_usage_errors() {
        for line in [
            ["rulemill", "valdate", "--config=x"],
            ["rulemill", "validate", "--log-level=loud"],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
