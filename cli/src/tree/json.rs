//! JSON with positions: `serde_json` reads it, and of each value tells the text that it was read from.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serin_core::Node;

use super::{Entry, SyntaxMistake, Text, Tree, Value};

/// Reads a text that is JSON as a whole, as the filter does.
pub(crate) fn read(text: &str) -> Result<Tree, SyntaxMistake> {
    // By the reader of the filter first, so that both take and refuse the same.
    serde_json::from_str::<Node<'_>>(text).map_err(|error| mistake(text, &error))?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| mistake(text, &error))?;
    value_of(text, raw).map_err(|error| mistake(text, &error))
}

/// Where and why `serde_json` gave up.
fn mistake(text: &str, error: &serde_json::Error) -> SyntaxMistake {
    let start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    // Column 0 is the end of the line before.
    let mut at = (start + error.column()).saturating_sub(1).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
    SyntaxMistake { at, message: message.to_owned(), hint: None }
}

fn value_of(text: &str, raw: &RawValue) -> serde_json::Result<Tree> {
    let value = match raw.get().as_bytes() {
        [b'{', ..] => Value::Map(serde_json::Deserializer::from_str(raw.get()).deserialize_map(Fields { text })?),
        [b'[', ..] => Value::List(serde_json::Deserializer::from_str(raw.get()).deserialize_seq(Items { text })?),
        [b'"', ..] => Value::Text(Text { text: serde_json::from_str(raw.get())?, is_block: false }),
        [b't', ..] => Value::Bool(true),
        [b'f', ..] => Value::Bool(false),
        [b'n', ..] => Value::Null,
        _ => Value::Number(serde_json::from_str(raw.get())?),
    };
    Ok(Tree { span: span_of(text, raw), value })
}

/// Where a part of the text stands in it.
fn span_of(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start + part.get().len()
}

/// The fields of an object.
struct Fields<'t> {
    text: &'t str,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Entry>, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            entries.push(Entry {
                name: serde_json::from_str(name.get()).map_err(serde::de::Error::custom)?,
                name_span: span_of(self.text, name),
                tree: value_of(self.text, value).map_err(serde::de::Error::custom)?,
            });
        }
        Ok(entries)
    }
}

/// The items of a list.
struct Items<'t> {
    text: &'t str,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Tree>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Tree>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&RawValue>()? {
            items.push(value_of(self.text, item).map_err(serde::de::Error::custom)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what stands at the path of fields in the text.
    #[track_caller]
    fn check(text: &str, path: &[&str], expected: &str) {
        let tree = read(text).unwrap();
        let found = tree.at(path).unwrap();
        assert_eq!(&text[found.span.clone()], expected);
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = " {\"a\": {\"b\\n\": [1, {\"c\": null}], \"d\": \"x\\u00e9\"}, \"e\": -1e2, \"a\": 7}\n";
        check(text, &[], text.trim());
        check(text, &["a", "d"], "\"x\\u00e9\"");
        check(text, &["a", "b\n"], "[1, {\"c\": null}]");
        check(text, &["e"], "-1e2");
        let tree = read(text).unwrap();
        let names: Vec<&str> = tree.entries().iter().map(|entry| &text[entry.name_span.clone()]).collect();
        assert_eq!(names, ["\"a\"", "\"e\"", "\"a\""], "duplicates are kept");
        assert_eq!(tree.to_node(), serde_json::from_str(text).unwrap());
    }

    #[test]
    fn mistakes_know_where_they_stand() {
        #[track_caller]
        fn check(text: &str, at: usize, message: &str) {
            assert_eq!(read(text), Err(SyntaxMistake { at, message: message.to_owned(), hint: None }), "{text}");
        }
        check("nonsense", 1, "expected ident");
        check("{\"a\": 1\n, \"b\" 2}", 14, "expected `:`");
        check("", 0, "EOF while parsing a value");
        check("{\"é\": nul}", 10, "expected ident");
        check("{\"a\": nul\n}", 9, "expected ident");
        check(&"[".repeat(200), 127, "recursion limit exceeded");
    }
}
