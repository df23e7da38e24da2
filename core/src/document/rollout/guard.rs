//! `guard`: when a version is taken out because it fails, and how it comes back.

use std::ops::RangeInclusive;

use super::super::reader::{Object, Path, Report, items};
use super::super::values;
use super::Context;
use super::versions::Listed;
use crate::guard::{Guard, Identity};
use crate::node::Node;
use crate::rules::{Split, Ways};
use crate::time::digits;

const FIELDS: [&str; 7] = ["window", "failures", "max_percent", "confidence", "worse_than_stable", "for", "share"];
const MOST_STATUSES: usize = 32;
const WINDOW: &str = "a duration of whole seconds from 10s to 1h";
const OUT_FOR: &str = "never, or a duration of whole seconds from 1s to 400d";
const SLOWER: &str = "a duration from 1ms to 1h";
const STATUS: &str = "a class such as 5xx, a status such as 503, or a range such as 500-504";

/// The guard of a rollout, if there is a sound one.
pub(super) fn read(
    rollout: &Object<'_>,
    name: &str,
    release: &str,
    (listed, ways): (&Listed, Ways),
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Box<Guard>> {
    let object = Object::read(rollout.get("guard")?, rollout.field("guard"), &FIELDS, report)?;
    if ways.split == Split::Native {
        report.conflict(&object.path, "split: native leaves the choice to the route; expected no guard");
    }
    object.require(report, "max_percent", "the percentage of requests that may fail, such as 5");
    let most = number(&object, "max_percent", 0.0, 99.0, report);
    let confidence = number(&object, "confidence", 50.0, 99.999, report).unwrap_or(99.9);
    let in_cookie = object.choice("share", &[("none", false), ("cookie", true)], report).unwrap_or(false);
    if in_cookie && context.cookie.is_none() {
        object.conflict(report, "share", "it is shared in a cookie; expected a cookie other than false");
    }
    let (statuses, slower_than) = read_failures(&object, report);
    let window = object.text("window", WINDOW, window, report).unwrap_or(60);
    let worse_than_stable = number(&object, "worse_than_stable", 1.0, 100.0, report);
    let out_for = object.text("for", OUT_FOR, out_for, report).flatten();
    let identities = listed.versions.iter().map(|version| Identity::new(name, version, release)).collect();
    Some(Box::new(Guard {
        window,
        statuses,
        slower_than,
        most: most? / 100.0,
        chance: (100.0 - confidence) / 100.0,
        worse_than_stable,
        out_for,
        in_cookie,
        identities,
    }))
}

fn window(text: &str) -> Option<u32> {
    values::whole_seconds(text, 10).filter(|seconds| *seconds <= 3_600)
}

/// Seconds, or nothing for ever.
#[allow(clippy::option_option)] // The outer one tells whether it was understood.
fn out_for(text: &str) -> Option<Option<u32>> {
    if text == "never" { Some(None) } else { values::whole_seconds(text, 1).map(Some) }
}

/// The statuses that are failures, and the milliseconds.
fn read_failures(guard: &Object<'_>, report: &mut Report<'_>) -> (Vec<RangeInclusive<u16>>, Option<u32>) {
    let server_errors = || vec![500..=599];
    let Some(node) = guard.get("failures") else { return (server_errors(), None) };
    let Some(object) = Object::read(node, guard.field("failures"), &["status", "slower_than"], report) else {
        return (server_errors(), None);
    };
    let slower = |text: &str| values::duration(text).filter(|ms| (1..=3_600_000).contains(ms))?.try_into().ok();
    let slower_than = object.text("slower_than", SLOWER, slower, report);
    let statuses = object.with("status", |node, path| {
        let items = items(node, path, "a list such as [5xx, 429]", report);
        if report.limit(path, items.len(), MOST_STATUSES, "statuses") {
            return None;
        }
        let items = items.iter().enumerate();
        Some(items.filter_map(|(index, node)| read_statuses(node, &path.item(index), report)).collect::<Vec<_>>())
    });
    let none = matches!(object.get("status"), Some(Node::List(items)) if items.is_empty());
    if none && object.get("slower_than").is_none() {
        report.conflict(&object.path, "nothing is a failure here; expected a status or slower_than");
    }
    (statuses.unwrap_or_else(server_errors), slower_than)
}

fn read_statuses(node: &Node<'_>, path: &Path<'_>, report: &mut Report<'_>) -> Option<RangeInclusive<u16>> {
    let found = match node {
        Node::Number(_) => {
            super::super::reader::whole(node).and_then(|status| u16::try_from(status).ok()).map(|at| at..=at)
        }
        Node::String(text) => statuses(text),
        _ => None,
    };
    let sound = found.filter(|range| 100 <= *range.start() && range.start() <= range.end() && *range.end() <= 599);
    if sound.is_none() {
        report.wrong(path, node, STATUS);
    }
    sound
}

fn statuses(text: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: [u8; 3]| digits(&text, 3).and_then(|status| u16::try_from(status).ok());
    match *text.as_bytes() {
        [class @ b'1'..=b'5', b'x', b'x'] => status([class, b'0', b'0']).map(|first| first..=first + 99),
        [a, b, c] => status([a, b, c]).map(|only| only..=only),
        [a, b, c, b'-', d, e, f] => Some(status([a, b, c])?..=status([d, e, f])?),
        _ => None,
    }
}

/// A number in a range, fractions allowed.
fn number(object: &Object<'_>, name: &str, least: f64, most: f64, report: &mut Report<'_>) -> Option<f64> {
    object.with(name, |node, path| {
        let value = decimal(node).filter(|value| (least..=most).contains(value));
        if value.is_none() {
            let (least, most) = (Node::Number(least).describe(), Node::Number(most).describe());
            report.wrong(path, node, &format!("a number from {least} to {most}"));
        }
        value
    })
}

/// A number. Envoy makes texts of all but whole ones when it reads YAML, so a text with a point counts as well.
fn decimal(node: &Node<'_>) -> Option<f64> {
    match node {
        Node::Number(value) => Some(*value),
        Node::String(text) if text.contains('.') => match Node::from_bytes(text.as_bytes()) {
            Ok(Node::Number(value)) => Some(value),
            _ => None,
        },
        _ => None,
    }
}
