//! The tree that every form of a document fills: JSON, and the wire form of `google.protobuf.Struct`.
//!
//! It keeps duplicate keys, which a map would swallow, so that the reader can report them.

use std::borrow::Cow;

mod json;
mod wire;

pub use json::SyntaxError;

/// A value of a document. Text is borrowed from the document wherever it stands there as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Node<'d> {
    /// Means the same as a field that is not there.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number; whole ones may have been written as `10`, `10.0` or `1e1`.
    Number(f64),
    /// Text.
    String(Cow<'d, str>),
    /// A list.
    List(Vec<Self>),
    /// An object, in the order of the document, duplicates kept.
    Map(Vec<(Cow<'d, str>, Self)>),
}

impl<'d> Node<'d> {
    /// Reads a document as Envoy hands it over: JSON text (from a `StringValue`), else the wire form of a `Struct`.
    ///
    /// # Errors
    /// The JSON error, with line and column, if the bytes are neither.
    pub fn from_bytes(bytes: &'d [u8]) -> Result<Self, SyntaxError> {
        json::read(bytes).or_else(|error| wire::read(bytes).ok_or(error))
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// What was found, in words for an error message: short, printable, and without line breaks.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => number(*value),
            Self::String(text) => quote(text),
            Self::List(_) => "a list".into(),
            Self::Map(_) => "an object".into(),
        }
    }
}

/// Puts a value at the end of a list. Most lists hold one or two, so the first one takes room for no more than itself.
fn push<T>(list: &mut Vec<T>, value: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(value);
}

/// A number to three decimals. The standard library's exact form would be a tenth of the module.
#[allow(clippy::cast_possible_truncation)] // Bounded first.
fn number(value: f64) -> String {
    const LARGEST: f64 = 1e15;
    if value.is_nan() {
        return "no number (NaN)".into();
    }
    if value.abs() > LARGEST {
        return "a number beyond 10^15".into();
    }
    let thousandths = (value.abs() * 1000.0).round() as u64;
    let sign = if value < 0.0 { "-" } else { "" };
    match (thousandths / 1000, thousandths % 1000) {
        (0, 0) if value != 0.0 => "a number close to 0".into(),
        (whole, 0) if value.trunc() == value => format!("{sign}{whole}"),
        (whole, 0) => format!("about {sign}{whole}"),
        (whole, decimals) => format!("{sign}{whole}.{}", format!("{decimals:03}").trim_end_matches('0')),
    }
}

/// So many characters of a text are shown in an error.
pub(crate) const LONGEST_SHOWN: usize = 64;

/// Text in double quotes, escaped to printable ASCII and cut to 64 characters, so that it can stand in a log line.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST_SHOWN {
            quoted.push('…');
            break;
        }
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.extend(character.escape_unicode()),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<'d>(entries: &[(&'d str, Node<'d>)]) -> Node<'d> {
        Node::Map(entries.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Node<'_>) {
        assert_eq!(Node::from_bytes(bytes).unwrap(), expected);
    }

    #[test]
    fn json_in_every_form_of_a_number() {
        for text in ["10", "10.0", "1e1", "1.0E+1"] {
            check(text.as_bytes(), Node::Number(10.0));
        }
        check(b"-3", Node::Number(-3.0));
        check(b"18446744073709551615", Node::Number(18_446_744_073_709_551_615.0));
    }

    #[test]
    fn json_keeps_duplicate_keys_and_order() {
        check(
            br#"{"b": 1, "a": [true, null, "x"], "b": 2}"#,
            map(&[
                ("b", Node::Number(1.0)),
                ("a", Node::List(vec![Node::Bool(true), Node::Null, Node::String("x".into())])),
                ("b", Node::Number(2.0)),
            ]),
        );
    }

    #[test]
    fn struct_bytes() {
        // {"a": 10.0, "b": {"c": [true, null, "x"]}} as protobuf encodes it.
        let list = [b"\x0a\x02\x20\x01".as_slice(), b"\x0a\x02\x08\x00", b"\x0a\x03\x1a\x01x"].concat();
        let c = [b"\x0a\x01c\x12\x0f\x32\x0d".as_slice(), &list].concat();
        let b = [b"\x0a\x01b\x12\x18\x2a\x16\x0a\x14".as_slice(), &c].concat();
        let a = [b"\x0a\x01a\x12\x09\x11".as_slice(), &10f64.to_le_bytes()].concat();
        let bytes = [b"\x0a\x0e".as_slice(), &a, b"\x0a\x1d", &b].concat();
        let list = Node::List(vec![Node::Bool(true), Node::Null, Node::String("x".into())]);
        check(&bytes, map(&[("a", Node::Number(10.0)), ("b", map(&[("c", list)]))]));
        for cut in 1..bytes.len() {
            let whole_entries = cut == 16;
            assert_eq!(Node::from_bytes(&bytes[..cut]).is_ok(), whole_entries, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_the_place() {
        let error = Node::from_bytes(b"{\"rollouts\":\n  nonsense}").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        Node::from_bytes(b"").unwrap_err();
        Node::from_bytes(&[0xff; 40]).unwrap_err();
        let deep = "[".repeat(100_000);
        Node::from_bytes(deep.as_bytes()).unwrap_err();
        let mut wire = Vec::new();
        for _ in 0..60 {
            wire = nested(&wire);
        }
        assert!(Node::from_bytes(&wire).is_err(), "a Struct nested deeper than the limit");
    }

    /// A Struct whose only field `a` is the given Struct.
    fn nested(inner: &[u8]) -> Vec<u8> {
        let value = field(0x2a, inner);
        let entry = [b"\x0a\x01a".to_vec(), field(0x12, &value)].concat();
        field(0x0a, &entry)
    }

    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        out.push(u8::try_from(length).unwrap());
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn found_text_is_printable_and_short() {
        assert_eq!(Node::String("a\n\"é".into()).describe(), r#""a\u{a}\"\u{e9}""#);
        assert!(Node::String("x".repeat(1000).into()).describe().len() < 80);
        assert_eq!(Node::Number(10.0).describe(), "10");
        assert_eq!(Node::Number(-0.5).describe(), "-0.5");
        assert_eq!(Node::Number(99.125).describe(), "99.125");
        assert_eq!(Node::Number(1e300).describe(), "a number beyond 10^15");
        assert_eq!(Node::Number(1e-9).describe(), "a number close to 0");
        assert_eq!(Node::Number(10.0001).describe(), "about 10");
        assert_eq!(Node::Number(f64::NAN).describe(), "no number (NaN)");
    }
}
