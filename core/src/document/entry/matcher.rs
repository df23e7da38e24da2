//! One matcher: what it compares with, and how.

use super::super::reader::{Object, Path, Report, items, text};
use super::super::values;
use crate::error::Kind;
use crate::matcher::{Matcher, Pattern, Test};
use crate::node::Node;

/// The name of what is matched, the tests, of which one is wanted, and what changes them.
pub(super) const FIELDS: [&str; 10] =
    ["name", "exact", "prefix", "suffix", "contains", "regex", "present", "in", "invert", "ignore_case"];

const TESTS: [&str; 7] = ["exact", "prefix", "suffix", "contains", "regex", "present", "in"];
const MOST_VALUES: usize = 10_000;
const REGEX: &str = "a regular expression of 1 to 512 characters";
const LONGEST_REGEX: usize = 512;
/// Each group costs memory for every state of the compiled form.
const MOST_GROUPS: usize = 16;

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
        report.conflict(&object.field("ignore_case"), "present has no case; expected no ignore_case beside it");
    }
    Some(Matcher::new(test, invert, ignore_case))
}

fn read_test(name: &str, node: &Node, path: &Path<'_>, ignore_case: bool, report: &mut Report<'_>) -> Option<Test> {
    let in_case = |mut text: Box<[u8]>| {
        if ignore_case {
            text.make_ascii_lowercase();
        }
        text
    };
    let any = |node: &Node, path: &Path<'_>, report: &mut Report<'_>| {
        text(node, path, values::MATCHED, values::matched, report).map(in_case)
    };
    let some =
        |report: &mut Report<'_>| text(node, path, values::SOME_MATCHED, values::some_matched, report).map(in_case);
    match name {
        "exact" => any(node, path, report).map(Test::Exact),
        "prefix" => some(report).map(Test::Prefix),
        "suffix" => some(report).map(Test::Suffix),
        "contains" => some(report).map(Test::Contains),
        "regex" => read_pattern(node, path, ignore_case, report).map(|pattern| Test::Regex(Box::new(pattern))),
        "present" => match node {
            Node::Bool(wanted) => Some(Test::Present(*wanted)),
            _ => {
                report.wrong(path, node, "true or false");
                None
            }
        },
        _ => {
            let nodes = items(node, path, "a list of texts", report);
            if matches!(node, Node::List(nodes) if nodes.is_empty()) {
                report.conflict(path, "found an empty list, which matches nothing; expected at least one text");
            }
            if report.limit(path, nodes.len(), MOST_VALUES, "texts") {
                return None;
            }
            let texts = nodes.iter().enumerate();
            Some(Test::In(texts.filter_map(|(index, node)| any(node, &path.item(index), report)).collect()))
        }
    }
}

/// A regular expression, unless the document has had too many of them, which is reported at its end.
pub(super) fn read_pattern(
    node: &Node,
    path: &Path<'_>,
    ignore_case: bool,
    report: &mut Report<'_>,
) -> Option<Pattern> {
    let sound = |text: &str| (1..=LONGEST_REGEX).contains(&text.chars().count()).then(|| text.to_owned());
    let written = text(node, path, REGEX, sound, report)?;
    report.regexes += 1;
    if report.regexes > super::super::MOST_REGEXES {
        return None;
    }
    match Pattern::new(&written, ignore_case) {
        Ok(pattern) if pattern.groups() > MOST_GROUPS => {
            report.limit(path, pattern.groups(), MOST_GROUPS, "groups; (?:…) groups without counting");
            None
        }
        Ok(pattern) => Some(pattern),
        Err(error) => {
            report.add_with(path, || Kind::Wrong {
                found: node.describe(),
                expected: format!("a regular expression ({error})"),
                nearest: None,
            });
            None
        }
    }
}
