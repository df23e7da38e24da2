//! Bodies, and what of them becomes a query string.

use clap::ArgMatches;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::options::BODIES;
use super::slips::unread;
use crate::failure::Failure;

/// What curl encodes.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether there is a body, of the request or, with `--get`, of its query string.
pub(super) fn has_body(matches: &ArgMatches) -> bool {
    BODIES.iter().any(|(name, _)| matches.contains_id(name))
}

/// The kind of the body.
pub(super) fn content_type(matches: &ArgMatches) -> Option<&'static str> {
    let has = |name: &str| matches.contains_id(name);
    if has("json") {
        Some("application/json")
    } else if has("form") || has("form-string") {
        // Where the parts begin is another line each time.
        Some("multipart/form-data; boundary=------------------------")
    } else if has_body(matches) && !matches.get_flag("get") {
        Some("application/x-www-form-urlencoded")
    } else {
        None
    }
}

/// What joins the query string of the URL: with `--get` the bodies, otherwise what `--url-query` says.
pub(super) fn query(matches: &ArgMatches) -> Result<Option<String>, Failure> {
    let bodies = BODIES.iter().map(|(name, _)| *name).filter(|_| matches.get_flag("get"));
    let mut parts = bodies.flat_map(|name| in_order(matches, name)).collect::<Vec<_>>();
    if parts.is_empty() {
        parts.extend(in_order(matches, "url-query"));
    }
    parts.sort_by_key(|(at, ..)| *at);
    let parts = parts.into_iter().map(|(_, name, value)| part(name, value));
    let parts = parts.collect::<Result<Vec<String>, Failure>>()?;
    Ok(if parts.is_empty() { None } else { Some(parts.join("&")) })
}

/// The values of an option, each with its place in the line.
fn in_order<'m>(matches: &'m ArgMatches, name: &'static str) -> impl Iterator<Item = (usize, &'static str, &'m str)> {
    let values = matches.get_many::<String>(name).into_iter().flatten();
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(values).map(move |(at, value)| (at, name, &**value))
}

/// What an option adds to a query string.
fn part(option: &str, value: &str) -> Result<String, Failure> {
    let of_file = || unread(&format!("{value:?} of --{option} is a file; expected what stands there"));
    let encoded = |text: &str| utf8_percent_encode(text, &ENCODED).to_string().replace("%20", "+");
    match option {
        "data-raw" => Ok(value.to_owned()),
        "url-query" if value.starts_with('+') => Ok(value.chars().skip(1).collect()),
        "data-urlencode" | "url-query" => match value.split_once('=') {
            Some(("", content)) => Ok(encoded(content)),
            Some((name, content)) => Ok(format!("{name}={}", encoded(content))),
            None if value.contains('@') => Err(of_file()),
            None => Ok(encoded(value)),
        },
        _ if value.starts_with('@') => Err(of_file()),
        _ => Ok(value.to_owned()),
    }
}
