//! Secrets in files: what is shown of a file goes into the logs of pipelines.

mod unread;

use std::collections::BTreeSet;
use std::ops::Range;

use serin_core::{Step, nearest};

use crate::hints::is_field;
use crate::tree::{Tree, Value};
use unread::is_with_value;
pub(crate) use unread::{may_hold, spans_of_unread};

/// Words that say of what stands behind them that it is nobody's business.
const WORDS: [&str; 4] = ["secret", "password", "passwd", "token"];

/// A secret has so many characters, and no field where secrets stand does.
const SHORTEST: usize = 16;

/// Whether a text that stands under these names, from the root to its own, may be a secret.
pub(crate) fn is_secret(names: &[&str], text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_harmless = match names.last() {
        Some(&("id" | "env" | "header")) => text.len() <= 64 && text.bytes().all(is_name),
        Some(&"trust") => nearest(text, ["open", "signed"]).is_some(),
        _ => false,
    };
    !is_harmless && is_below_secret(names)
}

/// Whether what stands under these names is nobody's business.
fn is_below_secret(names: &[&str]) -> bool {
    (0..names.len()).any(|at| names.get(at).is_some_and(|name| is_of_secrets(name)) && !is_chosen(names, at))
}

/// Whether a name is that of a rollout or a version, which people may call what they like: there are its fields behind it.
fn is_chosen(names: &[&str], at: usize) -> bool {
    let name = |at: Option<usize>| at.and_then(|at| names.get(at)).copied().unwrap_or_default();
    let is_name = matches!(name(at.checked_sub(1)), "rollouts" | "versions");
    is_name && !matches!(name(Some(at)), "keys" | "trust") && is_field(name(at.checked_add(1)))
}

/// Whether a name is one that secrets stand behind, or is meant for one.
fn is_of_secrets(name: &str) -> bool {
    let is_meant = || nearest(name, ["keys", "trust", "secret"]).is_some() && !is_field(name);
    matches!(name, "keys" | "trust") || has_word(name) || is_meant()
}

/// How many steps of a path lead to a name that may be a secret, as of a field that lacks the space behind its colon.
pub(crate) fn steps_to_secret(steps: &[Step]) -> Option<usize> {
    let mut above: Vec<&str> = Vec::new();
    steps.iter().position(|step| {
        let name = match step {
            Step::Field(name) | Step::LongField(name) => Some(&**name),
            Step::Item(_) => None,
        };
        let is_secret = name.is_some_and(|name| is_secret_name(&above, name));
        above.extend(name);
        is_secret
    })
}

/// Whether a name below these may be a secret: it stands where secrets do, as long as they are, or has one behind the name that was meant.
fn is_secret_name(above: &[&str], name: &str) -> bool {
    let is_below = above.iter().any(|name| matches!(*name, "keys" | "trust"));
    (is_below && name.len() >= SHORTEST) || is_with_value(name)
}

fn has_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// The headers with which requests show a secret, in lower case.
pub(crate) fn headers(document: &Tree) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = ["authorization", "proxy-authorization"].map(str::to_owned).into();
    for entry in document.entries() {
        let name = entry.tree.get("header").and_then(Tree::text).filter(|_| entry.name == "trust");
        found.extend(name.map(str::to_ascii_lowercase));
        found.extend(headers(&entry.tree));
    }
    found
}

/// Where in the file a tree has what may be a secret.
pub(crate) fn spans(file: &str, tree: &Tree) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    collect(file, tree, &mut Vec::new(), &mut found);
    found
}

fn collect<'t>(file: &str, tree: &'t Tree, names: &mut Vec<&'t str>, found: &mut Vec<Range<usize>>) {
    match &tree.value {
        Value::List(items) => items.iter().for_each(|item| collect(file, item, names, found)),
        Value::Map(entries) => {
            for entry in entries {
                found.extend(is_secret_name(names, &entry.name).then(|| entry.name_span.clone()));
                names.push(&entry.name);
                collect(file, &entry.tree, names, found);
                let is_below = is_below_secret(names);
                names.pop();
                if is_below && !is_below_secret(names) {
                    found.extend(comments(file, entry.name_span.end..entry.tree.span.end));
                }
            }
        }
        Value::Text(text) if is_secret(names, &text.text) => found.push(tree.span.clone()),
        Value::Number(_) if is_secret(names, "") => found.push(tree.span.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// The comments between two places, on the line of the last one, and on lines of their own behind it: they may hold the secret that
/// was there before.
fn comments(file: &str, between: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = between.start;
    for line in file.get(at..).unwrap_or_default().split_inclusive('\n') {
        let is_alone = line.trim_start().starts_with('#') || line.trim().is_empty();
        if at >= between.end.max(between.start + 1) && !is_alone {
            break;
        }
        let hashes = line.match_indices('#').map(|(hash, _)| hash);
        let mut marks = hashes
            .filter(|hash| line.get(..*hash).is_some_and(|before| !before.ends_with(|c: char| !c.is_whitespace())));
        found.extend(marks.next().map(|hash| at + hash..at + line.trim_end().len()));
        at += line.len();
    }
    found
}

/// Where in the file the texts of a tree, which nobody has looked into, have what may be a secret.
pub(crate) fn spans_in_texts(file: &str, tree: &Tree) -> Vec<Range<usize>> {
    match &tree.value {
        Value::List(items) => items.iter().flat_map(|item| spans_in_texts(file, item)).collect(),
        Value::Map(entries) => entries.iter().flat_map(|entry| spans_in_texts(file, &entry.tree)).collect(),
        Value::Text(_) => spans_of_unread(file, tree.span.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The text with other characters in these places, in as many bytes and characters.
pub(crate) fn without(text: &str, spans: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut spans: Vec<&Range<usize>> = spans.iter().collect();
    spans.sort_by_key(|span| span.start);
    let mut spans = spans.into_iter().peekable();
    for (at, character) in text.char_indices() {
        while spans.next_if(|span| span.end <= at).is_some() {}
        let is_within = spans.peek().is_some_and(|span| span.start <= at);
        shown.push(if is_within && character.is_alphanumeric() { instead(character) } else { character });
    }
    shown
}

fn instead(character: char) -> char {
    match character.len_utf8() {
        1 => '*',
        2 => '·',
        3 => '•',
        _ => '\u{10101}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::read_yaml;

    #[track_caller]
    fn check(file: &str, expected: &str) {
        let documents = read_yaml(file).documents;
        let all: Vec<Range<usize>> = documents.iter().flat_map(|tree| spans(file, tree)).collect();
        assert_eq!(without(file, &all), expected);
    }

    #[test]
    fn what_is_shown_of_a_file() {
        check("rollouts: {a: {stable: v1}}", "rollouts: {a: {stable: v1}}");
        check("keys: [{id: k1, env: SERIN_KEY_1}]", "keys: [{id: k1, env: SERIN_KEY_1}]");
        check("keys: [{id: k1, secret: 's3cr ét'}]", "keys: [{id: k1, secret: '**** ·*'}]");
        check("keys: [abc, {value: def}, 17]", "keys: [***, {value: ***}, **]");
        check("keys: [{id: k1, env: 'not a name'}]", "keys: [{id: k1, env: '*** * ****'}]");
        check("trust: Signd\n---\ntrust: sesame", "trust: Signd\n---\ntrust: ******");
        check("trust: {header: x-a, secret: sesame}", "trust: {header: x-a, secret: ******}");
        check("keys: [{id: k1, secret:abc}]", "keys: [{id: k1, ******:***}]");
        check("keys: [{secret: , abcdefghijklmnop: , b: }]", "keys: [{secret: , ****************: , b: }]");
        check("keys: [{id: k1, secert: abc}]", "keys: [{id: k1, secert: ***}]");
        check("a: {trust:abc: {x: 1}, token-abc: 1}", "a: {*****:***: {x: 1}, token-abc: *}");
        check("secret: # abc\na: b # abc", "secret: # ***\na: b # abc");
        check("secret: abc # abc", "secret: *** # ***");
        check(
            "keys:\n- {id: k1, env: A} # abc\n# abc\n\nheaders: {} # abc",
            "keys:\n- {id: k1, env: A} # ***\n# ***\n\nheaders: {} # abc",
        );
        check("key: [abc]\ntrsut: abc\nsecure: abc", "key: [***]\ntrsut: ***\nsecure: abc");
        check(
            "rollouts: {my-token: {versions: {secret: {weight: 10}}}}",
            "rollouts: {my-token: {versions: {secret: {weight: 10}}}}",
        );
        check("my_Password: abc\nother: abc", "my_Password: ***\nother: abc");
    }
}
