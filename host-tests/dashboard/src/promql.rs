//! The selectors of a `PromQL` expression.

/// The selectors of an expression that Prometheus takes, such as `up{job="a"}`, in their order.
pub fn selectors(expression: &str) -> Vec<&str> {
    let mut selectors = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let (mut token, mut after) = rest.split_at(end_of_token(rest));
        if is_start(first) && after.starts_with('{') {
            (token, after) = rest.split_at(token.len() + end_of(after, '}'));
        }
        if first == '{' || is_start(first) && is_selector(token, after) {
            selectors.push(token);
        }
        rest = if GROUPING.contains(&token) { after_parentheses(after) } else { after };
    }
    selectors
}

/// What is no metric although the word stands alone.
const OPERATORS: [&str; 7] = ["and", "or", "unless", "offset", "bool", "inf", "nan"];
/// What labels follow in parentheses.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// A function or an aggregation has arguments or a grouping behind it.
fn is_selector(word: &str, after: &str) -> bool {
    let after = after.trim_start();
    let is_called = ["(", "by ", "by(", "without ", "without("].iter().any(|start| after.starts_with(start));
    !is_called && !OPERATORS.contains(&word.to_lowercase().as_str()) && !GROUPING.contains(&word)
}

fn is_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || character == ':'
}

/// Where the token at the beginning of a text ends: a word, a number with its unit, a string, or what is in `{}` or `[]`.
fn end_of_token(text: &str) -> usize {
    let first = text.chars().next().unwrap_or_default();
    match first {
        '{' => end_of(text, '}'),
        '[' => end_of(text, ']'),
        '"' | '\'' => end_of(text, first),
        _ if is_start(first) || first.is_ascii_digit() => {
            text.find(|character: char| !is_start(character) && !character.is_ascii_digit()).unwrap_or(text.len())
        }
        _ => first.len_utf8(),
    }
}

/// Behind the first such character, after the one at the beginning, that is in no string.
fn end_of(text: &str, end: char) -> usize {
    let mut quote = None;
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if quote.is_some() {
            quote = quote.filter(|&open| open != character);
        } else if character == end {
            return at + character.len_utf8();
        } else if character == '"' || character == '\'' {
            quote = Some(character);
        }
    }
    text.len()
}

fn after_parentheses(text: &str) -> &str {
    let text = text.trim_start();
    if text.starts_with('(') { &text[end_of(text, ')')..] } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_told_from_functions_labels_and_words() {
        for (expression, expected) in [
            ("up", vec!["up"]),
            (
                r#"sum by (job, instance) (rate(a_total{job=~"x}y", le="(b)"}[5m]))"#,
                vec![r#"a_total{job=~"x}y", le="(b)"}"#],
            ),
            ("sum(a) by (b) / on (b) group_left (c) max without (d) (e > 0)", vec!["a", "e"]),
            ("(a unless a{b='c'} offset 15s) or increase(a[15s])", vec!["a", "a{b='c'}", "a"]),
            ("a or 0 * b >= bool 1e6", vec!["a", "b"]),
            (
                r#"increase(label_replace({__name__=~"x_(.+)_y", job="z"}, "f", "$1", "__name__", "w")[5m:])"#,
                vec![r#"{__name__=~"x_(.+)_y", job="z"}"#],
            ),
            (
                r#"histogram_quantile(0.5, sum by (le) (rate(b_bucket{a='"', c="\""}[1m])))"#,
                vec![r#"b_bucket{a='"', c="\""}"#],
            ),
            ("count_values(\"a\", b) and on (c) d", vec!["b", "d"]),
        ] {
            assert_eq!(expected, selectors(expression), "{expression}");
        }
    }
}
