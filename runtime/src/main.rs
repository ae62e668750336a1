//! The `rulemill` command: it parses the command line, dispatches, and turns a failure into an exit code.

use clap::Parser;
use rulemill::cmd::Cli;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is closed, the exit code still tells.
            let _ = writeln!(std::io::stderr().lock(), "rulemill: {failure}");
            failure.exit_code()
        }
    }
}
