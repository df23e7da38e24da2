//! Plain scalars of YAML: what one becomes depends on who reads the file.
//!
//! By the core schema of YAML 1.2 `no` is a text and `010` ten. Kubernetes (`sigs.k8s.io/yaml`) reads YAML 1.1 and makes them
//! false and eight. Envoy (`parseYamlNode` in `source/common/protobuf/yaml_utility.cc`) does so, too, and takes every number but
//! a whole one of 32 bits for a text: `0.5` is no number there.

use super::{Text, Value};

/// Who reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// YAML 1.2.
    Itself,
    Kubernetes,
    Envoy,
}

/// What a plain scalar is taken for; `None` if it is a text.
pub(super) fn plain(text: &str, by: Reader) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    match by {
        Reader::Itself => number(text).map(Value::Number),
        Reader::Kubernetes => word(text).or_else(|| of_yaml_1_1(text).or_else(|| number(text)).map(Value::Number)),
        Reader::Envoy => word(text).or_else(|| whole(text).map(Value::Number)),
    }
}

/// What a plain scalar becomes.
pub(crate) fn taken(text: &str, by: Reader) -> Value {
    plain(text, by).unwrap_or_else(|| Value::Text(Text { text: text.to_owned(), is_block: false }))
}

/// Whether everybody takes a plain scalar for a text.
pub(crate) fn is_text(text: &str) -> bool {
    [Reader::Itself, Reader::Kubernetes, Reader::Envoy].iter().all(|reader| plain(text, *reader).is_none())
}

/// Whether somebody takes a plain scalar for something else than others do.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let [itself, kubernetes, envoy] =
        [Reader::Itself, Reader::Kubernetes, Reader::Envoy].map(|reader| plain(text, reader));
    itself != kubernetes || itself != envoy
}

/// The booleans of YAML 1.1 that those of YAML 1.2 are not.
fn word(text: &str) -> Option<Value> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(Value::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// A number by the core schema (YAML 1.2.2 §10.3.2).
fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let (sign, digits) = signed(text);
    match digits {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if digits == text => Some(f64::NAN),
        // Only digits, a point and an exponent: the standard library also knows words.
        _ => {
            let allowed = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
            let begins = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
            (begins && digits.bytes().all(allowed)).then(|| text.parse().ok())?
        }
    }
}

/// The whole numbers of YAML 1.1 that YAML 1.2 reads in another way.
fn of_yaml_1_1(text: &str) -> Option<f64> {
    let (sign, written) = signed(text);
    let digits: String = written.chars().filter(|character| *character != '_').collect();
    if let Some(binary) = digits.strip_prefix("0b") {
        return radix(binary, 2).map(|number| sign * number);
    }
    let is_octal =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let is_apart = written.contains('_') && written.starts_with(|first: char| first.is_ascii_digit());
    match (is_octal, is_apart) {
        (true, _) => radix(&digits, 8).map(|number| sign * number),
        (false, true) => radix(&digits, 10).map(|number| sign * number),
        (false, false) => None,
    }
}

/// The whole numbers of 32 bits that Envoy knows: decimal, octal behind a zero, hexadecimal.
fn whole(text: &str) -> Option<f64> {
    let (sign, digits) = signed(text);
    let number = match (digits.strip_prefix("0x"), digits.strip_prefix('0')) {
        (Some(hexadecimal), _) => radix(hexadecimal, 16),
        (None, Some(octal)) if !octal.is_empty() => radix(octal, 8),
        _ => radix(digits, 10),
    }?;
    let number = sign * number;
    (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number).then_some(number)
}

fn signed(text: &str) -> (f64, &str) {
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    (sign, text.strip_prefix(['-', '+']).unwrap_or(text))
}

#[allow(clippy::cast_precision_loss)] // Every range of a document ends far below 2^53.
fn radix(digits: &str, radix: u32) -> Option<f64> {
    let is_digit = digits.starts_with(|first: char| first.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| is_digit).map(|number| number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what each reader takes a plain scalar for, as JSON; `text` is the scalar as a text.
    #[track_caller]
    fn check(text: &str, itself: &str, kubernetes: &str, envoy: &str) {
        for (by, expected) in [(Reader::Itself, itself), (Reader::Kubernetes, kubernetes), (Reader::Envoy, envoy)] {
            let found = match plain(text, by) {
                None => "text".to_owned(),
                Some(Value::Null) => "null".to_owned(),
                Some(Value::Bool(value)) => value.to_string(),
                Some(Value::Number(value)) => value.to_string(),
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{text} by {by:?}");
        }
        assert_eq!(is_ambiguous(text), itself != kubernetes || itself != envoy, "{text}");
    }

    /// As seen in sigs.k8s.io/yaml 1.6.0 and Envoy 1.40.0.
    #[test]
    fn who_takes_what_for_what() {
        check("null", "null", "null", "null");
        check("True", "true", "true", "true");
        check("7", "7", "7", "7");
        check("-7", "-7", "-7", "-7");
        check("+5", "5", "5", "5");
        check("x", "text", "text", "text");
        check("5xx", "text", "text", "text");
        check("1:30", "text", "text", "text");
        check("2026-11-21", "text", "text", "text");
        check("yes", "text", "true", "true");
        check("n", "text", "false", "false");
        check("Off", "text", "false", "false");
        check("0755", "755", "493", "493");
        check("010", "10", "8", "8");
        check("09", "9", "9", "text");
        check("1_000", "text", "1000", "text");
        check("0b11", "text", "3", "text");
        check("0o17", "15", "15", "text");
        check("0x1f", "31", "31", "31");
        check("0.5", "0.5", "0.5", "text");
        check(".5", "0.5", "0.5", "text");
        check("1.0", "1", "1", "text");
        check("1e3", "1000", "1000", "text");
        check("5000000000", "5000000000", "5000000000", "text");
        check("infinity", "text", "text", "text");
        check("-", "text", "text", "text");
        check("1e", "text", "text", "text");
    }
}
