//! Target `cookie`: any bytes as `Cookie` lines, held against a second reader of our own (`lines`) and, where it promises the
//! same, against the crate `cookie`.

use std::sync::LazyLock;

use serin_cli::Request;
use serin_core::{CookieSettings, Mark, Rules, SlotKey, Time, VisitorNumber};

use crate::given::Given;
use crate::judge::{Judged, decided};
use crate::{lines, sound};

const NOW: Time = Time::from_unix_seconds(20_778 * 86_400 + 40_000);
const DRAWN: u64 = 0x0123_4567_89ab_cdef;

/// A document for each question; `r` is the only rollout.
static BY_VISITOR: LazyLock<Asked> = LazyLock::new(|| Asked::new(r#""sticky": {}"#, ""));
static BY_ID: LazyLock<Asked> =
    LazyLock::new(|| Asked::new(r#""sticky": {"unit": [{"cookie": "id"}]}"#, r#", "cookie": false"#));
static BY_KEPT: LazyLock<Asked> = LazyLock::new(|| {
    Asked::new(
        r#""release": "a1", "sticky": {"hold": "version", "unit": [{"header": "x-unit"}], "prefer": "unit"}, "override": {"header": "x-canary", "remember": "1h"}"#,
        "",
    )
});
static BY_MATCH: LazyLock<Asked> = LazyLock::new(|| {
    Asked::new(r#""match": [{"cookies": [{"name": "id", "prefix": "a"}, {"name": "no", "present": false}]}]"#, "")
});

struct Asked {
    rules: Rules,
    given: Given,
}

impl Asked {
    fn new(fields: &str, top: &str) -> Self {
        let versions = r#"{"v1": {}, "v2": {"weight": 50}}"#;
        let document = format!(r#"{{"rollouts": {{"r": {{"stable": "v1", "versions": {versions}, {fields}}}}}{top}}}"#);
        let mut given = Given::default();
        given.add(document.as_bytes());
        Self { rules: sound(&document), given }
    }

    fn decided(&self, lines: &[&[u8]]) -> Judged {
        let mut headers = vec![("x-unit".to_owned(), b"somebody".to_vec())];
        headers.extend(lines.iter().map(|line| ("cookie".to_owned(), line.to_vec())));
        decided(&self.rules, &self.given, &Request { headers, ..Request::default() }, NOW, DRAWN)
    }
}

/// Reads the bytes as one `Cookie` line for each line feed in them.
pub fn run(input: &[u8]) {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').take(4).collect();
    visitor(&lines);
    id(&lines);
    kept(&lines);
    matched(&lines);
    against_the_library(input);
}

/// What the first line holds; else what all hold, unless the first one has a cookie of ours.
fn first_or_all<T>(lines: &[&[u8]], is_ours: impl Fn(&[u8]) -> bool, find: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let is_whole = lines::names(lines[0]).into_iter().any(is_ours);
    find(lines[0]).or_else(|| if is_whole { None } else { find(&lines.join(&b"; "[..])) })
}

/// The visitor cookie, and those whose names go on behind it.
fn is_own(name: &[u8]) -> bool {
    name == b"canary" || name.starts_with(b"canary-")
}

fn visitor(lines: &[&[u8]]) {
    let find = |line: &[u8]| lines::values(line, "canary").iter().find_map(|value| lines::visitor(value, NOW));
    let expected = first_or_all(lines, is_own, find);
    let read = CookieSettings::default().read(lines[0], NOW.day());
    let of_first = find(lines[0]).map(|(number, _)| number);
    assert_eq!(read.map(|visitor| visitor.number.as_bytes().to_vec()), of_first);
    let judged = BY_VISITOR.decided(lines);
    let key = SlotKey::new("r", "");
    let number =
        expected.clone().map_or_else(|| VisitorNumber::from_bits(DRAWN).as_bytes().to_vec(), |(number, _)| number);
    assert_eq!(judged.slot, Some(key.slot(&number).number()), "{expected:?}");
    let (today, quarter) = (20_778_u64, 8);
    let is_due = |day: u64| day > today + 1 || (day < today && today - day >= quarter);
    let writes = expected.is_none_or(|(_, day)| is_due(day));
    assert_eq!(!judged.cookies.is_empty(), writes, "{judged:?}");
}

fn id(lines: &[&[u8]]) {
    let find = |line: &[u8]| {
        let mut clean = lines::values(line, "id").into_iter().filter(|value| lines::is_clean(value)).take(8);
        clean.find(|value| !value.is_empty())
    };
    // Without a visitor cookie only the id itself is ours.
    let expected = first_or_all(lines, |name| name == b"id", find);
    let judged = BY_ID.decided(lines);
    let slot = expected.map(|id| SlotKey::new("r", "").slot(&id).number());
    assert_eq!(judged.slot.filter(|_| judged.reason == Some("slot")), slot, "{judged:?}");
}

fn kept(lines: &[&[u8]]) {
    let listed = |version: &[u8]| [&b"v1"[..], b"v2"].contains(&version);
    let find = |line: &[u8]| {
        let values = lines::values(line, "canary-r").into_iter().take(8);
        let read: Vec<lines::Kept> = values.filter_map(|value| lines::kept(&value)).collect();
        let keeps = |kept: &lines::Kept| {
            kept.held.as_ref().is_some_and(|(_, version, release)| listed(version) && release == b"a1")
                || kept.remembered.as_ref().is_some_and(|(version, _)| listed(version))
        };
        let first = read.iter().position(keeps).unwrap_or_default();
        read.into_iter().nth(first)
    };
    // What a guard writes is private, and not read here a second time.
    let is_of_guard = |field: &[u8]| matches!(field.first(), Some(b'x' | b'f'));
    let has_guards = |value: &Vec<u8>| value.split(|byte| *byte == b'.').any(is_of_guard);
    if lines.iter().any(|line| lines::values(line, "canary-r").iter().any(has_guards)) {
        BY_KEPT.decided(lines);
        return;
    }
    let expected = first_or_all(lines, is_own, find).unwrap_or_default();
    let judged = BY_KEPT.decided(lines);
    let mark = Mark::from_hash(SlotKey::new("r", "a1").hash(b"somebody"));
    let remembered = expected.remembered.filter(|(version, expiry)| listed(version) && *expiry > NOW.unix_seconds());
    let is_past = lines::is_past(expected.issued, NOW);
    let held = expected.held.filter(|(of, version, release)| {
        !is_past && of == mark.as_str().as_bytes() && listed(version) && release == b"a1"
    });
    let version = match (remembered, held) {
        (Some((version, _)), _) => Some(("override", version)),
        (None, Some((_, version, _))) => Some(("held", version)),
        (None, None) => None,
    };
    let found = judged.version.clone().map(String::into_bytes);
    match version {
        Some((reason, version)) => assert_eq!((judged.reason, found), (Some(reason), Some(version)), "{judged:?}"),
        None => assert_eq!(judged.reason, Some("slot"), "{judged:?}"),
    }
}

fn matched(lines: &[&[u8]]) {
    let first = |name: &'static str| {
        first_or_all(lines, is_own, |line| lines::values(line, name).into_iter().find(|value| lines::is_clean(value)))
    };
    let expected =
        first("id").is_some_and(|value| value.len() <= 8192 && value.starts_with(b"a")) && first("no").is_none();
    assert_eq!(BY_MATCH.decided(lines).rollout.is_some(), expected);
}

/// The crate reads text, takes any white space off the ends, and has no limits. So it is asked about lines of plain ASCII that
/// are shorter than any limit.
fn against_the_library(line: &[u8]) {
    let is_plain = line.len() <= 500 && line.iter().all(|byte| (b' '..=b'~').contains(byte));
    let Ok(text) = std::str::from_utf8(line) else { return };
    if is_plain {
        let theirs: Vec<(String, String)> = cookie::Cookie::split_parse(text)
            .filter_map(|cookie| cookie.ok().map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned())))
            .collect();
        let ours = lines::pairs(line).into_iter().filter(|(name, _)| !name.is_empty());
        let ours: Vec<(String, String)> = ours.map(|(name, value)| (text_of(name), text_of(value))).collect();
        assert_eq!(ours, theirs);
    }
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a part of a text")
}
