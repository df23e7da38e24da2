//! Scalars that some reader on the way to the filter takes for something else.

use std::ops::Range;

use crate::finding::{Finding, Severity};
use crate::tree::{Ambiguous, Reader, Value, taken};

/// A plain scalar that a reader takes for something else than YAML 1.2 does; `None` if none does that matters. `hidden` is where
/// secrets stand.
pub(super) fn ambiguous_word(
    text: &str,
    (start, of): (usize, Ambiguous),
    reader: Reader,
    hidden: &[Range<usize>],
) -> Option<Finding> {
    let span = start..of.end;
    let written = text.get(span.clone()).unwrap_or_default();
    // The filter knows what Kubernetes makes of this name.
    if of.is_name && written == "off" {
        return None;
    }
    let readers: &[(Reader, &str)] = match reader {
        Reader::Itself if !of.is_name => &[(Reader::Kubernetes, "Kubernetes"), (Reader::Envoy, "Envoy")],
        Reader::Itself | Reader::Kubernetes => &[(Reader::Kubernetes, "Kubernetes")],
        // Envoy leaves names as they are.
        Reader::Envoy if of.is_name => &[],
        Reader::Envoy => &[(Reader::Envoy, "Envoy")],
    };
    let as_written = taken(written, Reader::Itself);
    // That Envoy makes texts of fractions does not matter: where the filter takes some it takes those as well.
    let others = readers.iter().map(|(reader, who)| (*who, taken(written, *reader)));
    let mut others = others.filter(|(_, other)| *other != as_written && !matches!(other, Value::Text(_)));
    let (who, other) = others.next()?;
    let (who, verb) = if others.next().is_some() { ("Kubernetes and Envoy", "read") } else { (who, "reads") };
    let is_hidden = hidden.iter().any(|secret| secret.contains(&start));
    let message = match (is_hidden, &as_written) {
        (true, _) => format!("{who} {verb} this without quotes as something else; expected it in quotes"),
        (false, Value::Number(number)) => {
            let other = shown(&other);
            format!("{who} {verb} {written} as {other}, and others read it as {number}; expected {other} or {number}")
        }
        (false, _) => {
            let other = shown(&other);
            format!("{who} {verb} {written} without quotes as {other}; expected \"{written}\" in quotes, or {other}")
        }
    };
    Some(Finding { severity: Severity::Warning, ..Finding::error("yaml-word", span, message) })
}

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        _ => "something else".to_owned(),
    }
}
