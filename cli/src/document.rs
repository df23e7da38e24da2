//! Documents of a file, read: rules, and all that was found on the way.

mod empty;
mod forms;
mod scalars;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serin_core::{ConfigError, Parsed, Rules, Surroundings, Warning, review};

use crate::find::{Found, Search, find};
use crate::finding::{Finding, Severity};
use crate::input::File;
use crate::secrets;
use crate::show::{Lines, Position};
use crate::tree::{Ambiguous, Reader, Tree, Value};
use empty::empty_fields;
use forms::Forms;
use scalars::ambiguous_word;

/// Stands for a secret that the environment lacks: the proxy's environment is another one.
const PLACEHOLDER: &str = "not the secret, which is not here";

/// So many names of a file without documents are told.
const MOST_NAMES: usize = 5;

/// A file with its documents.
pub(crate) struct Loaded {
    /// As it is shown in messages.
    pub(crate) name: String,
    text: String,
    lines: Lines,
    /// Where in the text there may be secrets.
    hidden: Vec<Range<usize>>,
    pub(crate) documents: Vec<Document>,
    /// In the order of the file.
    pub(crate) findings: Vec<Finding>,
    /// Mistakes beside those in `findings`.
    pub(crate) more_errors: usize,
    /// Whether there are warnings in `findings`: to work them out takes longer than to read the documents.
    has_warnings: bool,
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
    /// Reads the documents of a file, with what is wrong.
    pub(crate) fn new(file: File) -> Self {
        Self::with(file, false)
    }

    /// Reads the documents of a file, with what is wrong or surely not meant.
    pub(crate) fn with_warnings(file: File) -> Self {
        Self::with(file, true)
    }

    fn with(file: File, has_warnings: bool) -> Self {
        let text = match String::from_utf8(file.bytes) {
            Ok(text) if !text.contains('\0') => text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            Ok(text) => return Self::not_text(file.name, text.as_bytes(), text.find('\0').unwrap_or_default()),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                return Self::not_text(file.name, error.as_bytes(), at);
            }
        };
        let mut loaded = Self { lines: Lines::of(&text), has_warnings, ..Self::empty(file.name) };
        loaded.read(&text);
        loaded.text = text;
        loaded.findings.sort_by_key(|finding| (finding.span.start, finding.severity));
        loaded
    }

    /// A file that is no text.
    fn not_text(name: String, bytes: &[u8], at: usize) -> Self {
        let message = if bytes.starts_with(b"\0asm") {
            "a WebAssembly module; expected a rules document in YAML or JSON".to_owned()
        } else {
            let found = bytes.get(at).copied().unwrap_or_default();
            format!("not a text file in UTF-8: byte {at} is 0x{found:02x}; expected a rules document in YAML or JSON")
        };
        Self { findings: vec![Finding::error("not-text", 0..0, message)], ..Self::empty(name) }
    }

    fn empty(name: String) -> Self {
        let (text, lines) = (String::new(), Lines::of(""));
        let (documents, findings) = (Vec::new(), Vec::new());
        Self { name, text, lines, hidden: Vec::new(), documents, findings, more_errors: 0, has_warnings: false }
    }

    /// The line and column of a byte of the file.
    pub(crate) fn position(&self, at: usize) -> Position {
        self.lines.position(&self.text, at)
    }

    /// The text with other characters where there may be secrets.
    pub(crate) fn shown(&self) -> String {
        secrets::without(&self.text, &self.hidden)
    }

    /// How many findings are that bad.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        let found = self.findings.iter().filter(|finding| finding.severity == severity).count();
        found + if severity == Severity::Error { self.more_errors } else { 0 }
    }

    fn read(&mut self, text: &str) {
        let Forms { trees, ambiguous, mistakes, hidden } = Forms::read(&self.name, text);
        self.hidden.extend(hidden);
        self.hidden.extend(trees.iter().flat_map(|tree| secrets::spans(text, tree)));
        self.findings.extend(mistakes);
        let Search { found, problems, others } = find(text, &trees);
        if self.findings.is_empty() && found.is_empty() && problems.is_empty() {
            self.findings.push(Finding::error("no-document", 0..0, no_document(&trees, &others)));
        }
        if problems.iter().any(|problem| problem.code == "syntax") {
            self.hidden.extend(secrets::spans_of_unread(text, 0..text.len()));
        }
        let problems = problems.into_iter();
        self.findings.extend(problems.map(|of| Finding { span: first_line(text, of.span.clone()), ..of }));
        for found in found {
            self.read_document(text, found, &ambiguous);
        }
    }

    fn read_document(&mut self, text: &str, found: Found, ambiguous: &BTreeMap<usize, Ambiguous>) {
        let Found { place, tree, reader } = found;
        self.hidden.extend(secrets::spans(text, &tree));
        self.hidden.extend(secrets::spans_in_texts(text, &tree));
        // A file that is one text may as well be a secret itself.
        self.hidden.extend(tree.text().filter(|_| place.is_empty()).map(|_| tree.span.clone()));
        let words = ambiguous.range(tree.span.clone()).filter(|_| self.has_warnings);
        let words = words.filter_map(|(start, of)| ambiguous_word(text, (*start, *of), reader, &self.hidden));
        let words: Vec<Finding> = words.collect();
        let tree = tree.taken_by(reader, text, ambiguous);
        let size = json_size(&tree);
        let document = self.documents.len();
        let mut findings = if size > Rules::MOST_BYTES {
            let message = format!("found {size} bytes as JSON; expected at most {}", Rules::MOST_BYTES);
            vec![Finding::error("limit", first_line(text, tree.span.clone()), message)]
        } else {
            self.read_rules(text, tree, &place)
        };
        // A bare document is read as it stands, so that an error there says it already.
        let is_error = |word: &Finding, of: &Finding| of.severity == Severity::Error && of.span == word.span;
        let is_told = |word: &Finding| reader == Reader::Itself && findings.iter().any(|of| is_error(word, of));
        let words: Vec<Finding> = words.into_iter().filter(|word| !is_told(word)).collect();
        findings.extend(words);
        let document = (document < self.documents.len()).then_some(document);
        let of_document = |finding| Finding { place: place.clone(), document, ..finding };
        self.findings.extend(findings.into_iter().map(of_document));
    }

    /// Reads the rules of a document, and tells what was found in it.
    fn read_rules(&mut self, text: &str, tree: Tree, place: &str) -> Vec<Finding> {
        let unset = RefCell::new(BTreeSet::new());
        let env = |name: &str| {
            std::env::var(name).ok().or_else(|| {
                unset.borrow_mut().insert(name.to_owned());
                Some(PLACEHOLDER.to_owned())
            })
        };
        let parsed = Rules::from_node(tree.to_node(), &Surroundings { last_good: None, env: &env });
        self.more_errors += parsed.more_errors;
        let mut findings: Vec<Finding> =
            parsed.errors.iter().map(|error| Finding::of_error(text, &tree, error)).collect();
        if self.has_warnings {
            let warnings = warnings(text, &tree, &parsed, &findings);
            findings.extend(warnings);
        }
        let unset = unset.into_inner();
        findings.extend(unset_secrets(&tree, &unset));
        let first_key = tree.get("keys").and_then(|keys| keys.items().first());
        let signing_variable = first_key.and_then(|key| key.get("env")).and_then(Tree::text).map(str::to_owned);
        let (is_sound, rules) = (parsed.errors.is_empty(), parsed.rules);
        self.documents.push(Document { place: place.to_owned(), tree, rules, is_sound, signing_variable, unset });
        findings
    }
}

/// What is surely not meant in a document, beside its errors.
fn warnings(text: &str, tree: &Tree, parsed: &Parsed, errors: &[Finding]) -> Vec<Finding> {
    // Where there are mistakes it is not known what was meant.
    let is_sound = |warning: &&ConfigError| !parsed.errors.iter().any(|error| error.rollout() == warning.rollout());
    let of_reading = parsed.warnings.iter().filter(is_sound);
    let of_reading = of_reading.map(|error| Warning { code: "no-effect", error: error.clone() });
    let warnings = of_reading.chain(parsed.rules.iter().flat_map(review));
    let mut found: Vec<Finding> = warnings.map(|warning| Finding::of_warning(text, tree, &warning)).collect();
    let is_told = |warning: &Finding| errors.iter().any(|error| error.span == warning.span);
    found.extend(empty_fields(text, tree).into_iter().filter(|warning| !is_told(warning)));
    found
}

/// Why there is nothing to read.
fn no_document(trees: &[Tree], others: &[String]) -> String {
    const EXPECTED: &str = "expected a field rollouts at the top, or a WasmPlugin, TrafficExtension, EnvoyExtensionPolicy or \
                            Envoy configuration that holds one";
    let fields = trees.iter().flat_map(Tree::entries).filter(|entry| !secrets::may_hold(&entry.name));
    let fields = fields.map(|entry| shown_name(&entry.name));
    let fields: Vec<String> = fields.take(MOST_NAMES).collect();
    match (trees, others, fields.as_slice()) {
        ([], ..) => "the file is empty; expected an object with rollouts".to_owned(),
        (_, [only], _) => format!("no rules document: {only} is something else; {EXPECTED}"),
        (_, [], [_, ..]) if !fields.iter().any(|field| field == "apiVersion") => {
            format!("no rules document: found {} at the top; {EXPECTED}", fields.join(", "))
        }
        _ => format!("no rules document; {EXPECTED}"),
    }
}

/// A name as it may be told: it may be of any length.
fn shown_name(name: &str) -> String {
    const LONGEST: usize = 40;
    let short: String = name.chars().take(LONGEST).collect();
    if short.len() < name.len() { format!("{short}…") } else { short }
}

/// A note for each place that names a variable which is not set here.
fn unset_secrets(tree: &Tree, unset: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in tree.entries() {
        if let Some(name) = entry.tree.text().filter(|name| entry.name == "env" && unset.contains(*name)) {
            let message =
                format!("{name} is not set here, so what it signs or proves cannot be checked; the proxy needs it");
            let finding = Finding::error("unset-secret", entry.tree.span.clone(), message);
            found.push(Finding { severity: Severity::Note, ..finding });
        }
        found.extend(unset_secrets(&entry.tree, unset));
    }
    found.extend(tree.items().iter().flat_map(|item| unset_secrets(item, unset)));
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
