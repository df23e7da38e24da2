//! YAML with positions: `granit-parser` tells what stands where, and here it becomes the tree.
//!
//! Plain scalars are read as YAML 1.2 has it; those that Kubernetes or Envoy take for something else are noted (`plain`).

mod mistake;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag, options};

use super::plain::{Reader as By, is_ambiguous, taken};
use super::{DEEPEST, Entry, SyntaxMistake, Text, Tree, Value};
use mistake::mistake;

/// What aliases may make of a file, so that a few lines do not become millions of values.
const MOST_VALUES: usize = 2_000_000;

/// So many bytes of text may anchors and aliases repeat; a document has at most 8 MiB.
const MOST_REPEATED: usize = 64 << 20;

/// A stream of YAML documents.
#[derive(Debug, Default)]
pub(crate) struct Yaml {
    /// Those that could be read, but empty ones.
    pub(crate) documents: Vec<Tree>,
    /// At most one a document.
    pub(crate) mistakes: Vec<SyntaxMistake>,
    /// Plain scalars that not everybody takes for the same, by the byte at which they begin.
    pub(crate) ambiguous: BTreeMap<usize, Ambiguous>,
}

/// A plain scalar that not everybody takes for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous {
    /// The byte behind it.
    pub(crate) end: usize,
    /// Whether it is the name of a field.
    pub(crate) is_name: bool,
}

/// Reads all documents of a stream. One that is broken does not hide those behind it.
pub(crate) fn read(text: &str) -> Yaml {
    let mut limits = options! { flow_nesting_limit: DEEPEST, block_nesting_limit: DEEPEST };
    limits.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, limits);
    let mut reader = Reader { text, parser, anchors: HashMap::new(), values: 0, repeated: 0, yaml: Yaml::default() };
    loop {
        match reader.next_document() {
            Ok(Some(document)) if document.is_null() => {}
            Ok(Some(document)) => reader.yaml.documents.push(document),
            Ok(None) => return reader.yaml,
            Err(mistake) => {
                reader.yaml.mistakes.push(mistake);
                if !matches!(reader.parser.proceed_next_document(), Ok(true)) {
                    return reader.yaml;
                }
            }
        }
    }
}

type Result<T> = std::result::Result<T, SyntaxMistake>;

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Of the document in hand.
    anchors: HashMap<usize, Tree>,
    /// How many values there are, those of aliases included.
    values: usize,
    /// How many bytes of text anchors and aliases have repeated.
    repeated: usize,
    yaml: Yaml,
}

impl<'t> Reader<'t> {
    /// `None` at the end of the stream.
    fn next_document(&mut self) -> Result<Option<Tree>> {
        self.anchors.clear();
        loop {
            match self.event()? {
                None | Some((Event::StreamEnd, _)) => return Ok(None),
                Some((Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _)) => {}
                Some((event, span)) => return self.value(event, span).map(Some),
            }
        }
    }

    fn event(&mut self) -> Result<Option<(Event<'t>, Span)>> {
        self.parser.next_event().transpose().map_err(|error| mistake(self.text, &error))
    }

    /// The value that begins with an event.
    fn value(&mut self, event: Event<'t>, span: Span) -> Result<Tree> {
        self.count(1, &span)?;
        let mut bytes = range(&span);
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.note(&text, style, &span, false);
                (anchor, scalar(&text, style, tag.as_deref(), &span)?)
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq", &span)?;
                (anchor, Value::List(self.items(&mut bytes)?))
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map", &span)?;
                (anchor, Value::Map(self.fields(&mut bytes)?))
            }
            Event::Alias(anchor) => return self.alias(anchor, &span),
            _ => return Err(at(&span, "expected a value")),
        };
        let tree = Tree { span: bytes, value };
        if anchor != 0 {
            self.count_again(&tree, &span)?;
            self.anchors.insert(anchor, tree.clone());
        }
        Ok(tree)
    }

    fn items(&mut self, bytes: &mut Range<usize>) -> Result<Vec<Tree>> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                None => return Ok(items),
                Some((Event::SequenceEnd, span)) => {
                    bytes.end = range(&span).end.max(bytes.end);
                    return Ok(items);
                }
                Some((event, span)) => items.push(self.value(event, span)?),
            }
        }
    }

    fn fields(&mut self, bytes: &mut Range<usize>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        loop {
            let (name, name_span) = match self.event()? {
                None => return Ok(entries),
                Some((Event::MappingEnd, span)) => {
                    bytes.end = range(&span).end.max(bytes.end);
                    return Ok(entries);
                }
                // A name is a text whatever it looks like.
                Some((Event::Scalar(name, style, ..), span)) => {
                    self.note(&name, style, &span, true);
                    (name.into_owned(), range(&span))
                }
                Some((_, span)) => return Err(at(&span, "the name of a field is not a text")),
            };
            let Some((event, span)) = self.event()? else { return Ok(entries) };
            entries.push(Entry { name, name_span, tree: self.value(event, span)? });
        }
    }

    /// What an anchor stands for, with the places of its definition.
    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Tree> {
        let Some(tree) = self.anchors.remove(&anchor) else {
            return Err(at(span, "an alias inside of what it stands for"));
        };
        self.count_again(&tree, span)?;
        self.anchors.insert(anchor, tree.clone());
        Ok(tree)
    }

    /// Counts a tree that is about to be repeated.
    fn count_again(&mut self, tree: &Tree, span: &Span) -> Result<()> {
        let (values, bytes) = size(tree);
        self.repeated += bytes;
        if self.repeated > MOST_REPEATED {
            return Err(at(span, "more than 64 MiB of text, what aliases repeat included"));
        }
        self.count(values, span)
    }

    fn count(&mut self, values: usize, span: &Span) -> Result<()> {
        self.values += values;
        if self.values > MOST_VALUES {
            return Err(at(span, "more than two million values, those that aliases repeat included"));
        }
        Ok(())
    }

    /// Notes a plain scalar that not everybody takes for the same.
    fn note(&mut self, text: &str, style: ScalarStyle, span: &Span, is_name: bool) {
        if style == ScalarStyle::Plain && is_ambiguous(text) {
            let Range { start, end } = range(span);
            self.yaml.ambiguous.insert(start, Ambiguous { end, is_name });
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Value> {
    let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
    let as_text = || Value::Text(Text { text: text.to_owned(), is_block });
    match tag.map(Tag::core_suffix) {
        None if style == ScalarStyle::Plain => Ok(taken(text, By::Itself)),
        None | Some(Some("str")) => Ok(as_text()),
        Some(Some("int" | "float" | "bool" | "null")) => Ok(taken(text, By::Itself)),
        Some(_) => Err(strange(span)),
    }
}

/// A list or an object may be called so.
fn check_tag(tag: Option<&Tag>, name: &str, span: &Span) -> Result<()> {
    tag.filter(|tag| tag.core_suffix() != Some(name)).map_or(Ok(()), |_| Err(strange(span)))
}

/// The tag is not repeated: what was meant as a text may begin so, even a secret.
fn strange(span: &Span) -> SyntaxMistake {
    let start = span.tag_start().and_then(|start| start.byte_offset()).unwrap_or(range(span).start);
    let message = "a tag that a document does not have; expected a value without one".to_owned();
    SyntaxMistake { at: start, message, hint: None }
}

/// How many values there are in a tree, and how many bytes of text in those and their names.
fn size(tree: &Tree) -> (usize, usize) {
    let names: usize = tree.entries().iter().map(|entry| entry.name.len()).sum();
    let own = (1, names + tree.text().map_or(0, str::len));
    let below = tree.items().iter().chain(tree.entries().iter().map(|entry| &entry.tree)).map(size);
    below.fold(own, |(values, bytes), (more_values, more_bytes)| (values + more_values, bytes + more_bytes))
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

fn at(span: &Span, message: &str) -> SyntaxMistake {
    SyntaxMistake { at: range(span).start, message: message.to_owned(), hint: None }
}
