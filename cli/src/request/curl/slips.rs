//! Why a curl line cannot be read.

use clap::{Arg, Command, CommandFactory};
use serin_core::nearest;

use super::options::command;
use crate::args::Cli;
use crate::failure::Failure;

/// Why there is no curl line where something stands that is not an option.
pub(super) fn no_line(found: &str) -> Failure {
    let options = options();
    let meant = found.strip_prefix("--").and_then(|name| nearest(name, options.iter().map(String::as_str)));
    let is_of_curl = || command().get_arguments().any(|arg| is_named(arg, found));
    Failure::new(match meant {
        Some(name) => format!("there is no option {found}; did you mean --{name}?"),
        None if is_of_curl() => {
            format!("{found} is an option of curl; expected it in a curl line, such as curl {found} … URL")
        }
        None if found.contains("://") => format!("{found:?} stands alone; expected --url or curl before it"),
        None => format!("there is no option {found:?}; expected one, or a line that begins with curl, behind the FILE"),
    })
}

fn is_named(arg: &Arg, found: &str) -> bool {
    let long = arg.get_long().is_some_and(|long| found.strip_prefix("--") == Some(long));
    long || arg.get_short().is_some_and(|short| found == format!("-{short}"))
}

/// Why the words of a curl line cannot be read.
pub(super) fn why_unread(words: &[String], error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let mut named = words.iter().filter_map(|word| word.strip_prefix("--")?.split('=').next());
    let options = options();
    let ours = named.find(|name| options.iter().any(|option| option == name) && line.contains(&format!("'--{name}")));
    let ours = ours.map_or_else(String::new, |name| format!("; --{name} of serin stands before the curl line"));
    unread(&format!("{line}{ours}"))
}

pub(in crate::request) fn no_url() -> Failure {
    Failure::new("the curl line has no URL; expected one, such as https://shop.example.com/")
}

pub(super) fn unread(why: &str) -> Failure {
    Failure::new(format!("the curl line cannot be read: {why}"))
}

/// The names of the options of serin itself that may stand before a curl line.
fn options() -> Vec<String> {
    let serin = Cli::command();
    let explain = serin.find_subcommand("explain").into_iter();
    explain.flat_map(Command::get_arguments).filter_map(Arg::get_long).map(str::to_owned).collect()
}
