//! `serin token`: an override token, and what to do with it.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use serin_core::{OverrideNames, Rollout, Rules, Time, Trusts, Version, duration_seconds, samples, span_in_words};

use super::{Chosen, Streams, Verdict, expected, rollout_of};
use crate::crowd::covering;
use crate::failure::Failure;
use crate::moment::Moment;
use crate::request::{Request, Url};
use crate::show::{Output, bold, json};

/// Options of `serin token`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A rules document, or what holds one; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
    /// The rollout that the token is for; the only one if it is left out.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// The version that the token names, or an alias of one.
    #[arg(long, value_name = "NAME")]
    version: String,
    /// How long it counts, such as 30m, 8h or 7d.
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    ttl: u32,
    /// The moment from which on it is counted [default: now].
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// The page of the link [default: one that the rollout covers].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Anybody may use a token until it expires, so it does so some day.
fn ttl(text: &str) -> Result<u32, String> {
    duration_seconds(text).ok_or_else(|| "expected a duration of whole seconds from 1s to 400d, such as 8h".to_owned())
}

/// A token, and how to use it.
#[derive(Serialize)]
struct Made {
    rollout: String,
    version: String,
    token: String,
    expires: String,
    /// None where no query parameter may name a version.
    link: Option<String>,
    curl: String,
    /// For so many seconds a browser that has shown it keeps the version without it.
    remember: Option<u32>,
}

/// Runs `serin token`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    let Some((_, document)) = args.chosen.read(&args.file, streams)? else { return Ok(Verdict::Bad) };
    let Some(rules) = &document.rules else { return Ok(Verdict::Bad) };
    let name = rollout_of(rules, args.rollout.as_deref())?;
    let rollout = rules.rollout_named(name).ok_or_else(|| Failure::new("no such rollout"))?;
    let overrides = overrides_that_take_tokens(rollout)?;
    check_version(rollout, &args.version)?;
    if let Some(variable) = document.signing_variable.as_ref().filter(|name| document.unset.contains(*name)) {
        return Err(Failure::new(format!(
            "{variable} is not set, and a token is signed with it; expected the secret that the proxies have, such as by \
             export {variable}=…"
        )));
    }
    let expiry = args.at.unwrap_or_else(Moment::now).time().plus(args.ttl);
    let token = rules.keys().and_then(|keys| keys.token(name, &args.version, expiry));
    let token = token.ok_or_else(|| Failure::new("the document has no key that signs"))?;
    let page = page(args.url.as_deref(), rollout)?;
    if let Some(why) = args.url.as_ref().and_then(|_| why_useless(rules, rollout, &page)) {
        writeln!(streams.err, "warning: {why}")?;
    }
    let made = made(args, &page, rollout, &overrides, (token, expiry));
    match args.output {
        Output::Text => show(streams.out, &made)?,
        Output::Json => json(streams.out, &made)?,
    }
    Ok(Verdict::Good)
}

/// Where a token may stand in a request.
fn overrides_that_take_tokens(rollout: &Rollout) -> Result<OverrideNames<'_>, Failure> {
    let name = rollout.name();
    let Some(overrides) = rollout.override_names() else {
        return Err(Failure::new(format!("rollouts.{name} has a mistake, and takes no token until it is mended")));
    };
    match overrides.trust {
        _ if overrides.header.is_none() && overrides.query.is_none() && overrides.cookie.is_none() => {
            Err(Failure::new(format!(
                "rollouts.{name} takes no override; expected override: {{query: canary, trust: signed}} or the like"
            )))
        }
        Trusts::Signed => Ok(overrides),
        Trusts::Open => Err(Failure::new(format!(
            "rollouts.{name}.override takes the bare name of a version from anybody, and no token; expected trust: signed"
        ))),
        Trusts::Secret => Err(Failure::new(format!(
            "rollouts.{name}.override takes the bare name of a version beside a secret, and no token; expected trust: signed"
        ))),
    }
}

fn check_version(rollout: &Rollout, name: &str) -> Result<(), Failure> {
    let Some(version) = rollout.version_or_alias_named(name) else {
        let names = rollout.versions().iter().map(Version::name);
        return Err(Failure::new(format!(
            "rollouts.{} has no version {name:?}{}",
            rollout.name(),
            expected(name, names)
        )));
    };
    let version = rollout.versions().get(version.index()).filter(|version| version.is_off());
    version.map_or(Ok(()), |version| Err(Failure::new(format!("{} is off, so nobody gets it", version.name()))))
}

/// The page that a token is shown for: the one that was asked for, or one that the rollout covers.
fn page(url: Option<&str>, rollout: &Rollout) -> Result<Url, Failure> {
    let sample = samples(rollout).into_iter().next();
    match (url, &sample) {
        (Some(url), _) => Url::read(url, "https"),
        (None, Some(sample)) => {
            let path = Request::of_sample(sample).shown(":path");
            let host = sample.host.as_deref().unwrap_or("HOST");
            Ok(Url { scheme: "https".to_owned(), host: host.to_owned(), path, fragment: String::new() })
        }
        (None, None) => Url::read("https://HOST/", "https"),
    }
}

/// What is to be said if the rollout does not cover the page, so that the token has no effect there.
fn why_useless(rules: &Rules, rollout: &Rollout, page: &Url) -> Option<String> {
    let request = Request::of_url(page);
    match covering(rules, &request) {
        Some(name) if name == rollout.name() => None,
        found => {
            let by = found.map_or_else(|| "no rollout".to_owned(), |name| format!("rollouts.{name}"));
            let name = rollout.name();
            Some(format!("{} is covered by {by}, so that a token for {name} does nothing there", page.text()))
        }
    }
}

/// The token in a link and a curl line.
fn made(
    args: &Args,
    page: &Url,
    rollout: &Rollout,
    overrides: &OverrideNames<'_>,
    (token, expiry): (String, Time),
) -> Made {
    let link = overrides.query.map(|name| page.with_query(name, &token).text());
    let page = Url { fragment: String::new(), ..page.clone() }.text();
    let curl = match (overrides.header, overrides.query, overrides.cookie) {
        (Some(header), ..) => format!("curl -H {} {}", quoted(&format!("{header}: {token}")), quoted(&page)),
        (None, Some(_), _) => format!("curl {}", quoted(link.as_deref().unwrap_or_default())),
        (None, None, cookie) => {
            format!("curl -b {} {}", quoted(&format!("{}={token}", cookie.unwrap_or_default())), quoted(&page))
        }
    };
    Made {
        rollout: rollout.name().to_owned(),
        version: args.version.clone(),
        expires: Moment::of(expiry).to_string(),
        token,
        link,
        curl,
        remember: overrides.remember,
    }
}

/// A word of a line for a shell, in single quotes.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn show(out: &mut dyn Write, made: &Made) -> Result<(), Failure> {
    writeln!(out, "token    {}", bold(&made.token))?;
    writeln!(out, "for      {} of rollout {}, until {}", made.version, made.rollout, made.expires)?;
    match &made.link {
        Some(link) => writeln!(out, "link     {link}")?,
        None => writeln!(out, "link     none: a link needs override.query")?,
    }
    writeln!(out, "curl     {}", made.curl)?;
    let then = match made.remember {
        Some(seconds) => format!(
            "a browser that has shown it gets {} for another {} without it",
            made.version,
            span_in_words(seconds.into())
        ),
        None => "counts in requests that carry it, and in no later ones: override.remember keeps it".to_owned(),
    };
    writeln!(out, "then     {then}")?;
    Ok(())
}
