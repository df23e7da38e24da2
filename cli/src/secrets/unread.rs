//! Secrets in what cannot be read: of such a text nothing is known but its lines, so rather too much is hidden than too little.

use std::ops::Range;

use super::WORDS;

/// Names of fields with secrets below them, in the text of a document.
const FIELDS: [&str; 2] = ["keys", "trust"];

/// What may stand between a name and its colon.
const AROUND_NAMES: [char; 5] = ['"', '\'', '\\', ' ', '\t'];

/// What is hidden behind a word.
struct Hidden {
    start: usize,
    /// How far the line of the word is indented.
    indent: usize,
    /// How many brackets are open behind the word.
    depth: isize,
}

impl Hidden {
    /// Whether a line no longer belongs to it: the line is a field beside that of the word, or above.
    fn ends_before(&self, line: &str) -> bool {
        self.depth <= 0 && indent(line) <= self.indent && is_field(line)
    }
}

/// Whether a text has words that secrets stand behind.
pub(crate) fn may_hold(text: &str) -> bool {
    text.lines().any(|line| behind_word(line).is_some())
}

/// Whether something stands behind a name with such a word, as in `secret:abc`, which is all one name to YAML.
pub(super) fn is_with_value(name: &str) -> bool {
    let value = behind_word(name).and_then(|behind| name.get(behind..)).unwrap_or_default();
    value.trim_start_matches(is_of_name).contains(char::is_alphanumeric)
}

/// The places behind such words in a part of the file that cannot be read, each with all lines that may belong to it.
pub(crate) fn spans_of_unread(file: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut hidden: Option<Hidden> = None;
    let mut at = part.start;
    for line in file.get(part.clone()).unwrap_or_default().split_inclusive('\n') {
        found.extend(hidden.take_if(|of| of.ends_before(line)).map(|of| of.start..at));
        match &mut hidden {
            Some(of) => of.depth = of.depth.saturating_add(depth(line)),
            None => {
                hidden = behind_word(line).map(|behind| Hidden {
                    start: at + behind,
                    indent: indent(line),
                    depth: depth(line.get(behind..).unwrap_or_default()),
                });
            }
        }
        at += line.len();
    }
    found.extend(hidden.map(|of| of.start..part.end));
    found
}

/// Where in a line what may be a secret begins: behind the name with the first such word, or behind the word in anything else.
fn behind_word(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let ends = WORDS.iter().chain(&FIELDS).filter_map(|word| Some(lower.find(word)? + word.len()));
    let end = ends.min()?;
    let rest = lower.get(end..)?.trim_start_matches(is_of_name);
    let is_name = rest.trim_start_matches(AROUND_NAMES).starts_with(':');
    Some(if is_name { lower.len() - rest.len() } else { end })
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}

/// How many characters a line is indented by; a tab may be any number of them.
fn indent(line: &str) -> usize {
    let blank = line.len() - line.trim_start().len();
    if line.get(..blank).is_some_and(|blank| blank.contains('\t')) { usize::MAX } else { blank }
}

/// Whether a line begins with the name of a field.
fn is_field(line: &str) -> bool {
    line.trim().split_once(':').is_some_and(|(name, rest)| {
        let bare = name.trim_end().trim_matches(['"', '\'']);
        let is_name = !bare.is_empty() && bare.chars().all(is_of_name);
        is_name && (rest.is_empty() || rest.starts_with(char::is_whitespace) || bare.len() < name.len())
    })
}

/// How many more brackets are opened than closed behind a word, or in a line. A quote that stays open may end anywhere.
fn depth(text: &str) -> isize {
    let value = text.trim_start_matches(AROUND_NAMES).strip_prefix(':').unwrap_or_default().trim_start();
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    if quote.is_some_and(|quote| value.matches(quote).count() == 1) {
        return isize::MAX;
    }
    let step = |character| match character {
        '[' | '{' => 1,
        ']' | '}' => -1,
        _ => 0,
    };
    text.chars().map(step).sum()
}

#[cfg(test)]
mod tests {
    use super::super::without;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without(text, &spans_of_unread(text, 0..text.len())), expected);
    }

    #[test]
    fn what_is_behind_a_word() {
        check("stable: v1", "stable: v1");
        check("keys: [{id: k1, secret: abc}", "keys: [{**: **, ******: ***}");
        check("  \"secret\": \"abc\" x", "  \"secret\": \"***\" *");
        check(r#"{\"my_secret\": \"abc\"}"#, r#"{\"my_secret\": \"***\"}"#);
        check("secret abc", "secret ***");
        check("secretabc", "secret***");
        check("[{\"a\": \"x-token\"}, abc]\na: b", "[{\"a\": \"x-token\"}, ***]\na: b");
        check("a: !token-abc", "a: !token-***");
    }

    #[test]
    fn lines_that_belong_to_it() {
        check("secret:\n    abc: def : x\nother: x", "secret:\n    ***: *** : *\nother: x");
        check("secret:\nabc\nother: x", "secret:\n***\nother: x");
        check("secret: |\n\n  abc: x\nother: x", "secret: |\n\n  ***: *\nother: x");
        check("keys:\n- id: a\n  b: c\n\tabc: x\nother: x", "keys:\n- **: *\n  *: *\n\t***: *\nother: x");
        check("  keys:\n  - abc\n  other: x", "  keys:\n  - ***\n  other: x");
        check(
            "{\"keys\": [\n\"abc\",\n{\"id\":\n\"x\": 1}],\n\"a\": 1}",
            "{\"keys\": [\n\"***\",\n{\"**\":\n\"*\": *}],\n\"a\": 1}",
        );
        check("secret: \"abc\nabc: x", "secret: \"***\n***: *");
        check("secret: 'abc'\nother: x", "secret: '***'\nother: x");
        check("\"secret\": \"abc\",\n\"a\":1", "\"secret\": \"***\",\n\"a\":1");
    }
}
