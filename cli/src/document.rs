//! Documents of a file, read: rules, and all that was found on the way.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serin_core::{Parsed, Rules, Surroundings, Warning, review};

use crate::find::{Found, Problem, Search, find};
use crate::finding::{Finding, Severity};
use crate::input::File;
use crate::show::{Lines, Position};
use crate::tree::{Ambiguous, Reader, SyntaxMistake, Tree, Value, read_json, read_yaml, taken};

/// Stands for a secret that the environment lacks: the proxy's environment is another one.
const PLACEHOLDER: &str = "not the secret, which is not here";

/// A file with its documents.
pub(crate) struct Loaded {
    /// As it is shown in messages.
    pub(crate) name: String,
    pub(crate) text: String,
    lines: Lines,
    pub(crate) documents: Vec<Document>,
    /// In the order of the file.
    pub(crate) findings: Vec<Finding>,
    /// Mistakes beside those in `findings`.
    pub(crate) more_errors: usize,
}

/// A document of a file.
pub(crate) struct Document {
    /// Where in the file it is; empty for a bare one.
    pub(crate) place: String,
    pub(crate) tree: Tree,
    /// `None` if the document as a whole is spoiled.
    pub(crate) rules: Option<Rules>,
    /// Whether it has no mistakes at all.
    pub(crate) is_sound: bool,
    /// The environment variable with the secret of the key that signs, if that is where it is.
    pub(crate) signing_variable: Option<String>,
    /// The environment variables that hold its secrets, and are not set here.
    pub(crate) unset: BTreeSet<String>,
}

impl Loaded {
    /// Reads the documents of a file.
    pub(crate) fn new(file: File) -> Self {
        let text = match String::from_utf8(file.bytes) {
            Ok(text) if !text.contains('\0') => text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            Ok(text) => return Self::not_text(file.name, text.as_bytes(), text.find('\0').unwrap_or_default()),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                return Self::not_text(file.name, error.as_bytes(), at);
            }
        };
        let mut loaded = Self { text, ..Self::empty(file.name) };
        loaded.read();
        loaded.lines = Lines::of(&loaded.text);
        loaded.findings.sort_by_key(|finding| (finding.span.start, finding.severity));
        loaded
    }

    /// A file that is no text.
    fn not_text(name: String, bytes: &[u8], at: usize) -> Self {
        let message = if bytes.starts_with(b"\0asm") {
            "a WebAssembly module; expected a rules document in YAML or JSON".to_owned()
        } else {
            let found = bytes.get(at).copied().unwrap_or_default();
            format!("no text: byte {at} is 0x{found:02x}; expected a rules document in YAML or JSON, in UTF-8")
        };
        Self { findings: vec![Finding::error("not-text", 0..0, message)], ..Self::empty(name) }
    }

    fn empty(name: String) -> Self {
        let (text, lines) = (String::new(), Lines::of(""));
        Self { name, text, lines, documents: Vec::new(), findings: Vec::new(), more_errors: 0 }
    }

    /// The line and column of a byte of the file.
    pub(crate) fn position(&self, at: usize) -> Position {
        self.lines.position(&self.text, at)
    }

    /// How many findings are that bad.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        let found = self.findings.iter().filter(|finding| finding.severity == severity).count();
        found + if severity == Severity::Error { self.more_errors } else { 0 }
    }

    fn read(&mut self) {
        let text = std::mem::take(&mut self.text);
        let (trees, ambiguous) = self.read_trees(&text);
        let searches: Vec<Search> = trees.iter().map(|tree| find(&text, tree)).collect();
        let others: Vec<&String> = searches.iter().flat_map(|search| &search.others).collect();
        let has_problem = searches.iter().any(|search| !search.problems.is_empty());
        let has_any = searches.iter().any(|search| !search.found.is_empty());
        if !has_any && !has_problem && self.findings.is_empty() {
            self.findings.push(Finding::error("no-document", 0..0, no_document(&trees, &others)));
        }
        for Search { found, problems, .. } in searches {
            for Problem { span, place, code, message } in problems {
                self.findings.push(Finding { place, ..Finding::error(code, first_line(&text, span), message) });
            }
            for found in found {
                self.read_document(&text, found, &ambiguous);
            }
        }
        self.text = text;
    }

    /// The values of the file: one of JSON, or any number of YAML.
    fn read_trees(&mut self, text: &str) -> (Vec<Tree>, BTreeMap<usize, Ambiguous>) {
        let is_json = self.name.ends_with(".json");
        let seems_json = text.trim_start().starts_with(['{', '[']);
        let no_yaml = BTreeMap::new();
        let of_json = (is_json || seems_json).then(|| read_json(text));
        if let Some(Ok(tree)) = of_json {
            return (vec![tree], no_yaml);
        }
        let syntax = |form: &str, SyntaxMistake { at, message }| {
            Finding::error("syntax", first_line(text, at..at), format!("not {form}: {message}"))
        };
        let of_yaml = read_yaml(text);
        match of_json {
            Some(Err(mistake)) if is_json || !of_yaml.mistakes.is_empty() => {
                self.findings.push(syntax("JSON", mistake));
                (Vec::new(), no_yaml)
            }
            _ => {
                self.findings.extend(of_yaml.mistakes.into_iter().map(|mistake| syntax("YAML", mistake)));
                (of_yaml.documents, of_yaml.ambiguous)
            }
        }
    }

    fn read_document(&mut self, text: &str, found: Found, ambiguous: &BTreeMap<usize, Ambiguous>) {
        let Found { place, tree, reader } = found;
        let words = ambiguous.range(tree.span.clone());
        let words = words.filter_map(|(start, of)| ambiguous_word(text, &place, (*start, *of), reader));
        self.findings.extend(words);
        let tree = tree.taken_by(reader, text, ambiguous);
        let size = json_size(&tree);
        if size > Rules::MOST_BYTES {
            let message = format!("found {size} bytes as JSON; expected at most {}", Rules::MOST_BYTES);
            let finding = Finding::error("limit", first_line(text, tree.span.clone()), message);
            self.findings.push(Finding { place, ..finding });
            return;
        }
        let unset = RefCell::new(BTreeSet::new());
        let env = |name: &str| {
            std::env::var(name).ok().or_else(|| {
                unset.borrow_mut().insert(name.to_owned());
                Some(PLACEHOLDER.to_owned())
            })
        };
        let parsed = Rules::from_node(tree.to_node(), &Surroundings { last_good: None, env: &env });
        let unset = unset.into_inner();
        self.note(text, &place, &tree, &parsed);
        self.findings.extend(unset_secrets(&place, &tree, &unset));
        let first_key = tree.get("keys").and_then(|keys| keys.items().first());
        let signing_variable = first_key.and_then(|key| key.get("env")).and_then(Tree::text).map(str::to_owned);
        let is_sound = parsed.errors.is_empty();
        self.documents.push(Document { place, tree, rules: parsed.rules, is_sound, signing_variable, unset });
    }

    /// Notes what was found in a document.
    fn note(&mut self, text: &str, place: &str, tree: &Tree, parsed: &Parsed) {
        self.more_errors += parsed.more_errors;
        self.findings.extend(parsed.errors.iter().map(|error| Finding::of_error(text, place, tree, error)));
        let of_reading = parsed.warnings.iter().map(|error| Warning { code: "no-effect", error: error.clone() });
        let of_review = parsed.rules.iter().flat_map(review);
        for warning in of_reading.chain(of_review) {
            self.findings.push(Finding::of_warning(text, place, tree, &warning));
        }
    }
}

/// Why there is nothing to read.
fn no_document(trees: &[Tree], others: &[&String]) -> String {
    const EXPECTED: &str = "expected a field rollouts at the top, or a WasmPlugin, TrafficExtension, EnvoyExtensionPolicy or \
                            Envoy configuration that holds one";
    match (trees, others) {
        ([], _) => "the file is empty; expected an object with rollouts".to_owned(),
        (_, [only]) => format!("no rules document: {only} is the configuration of something else; {EXPECTED}"),
        _ => format!("no rules document; {EXPECTED}"),
    }
}

/// A plain scalar that a reader takes for something else than YAML 1.2 does; `None` if none does that matters.
fn ambiguous_word(text: &str, place: &str, (start, of): (usize, Ambiguous), reader: Reader) -> Option<Finding> {
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
    let (who, verb) = if others.next().is_some() { ("Kubernetes and Envoy", "take") } else { (who, "takes") };
    let other = match other {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        _ => "something else".to_owned(),
    };
    let message =
        format!("{who} {verb} {written} without quotes for {other}; expected \"{written}\" in quotes, or {other}");
    let finding = Finding::error("yaml-word", span, message);
    Some(Finding { severity: Severity::Warning, place: place.to_owned(), ..finding })
}

/// A note for each place that names a variable which is not set here.
fn unset_secrets(place: &str, tree: &Tree, unset: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in tree.entries() {
        if let Some(name) = entry.tree.text().filter(|name| entry.name == "env" && unset.contains(*name)) {
            let message =
                format!("{name} is not set here, so what it signs or proves cannot be checked; the proxy needs it");
            let finding = Finding::error("unset-secret", entry.tree.span.clone(), message);
            found.push(Finding { severity: Severity::Note, place: place.to_owned(), ..finding });
        }
        found.extend(unset_secrets(place, &entry.tree, unset));
    }
    found.extend(tree.items().iter().flat_map(|item| unset_secrets(place, item, unset)));
    found
}

/// The part of a span that stands on its first line.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let within = text.get(span.clone()).unwrap_or_default();
    span.start..span.start + within.find(['\n', '\r']).unwrap_or(within.len())
}

/// How many bytes a value has as JSON without spaces.
fn json_size(tree: &Tree) -> usize {
    let text = |text: &str| text.len() + 2 + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n')).count();
    match &tree.value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::Text(value) => text(&value.text),
        Value::List(items) => items.iter().map(|item| json_size(item) + 1).sum::<usize>().max(1) + 1,
        Value::Map(entries) => {
            entries.iter().map(|entry| text(&entry.name) + json_size(&entry.tree) + 2).sum::<usize>().max(1) + 1
        }
    }
}
