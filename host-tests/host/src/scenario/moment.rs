//! Times in scenarios: `{now-10m}` and its like, filled in when a file is read.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::text::seconds;

const DAY: u64 = 86_400;

/// Whether a text has something that would be filled in.
pub(super) fn has_one(text: &str) -> bool {
    ["{now", "{unix", "{day"].iter().any(|moment| text.contains(moment))
}

/// Replaces every `{now}`, `{unix}` and `{day}`, with or without a distance.
pub(super) fn fill_in(text: &str, now: Duration) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (before, behind) = rest.split_at(start);
        filled.push_str(before);
        match placeholder(behind, now)? {
            Some((moment, length)) => {
                filled.push_str(&moment);
                rest = behind.get(length..).unwrap_or_default();
            }
            None => {
                filled.push('{');
                rest = behind.get(1..).unwrap_or_default();
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The time that a text begins with and the length of its name, if it begins with one.
fn placeholder(text: &str, now: Duration) -> Result<Option<(String, usize)>> {
    let Some(inside) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(inside, _)| inside) else {
        return Ok(None);
    };
    let Some((word, distance)) =
        ["now", "unix", "day"].into_iter().find_map(|word| Some((word, inside.strip_prefix(word)?)))
    else {
        return Ok(None);
    };
    if !(distance.is_empty() || distance.starts_with(['+', '-'])) {
        return Ok(None);
    }
    // A distance in days is the number alone.
    let unit = if word == "day" { "d" } else { "" };
    let seconds = shifted(now, distance, unit).with_context(|| {
        format!("{{{inside}}} is no time such as {{{word}-10{}}}", if word == "day" { "" } else { "m" })
    })?;
    let moment = match word {
        "now" => OffsetDateTime::from_unix_timestamp(i64::try_from(seconds)?)?.format(&Rfc3339)?,
        "unix" => seconds.to_string(),
        _ => (seconds / DAY).to_string(),
    };
    Ok(Some((moment, inside.len() + 2)))
}

fn shifted(now: Duration, distance: &str, unit: &str) -> Result<u64> {
    let Some(sign) = distance.get(..1) else { return Ok(now.as_secs()) };
    let length = seconds::parse(&format!("{}{unit}", distance.get(1..).unwrap_or_default()))
        .context("this is no duration")?
        .as_secs();
    let moved = if sign == "+" { now.as_secs().checked_add(length) } else { now.as_secs().checked_sub(length) };
    match moved {
        Some(moment) => Ok(moment),
        None => bail!("this is too far away"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1_767_225_600_500);

    #[test]
    fn times_are_filled_in() {
        for (text, filled) in [
            ("start: {now}, a", "start: 2026-01-01T00:00:00Z, a"),
            ("'{now-10m}'/{now+1d}", "'2025-12-31T23:50:00Z'/2026-01-02T00:00:00Z"),
            ("v1.e{unix+8h}", "v1.e1767254400"),
            ("n0123456789.d{day-5}", "n0123456789.d20449"),
            ("{a: {b}} {nowhere: 1} {day: 1} {", "{a: {b}} {nowhere: 1} {day: 1} {"),
        ] {
            assert_eq!(filled, fill_in(text, NOW).unwrap());
        }
        let error = fill_in("{now-10}", NOW).unwrap_err();
        assert!(format!("{error:#}").contains("{now-10} is no time"), "{error:#}");
    }
}
