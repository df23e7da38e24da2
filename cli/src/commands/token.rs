//! `serin token`: an override token, and what to do with it.

mod usage;

use std::io::Write;

use serde::Serialize;
use serin_core::{OverrideNames, Rollout, Trusts, Version, duration_seconds, span_in_words};

use super::{Input, Streams, Verdict, expected, rollout_of};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::request::Url;
use crate::show::{Output, bold, json};
use usage::Usage;

/// Options of `serin token`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
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
    /// Why the link, or the curl line, does nothing.
    warning: Option<String>,
}

/// Runs `serin token`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    let Some(document) = args.input.read(streams)? else { return Ok(Verdict::Bad) };
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
    let url = args.url.as_ref().map(|url| Url::read(url, "https").map(|url| url.squashed())).transpose()?;
    let Usage { link, curl, warning } = Usage::new(rules, rollout, url, &overrides, &token);
    if let Some(why) = &warning {
        writeln!(streams.err, "warning: {why}")?;
    }
    let (rollout, version, expires) = (name.to_owned(), args.version.clone(), Moment::of(expiry).to_string());
    let made = Made { rollout, version, token, expires, link, curl, remember: overrides.remember, warning };
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
