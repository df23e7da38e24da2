//! The command of Serin for people who write rules: it checks, explains, simulates and compares rules documents, without an
//! Envoy.
//!
//! ```text
//! file ──tree→ Tree ──find→ documents ──core→ Rules, errors ──show→ text or JSON
//! ```
//!
//! Everything about rules is in `serin_core`; here are files, positions, options, and how results are shown.

mod args;
mod changes;
mod commands;
mod crowd;
mod document;
mod explained;
mod failure;
mod find;
mod finding;
mod hints;
mod input;
mod moment;
mod output;
mod request;
mod schema;
mod secrets;
mod show;
mod tree;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use commands::{Streams, Verdict, check, completions, diff, explain, fields, simulate, token};
pub use explained::{Explained, Fits, FitsNot, Header, Layer, Odds, RequestHeaders, ResponseHeaders, Slot};
use failure::Failure;
use output::UntilClosed;
pub use request::Request;

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    set_color(cli.color);
    let mut out = UntilClosed::new(anstream::stdout().lock());
    let mut err = UntilClosed::new(anstream::stderr().lock());
    let mut streams = Streams { out: &mut out, err: &mut err };
    let result = run(&cli.command, &mut streams).and_then(|verdict| {
        streams.out.flush()?;
        Ok(verdict)
    });
    match result {
        Ok(verdict) => verdict.into(),
        Err(failure) => {
            for message in failure.messages() {
                // Nobody is left to be told if this fails.
                let _ = writeln!(streams.err, "error: {message}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    match command {
        Command::Check(args) => check::run(args, streams),
        Command::Explain(args) => explain::run(args, streams),
        Command::Simulate(args) => simulate::run(args, streams),
        Command::Diff(args) => diff::run(args, streams),
        Command::Token(args) => token::run(args, streams),
        Command::Fields(args) => fields::run(args, streams),
        Command::Completions(args) => completions::run(args, streams),
    }
}

/// Colours stand on terminals alone, unless somebody says otherwise.
fn set_color(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}
