//! JSON inside of a text of the file, as Envoy's `StringValue` has it: its positions are those in the file.

use std::ops::Range;

use super::{SyntaxMistake, Tree, Value, read_json};

/// Reads the JSON that a text of the file holds. `None` if the value is no text.
pub(crate) fn read_embedded(file: &str, holder: &Tree) -> Option<Result<Tree, SyntaxMistake>> {
    let Value::Text(text) = &holder.value else { return None };
    let written = file.get(holder.span.clone()).unwrap_or_default();
    let lines = text.is_block.then(|| of_block(written, &text.text)).flatten();
    let offsets = lines.unwrap_or_else(|| of_flow(written, &text.text));
    let place = |at: usize| holder.span.start + offsets.get(at).copied().unwrap_or(written.len());
    let read = read_json(&text.text);
    Some(match read {
        Ok(tree) => Ok(moved(tree, &|span| place(span.start)..place(span.end).max(place(span.start)))),
        Err(mistake) => Err(SyntaxMistake { at: place(mistake.at), ..mistake }),
    })
}

/// The tree with other positions.
fn moved(mut tree: Tree, place: &dyn Fn(&Range<usize>) -> Range<usize>) -> Tree {
    tree.span = place(&tree.span);
    tree.value = match tree.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| moved(item, place)).collect()),
        Value::Map(entries) => {
            let entries = entries.into_iter().map(|mut entry| {
                entry.name_span = place(&entry.name_span);
                entry.tree = moved(entry.tree, place);
                entry
            });
            Value::Map(entries.collect())
        }
        scalar => scalar,
    };
    tree
}

/// For each byte of a text, and its end, the byte of the block that it was written as: every line of the text is the end of a
/// line of the block, behind the indentation. `None` if it is not, since lines were folded.
fn of_block(written: &str, text: &str) -> Option<Vec<usize>> {
    let mut offsets = Vec::with_capacity(text.len() + 1);
    let mut lines = written.split_inclusive('\n').scan(0, |start, line| {
        let at = *start;
        *start += line.len();
        Some((at, line.trim_end_matches(['\n', '\r'])))
    });
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        // The first line of what was written may be the header of the block.
        let (start, written) = lines.find(|(_, written)| written.ends_with(content))?;
        let first = start + written.len() - content.len();
        offsets.extend((0..line.len()).map(|at| first + at.min(content.len())));
    }
    Some(offsets)
}

/// For each byte of a text, and its end, the byte of the scalar that it was written as: quoted, plain or folded.
fn of_flow(written: &str, text: &str) -> Vec<usize> {
    let is_double = written.starts_with('"');
    let quote = if is_double { Some('"') } else { written.starts_with('\'').then_some('\'') };
    // The first line of a block is its header.
    let header = if written.starts_with(['>', '|']) { written.find('\n').unwrap_or_default() } else { 0 };
    let mut at = quote.map_or(header, char::len_utf8);
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for character in text.chars() {
        // A break of lines, with the spaces around it, is folded into one character, or none.
        if is_double {
            at += escaped_breaks(written.get(at..).unwrap_or_default());
        }
        let rest = written.get(at..).unwrap_or_default();
        let folded = rest.len() - rest.trim_start_matches(['\n', '\r', ' ', '\t']).len();
        if !rest.starts_with(character) && folded > 0 {
            let is_space = matches!(character, ' ' | '\n');
            offsets.extend(is_space.then_some(at));
            at += folded;
            if is_space {
                continue;
            }
        }
        let rest = written.get(at..).unwrap_or_default();
        offsets.extend(std::iter::repeat_n(at, character.len_utf8()));
        at += match quote {
            Some('"') if rest.starts_with('\\') => escape(rest, character),
            Some('\'') if character == '\'' => 2,
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
    }
    offsets.push(at);
    offsets
}

/// How many bytes stand there for nothing: breaks of lines behind a backslash, with the spaces that indent the next line.
fn escaped_breaks(written: &str) -> usize {
    let mut rest = written;
    while let Some(behind) = rest.strip_prefix("\\\n").or_else(|| rest.strip_prefix("\\\r\n")) {
        rest = behind.trim_start_matches([' ', '\t']);
    }
    written.len() - rest.len()
}

/// How many bytes an escape takes that stands for this character.
fn escape(rest: &str, character: char) -> usize {
    let is_pair = u32::from(character) > 0xffff;
    match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') if is_pair => 12,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_json, read_yaml};
    use super::*;

    /// Checks that each of these parts of the embedded JSON is found where it stands in the file, which holds it as `value`.
    #[track_caller]
    fn check(file: &str, expected: &[&str]) {
        let holder = match read_json(file) {
            Ok(tree) => tree,
            Err(_) => read_yaml(file).documents.remove(0),
        };
        let tree = read_embedded(file, holder.get("value").unwrap()).unwrap().unwrap();
        let mut found = Vec::new();
        collect(file, &tree, &mut found);
        assert_eq!(found, expected, "{file}");
    }

    /// The names and scalars of a tree as the file spells them.
    fn collect<'f>(file: &'f str, tree: &Tree, found: &mut Vec<&'f str>) {
        match &tree.value {
            Value::List(items) => items.iter().for_each(|item| collect(file, item, found)),
            Value::Map(entries) => {
                for entry in entries {
                    found.push(&file[entry.name_span.clone()]);
                    collect(file, &entry.tree, found);
                }
            }
            _ => found.push(&file[tree.span.clone()]),
        }
    }

    #[test]
    fn in_every_style() {
        check("x: 1\nvalue: |\n  {\n    \"a\": 1,\n\n    \"é\": [true]\n  }\ny: 2\n", &["\"a\"", "1", "\"é\"", "true"]);
        check("value: |-\n    {\"a\": 1}", &["\"a\"", "1"]);
        check("value: |2\n    {\"a\": 1}\n", &["\"a\"", "1"]);
        check("value: >\n  {\"a\":\n  1}\n", &["\"a\"", "1"]);
        check("value: '{\"a\": \"it''s\", \"b\": 2}'\n", &["\"a\"", "\"it''s\"", "\"b\"", "2"]);
        check(r#"value: "{\"a\": 1, \"\u0062\": \"\\n\"}""#, &[r#"\"a\""#, "1", r#"\"\u0062\""#, r#"\"\\n\""#]);
        check("{\"value\": \"{\\\"a\\\":\\n 1}\"}", &["\\\"a\\\"", "1"]);
        check("value: \"{\n  \\\"a\\\":   1}\"\n", &["\\\"a\\\"", "1"]);
        check(
            "value: \"{\\\n  \\\"a\\\": \\\n   \\\n 12,\\\r\n \\\"b\\\": 3}\"\n",
            &["\\\"a\\\"", "12", "\\\"b\\\"", "3"],
        );
    }

    #[test]
    fn a_mistake_is_where_it_stands_in_the_file() {
        let file = "value: |\n  {\n    \"a\": nul\n  }\n";
        let holder = read_yaml(file).documents.remove(0);
        let mistake = read_embedded(file, holder.get("value").unwrap()).unwrap().unwrap_err();
        assert_eq!(&file[mistake.at..=mistake.at], "\n", "{mistake:?}");
    }
}
