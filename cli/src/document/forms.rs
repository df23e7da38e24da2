//! A file's text as trees of values: JSON, or YAML.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::finding::Finding;
use crate::secrets::{may_hold, spans_of_unread};
use crate::tree::{Ambiguous, SyntaxMistake, Tree, read_json, read_yaml};

/// What a file holds.
#[derive(Default)]
pub(super) struct Forms {
    /// One of JSON, or any number of YAML.
    pub(super) trees: Vec<Tree>,
    /// Plain scalars that not everybody takes for the same.
    pub(super) ambiguous: BTreeMap<usize, Ambiguous>,
    pub(super) mistakes: Vec<Finding>,
    /// Where there may be secrets in what cannot be read.
    pub(super) hidden: Vec<Range<usize>>,
}

impl Forms {
    /// Reads a text. A file that is named as one of JSON has to be that, and of what is neither the form is told that it was
    /// surely meant in.
    pub(super) fn read(name: &str, text: &str) -> Self {
        let named = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let (is_json, is_yaml) = (named(&[".json"]), named(&[".yaml", ".yml"]));
        let seems_json = text.trim_start().starts_with(['{', '[']);
        let of_json = (is_json || seems_json).then(|| read_json(text));
        if let Some(Ok(tree)) = of_json {
            return Self { trees: vec![tree], ..Self::default() };
        }
        let of_yaml = read_yaml(text);
        let (form, mistakes, read) = match of_json {
            Some(Err(mistake)) if is_json || (!is_yaml && !of_yaml.mistakes.is_empty()) => {
                ("JSON", vec![mistake], Self::default())
            }
            _ => {
                let read = Self { trees: of_yaml.documents, ambiguous: of_yaml.ambiguous, ..Self::default() };
                ("YAML", of_yaml.mistakes, read)
            }
        };
        let hidden = if mistakes.is_empty() { Vec::new() } else { spans_of_unread(text, 0..text.len()) };
        let mistakes = mistakes.into_iter().map(|mistake| syntax(text, form, mistake, &hidden)).collect();
        Self { mistakes, hidden, ..read }
    }
}

fn syntax(text: &str, form: &str, mistake: SyntaxMistake, hidden: &[Range<usize>]) -> Finding {
    let SyntaxMistake { at, message, hint } = mistake;
    let is_hidden = hidden.iter().any(|span| span.contains(&at));
    let quoted = || text.get(at..).filter(|_| form == "YAML" && !is_hidden).and_then(quoted);
    let hint = template(text, at).or_else(quoted).or_else(|| hint.map(str::to_owned));
    Finding { hint, ..Finding::error("syntax", at..at, format!("not {form}: {message}")) }
}

/// What to do about a template of Helm and the like.
fn template(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let is_one = text.get(start..)?.lines().next()?.contains("{{");
    is_one.then(|| "a template is rendered first, as by helm template, and what comes of it is checked".to_owned())
}

/// What begins with a character that means something to YAML, and would be a text in quotes.
fn quoted(rest: &str) -> Option<String> {
    let end = rest.find([',', ']', '}', ' ', '\n', '\r']).unwrap_or(rest.len());
    let word = rest.get(..end).filter(|word| word.starts_with(['*', '&', '!', '%', '@', '`']) && !may_hold(word))?;
    Some(format!("a text that begins so stands in quotes: \"{word}\""))
}
