//! No pattern of a document makes the regex library panic, which in a proxy would end the VM of a worker: neither when the pattern
//! is read nor when it is held against values.
//!
//! `cargo test -p serin-core --test patterns -- --ignored` tries some millions of them, for some minutes.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Request, outcome, rollout};
use serin_core::{Rules, Surroundings};

/// What means something to the parser by itself or beside others, and what means nothing to it.
const PARTS: [&str; 34] = [
    "a",
    "Z",
    "0",
    "-",
    ",",
    "é",
    " ",
    "#",
    ".",
    "^",
    "$",
    "|",
    "*",
    "+",
    "?",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?x)",
    "(?P<n>",
    "[",
    "[^",
    "]",
    "[:alpha:]",
    "&&",
    "{",
    "{2}",
    "}",
    "\\",
    "\\b",
    "\\W",
    "\\x{",
    "\u{10ffff}",
];

/// What the patterns are held against: nothing, what many of them match, a line, and what is no text.
const VALUES: [&[u8]; 4] = [b"", b"aaZ0-\xc3\xa9", b"a \n#{2}", b"a\xff"];

/// Reads a document with this pattern, and decides with each of the values. Says whether the document is sound.
#[track_caller]
fn check(pattern: &str, ignore_case: bool) -> bool {
    let matcher = serde_json::json!({"name": "x", "regex": pattern, "ignore_case": ignore_case});
    let document = rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}}},
        "rules": [{{"when": {{"headers": [{matcher}]}}, "use": "v2"}}]"#
    ));
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &|_| None });
        let rules = parsed.rules.filter(|_| parsed.errors.is_empty())?;
        VALUES.iter().for_each(|value| _ = outcome(&rules, &Request::new().with("x", value), 0));
        Some(())
    }));
    tried.unwrap_or_else(|_| panic!("panics: {pattern:?}, ignore_case {ignore_case}")).is_some()
}

/// Tries all patterns of so many parts.
#[track_caller]
fn check_all(length: u32) {
    let count = PARTS.len().pow(length);
    let pattern =
        |number: usize| -> String { (0..length).map(|at| PARTS[number / PARTS.len().pow(at) % PARTS.len()]).collect() };
    let sound = (0..count).filter(|number| check(&pattern(*number), number % 2 == 1)).count();
    assert!((count / 10..count).contains(&sound), "{sound} of {count} are patterns");
}

/// Tries so many patterns of up to so many parts.
#[track_caller]
fn check_some(count: usize, longest: usize) {
    let mut random = fastrand::Rng::with_seed(longest as u64);
    let mut sound = 0;
    for _ in 0..count {
        let length = random.usize(1..=longest);
        let pattern: String = (0..length).map(|_| *random.choice(&PARTS).unwrap()).collect();
        sound += usize::from(check(&pattern, random.bool()));
    }
    assert!((1..count).contains(&sound), "{sound} of {count} are patterns");
}

#[test]
fn no_short_pattern_panics() {
    (1..=3).for_each(check_all);
}

#[test]
fn no_long_pattern_panics() {
    [5, 10, 100].into_iter().for_each(|longest| check_some(20_000, longest));
}

#[test]
#[ignore = "some minutes"]
fn no_pattern_of_four_parts_panics() {
    check_all(4);
}

#[test]
#[ignore = "some minutes"]
fn no_long_pattern_of_four_million_panics() {
    [5, 10, 20, 100].into_iter().for_each(|longest| check_some(1_000_000, longest));
}
