//! Values that are nearly right.

use serin_core::Step;

use super::{SCHEMA, name_of};
use crate::schema::Place;
use crate::tree::{Tree, Value};

/// By these words the core asks for a duration, and for a name.
const DURATION: &str = "a duration";
const NAME: &str = "a name of";

/// A path in a document, and what may stand there.
type At<'a> = (&'a [Step], &'a Place<'a>);

/// So many names are told.
const MOST_NAMES: usize = 8;

/// What would make a value right, or what may stand in its place.
pub(super) fn hint(file: &str, document: &Tree, steps: &[Step], message: &str) -> Option<String> {
    let place = SCHEMA.at(steps)?;
    let value = document.follow(steps);
    let nearly = value.and_then(|value| nearly_right(file, value, (steps, &place), message));
    let named = value.and_then(Tree::text).unwrap_or_default();
    let versions = || versions(document, steps, named).filter(|_| message.contains("a listed version"));
    let example =
        || place.example().filter(|_| !message.contains("such as")).map(|example| format!("such as {example}"));
    nearly.or_else(versions).or_else(example)
}

fn nearly_right(file: &str, value: &Tree, (steps, place): At<'_>, message: &str) -> Option<String> {
    match &value.value {
        Value::Text(text) if text.is_block && place.takes("object") => {
            Some("without the | or > behind the name its lines are an object, and not a text".to_owned())
        }
        Value::Text(_) if place.takes("object") && name_of(steps) == Some("sticky") => {
            Some("without sticky the visitor cookie keeps visitors".to_owned())
        }
        Value::Text(text) if message.contains(DURATION) => duration(&text.text, place, message),
        Value::Text(text) if message.contains(NAME) && text.text.contains('.') => {
            Some(format!("without dots: {}", text.text.replace('.', "-")))
        }
        Value::Text(text) => nearly_right_text(&text.text, steps, place),
        Value::Number(number) if name_of(steps) == Some("weight") && number.fract() != 0.0 => {
            Some("parts of a percent need a larger total: with total: 1000 a weight of 5 is 0.5 %".to_owned())
        }
        Value::Number(number) if message.contains(DURATION) => duration(&number.to_string(), place, message),
        Value::Number(_) | Value::Bool(_) if place.takes("string") && !place.takes_number() => {
            let written = file.get(value.span.clone())?;
            // A name has no dots, so that a version such as 1.0 is none in quotes either.
            let named = if message.contains(NAME) { written.replace('.', "-") } else { written.to_owned() };
            place.words().is_empty().then(|| format!("a text in quotes: \"{named}\""))
        }
        Value::Number(number) if place.takes("object") && has_field(place, "weight") => {
            Some(format!("an object with a weight: {{weight: {number}}}"))
        }
        _ => None,
    }
}

/// What is written as a duration, as one.
fn duration(written: &str, place: &Place<'_>, message: &str) -> Option<String> {
    let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
    let (units, unit) = if message.contains("whole days") { ("d", 'd') } else { ("s, m, h or d", 's') };
    let example = if is_number { format!("{written}{unit}") } else { place.example()? };
    Some(format!("one whole number and its unit, which is {units}: {example}"))
}

fn has_field(place: &Place<'_>, name: &str) -> bool {
    place.fields().iter().any(|field| field.name == name)
}

fn nearly_right_text(text: &str, steps: &[Step], place: &Place<'_>) -> Option<String> {
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    let truth = match text {
        "yes" | "on" | "y" | "Yes" | "On" | "Y" => Some("true"),
        "no" | "off" | "n" | "No" | "Off" | "N" => Some("false"),
        _ => None,
    };
    if let Some(truth) = truth.filter(|_| place.takes("boolean")) {
        return Some(format!("such as {truth}"));
    }
    if is_number(text) && place.takes_number() || matches!(text, "true" | "false") && place.takes("boolean") {
        return Some(format!("without quotes: {text}"));
    }
    let number = text.strip_suffix('%').map(str::trim_end).filter(|number| is_number(number) && place.takes_number());
    if let Some(number) = number {
        return Some(format!("without the sign: {number}"));
    }
    if name_of(steps) == Some("regex") && text.starts_with('*') {
        return Some(format!("a regular expression has .* for whatever stands there: \".{text}\""));
    }
    let is_host = steps.iter().any(|step| *step == Step::Field("hosts".to_owned()));
    if is_host { host(text) } else { None }
}

/// The host in what nearly is one.
fn host(text: &str) -> Option<String> {
    if text == "*" {
        return Some("without hosts the entry is about every host".to_owned());
    }
    let behind = text.split_once("://").map_or(text, |(_, rest)| rest);
    let alone = behind.split(['/', '?', '#']).next()?.split(':').next()?;
    let rest = alone.trim_start_matches(['*', '.']);
    let host = if rest.len() < alone.len() { format!("*.{rest}") } else { rest.to_owned() };
    let is_host = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    (is_host && host != text).then(|| format!("the host alone: {}", crate::schema::yaml(&host.into())))
}

/// The versions of the rollout that a path leads into, where another one is named.
fn versions(document: &Tree, steps: &[Step], named: &str) -> Option<String> {
    let Some([Step::Field(all), Step::Field(rollout)]) = steps.get(..2) else { return None };
    let entries = document.at(&[&**all, &**rollout, "versions"])?.entries();
    if entries.iter().any(|entry| entry.name == named) {
        return Some(format!("{named} stands there, and is empty; {{}} is a version without fields"));
    }
    let names: Vec<&str> =
        entries.iter().filter(|entry| !entry.tree.is_null()).map(|entry| &*entry.name).take(MOST_NAMES).collect();
    let more = if entries.len() > MOST_NAMES { " and more" } else { "" };
    (!names.is_empty()).then(|| format!("the versions here are {}{more}", names.join(", ")))
}
