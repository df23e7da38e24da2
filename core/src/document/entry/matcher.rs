//! One matcher: what it compares with, and how.

use std::collections::BinaryHeap;

use super::super::reader::{Object, Path, Report, items, text};
use crate::error::Kind;
use crate::matcher::{Matcher, Pattern, Test};
use crate::node::Node;

/// The name of what is matched, the tests, of which one is wanted, and what changes them.
pub(super) const FIELDS: [&str; 10] =
    ["name", "exact", "prefix", "suffix", "contains", "regex", "present", "in", "invert", "ignore_case"];

const TESTS: [&str; 7] = ["exact", "prefix", "suffix", "contains", "regex", "present", "in"];
const MOST_TEXTS: usize = 10_000;
const REGEX: &str = "a regular expression of 1 to 512 characters";
const LONGEST_REGEX: usize = 512;
/// Each group costs memory for every state of the compiled form.
const MOST_GROUPS: usize = 4;

/// The matcher in an object with [`FIELDS`].
pub(super) fn read(object: &Object<'_>, report: &mut Report<'_>) -> Option<Matcher> {
    let invert = object.bool("invert", report).unwrap_or(false);
    let ignore_case = object.bool("ignore_case", report).unwrap_or(false);
    let mut named = TESTS.iter().filter(|name| object.get(name).is_some());
    let (Some(name), None) = (named.next(), named.next()) else {
        report.conflict(&object.path, "expected one of exact, prefix, suffix, contains, regex, present and in");
        return None;
    };
    let node = object.get(name)?;
    let test = read_test(name, node, &object.field(name), ignore_case, report)?;
    if ignore_case && matches!(test, Test::Present(_)) {
        object.conflict(report, "ignore_case", "present has no case; expected no ignore_case beside it");
    }
    Some(Matcher::new(test, invert, ignore_case))
}

fn read_test(name: &str, node: &Node<'_>, path: &Path<'_>, ignore_case: bool, report: &mut Report<'_>) -> Option<Test> {
    if name == "regex" {
        return read_pattern(node, path, ignore_case, report).map(|pattern| Test::Regex(Box::new(pattern)));
    }
    match (name, node) {
        ("present", Node::Bool(wanted)) => return Some(Test::Present(*wanted)),
        ("present", _) => {
            report.wrong(path, node, "true or false");
            return None;
        }
        ("in", _) => return Some(Test::In(read_texts(node, path, ignore_case, report)?)),
        ("exact", _) => return read_text(node, path, 0, ignore_case, report).map(Test::Exact),
        _ => {}
    }
    let text = read_text(node, path, 1, ignore_case, report)?;
    Some(match name {
        "prefix" => Test::Prefix(text),
        "suffix" => Test::Suffix(text),
        _ => Test::Contains(text),
    })
}

/// The texts of `in`, sorted.
fn read_texts(node: &Node<'_>, path: &Path<'_>, ignore_case: bool, report: &mut Report<'_>) -> Option<Vec<Box<[u8]>>> {
    let nodes = items(node, path, "a list of texts", report);
    if matches!(node, Node::List(nodes) if nodes.is_empty()) {
        report.conflict(path, "found an empty list, which matches nothing; expected at least one text");
    }
    if report.limit(path, nodes.len(), MOST_TEXTS, "texts") {
        return None;
    }
    let texts = nodes.iter().enumerate();
    let texts = texts.filter_map(|(index, node)| read_text(node, &path.item(index), 0, ignore_case, report));
    // A heap sorts as quickly as a sort, in a fraction of its bytes.
    Some(texts.collect::<BinaryHeap<_>>().into_sorted_vec())
}

/// What a value is compared with, of at least so many characters. Control characters never come in.
fn read_text(
    node: &Node<'_>,
    path: &Path<'_>,
    least: usize,
    ignore_case: bool,
    report: &mut Report<'_>,
) -> Option<Box<[u8]>> {
    const LONGEST: usize = 1024;
    let expected = if least == 0 {
        "text of at most 1024 characters without control characters"
    } else {
        "text of 1 to 1024 characters without control characters"
    };
    let sound = |text: &str| {
        let sound =
            (least..=LONGEST).contains(&text.chars().count()) && !text.bytes().any(|byte| byte.is_ascii_control());
        sound.then(|| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() })
    };
    text(node, path, expected, sound, report).map(|text| text.into_bytes().into_boxed_slice())
}

/// A regular expression, unless there have been too many of them, which is reported at the end.
pub(super) fn read_pattern(
    node: &Node<'_>,
    path: &Path<'_>,
    ignore_case: bool,
    report: &mut Report<'_>,
) -> Option<Pattern> {
    let sound = |text: &str| (1..=LONGEST_REGEX).contains(&text.chars().count()).then(|| text.to_owned());
    let written = text(node, path, REGEX, sound, report)?;
    report.regexes += 1;
    report.regexes_of_rollout += 1;
    if report.regexes > super::super::MOST_REGEXES || report.regexes_of_rollout > super::MOST_REGEXES {
        return None;
    }
    match Pattern::new(&written, ignore_case) {
        Ok(pattern) if pattern.groups() > MOST_GROUPS => {
            let groups = pattern.groups();
            report.conflict(
                path,
                format!("found {groups} capturing groups; expected at most {MOST_GROUPS}, and (?:…) for the others"),
            );
            None
        }
        Ok(pattern) => Some(pattern),
        Err(error) => {
            report.add_with(path, || Kind::Wrong {
                found: node.describe(),
                expected: format!("a regular expression ({error})").into(),
                nearest: None,
            });
            None
        }
    }
}
