//! Secrets in files: what is shown of a file goes into the logs of pipelines.

mod unread;

use std::ops::Range;

use serin_core::nearest;

use crate::tree::{Tree, Value};
pub(crate) use unread::{may_hold, spans_of_unread};

/// Words that say of what stands behind them that it is nobody's business.
const WORDS: [&str; 4] = ["secret", "password", "passwd", "token"];

/// Whether a text that stands under these names, from the root to its own, may be a secret.
pub(crate) fn is_secret(names: &[&str], text: &str) -> bool {
    let holds = |name: &str| matches!(name, "keys" | "trust") || has_word(name);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_harmless = match names.last() {
        Some(&("id" | "env" | "header")) => text.len() <= 64 && text.bytes().all(is_name),
        Some(&"trust") => nearest(text, ["open", "signed"]).is_some(),
        _ => false,
    };
    !is_harmless && names.iter().any(|name| holds(name))
}

fn has_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// Where in the file a tree has what may be a secret.
pub(crate) fn spans(tree: &Tree) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect<'t>(tree: &'t Tree, names: &mut Vec<&'t str>, found: &mut Vec<Range<usize>>) {
    match &tree.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, names, found)),
        Value::Map(entries) => {
            for entry in entries {
                names.push(&entry.name);
                collect(&entry.tree, names, found);
                names.pop();
            }
        }
        Value::Text(text) if is_secret(names, &text.text) => found.push(tree.span.clone()),
        Value::Number(_) if is_secret(names, "") => found.push(tree.span.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
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
        let all: Vec<Range<usize>> = documents.iter().flat_map(spans).collect();
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
        check("my_Password: abc\nother: abc", "my_Password: ***\nother: abc");
    }
}
