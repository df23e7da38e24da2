//! An error in its parts, and its path step by step, so that others can find the place in a file.

use crate::error::{ConfigError, Kind};

/// A step from a value of a document to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the field of this name.
    Field(String),
    /// To a field whose name begins so, and is longer than an error shows.
    LongField(String),
    /// To the item with this index.
    Item(usize),
}

/// What an error is about, of what stands at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The value.
    Value,
    /// The name of the field.
    Name,
    /// That the field stands there again.
    Repetition,
    /// That there is nothing.
    Absence,
}

impl ConfigError {
    /// What is wrong, and what was expected, without the path and without what was probably meant.
    pub fn message(&self) -> String {
        self.kind().to_string()
    }

    /// The known name that was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.kind().nearest()
    }

    /// The fields that there are, of a mistake that is a field which is not.
    pub fn known(&self) -> Option<&str> {
        if let Kind::UnknownField { known, .. } = self.kind() { Some(known) } else { None }
    }

    /// The kind of the mistake: `syntax`, `unknown-field`, `duplicate-field`, `missing`, `wrong-value`, `conflict` or `limit`.
    pub fn code(&self) -> &'static str {
        match self.kind() {
            Kind::Syntax(_) => "syntax",
            Kind::UnknownField { .. } => "unknown-field",
            Kind::DuplicateField => "duplicate-field",
            Kind::Missing { .. } => "missing",
            Kind::Wrong { .. } => "wrong-value",
            Kind::Conflict(_) => "conflict",
            Kind::Limit { .. } => "limit",
        }
    }

    /// What the error is about.
    pub fn about(&self) -> About {
        match self.kind() {
            Kind::UnknownField { .. } => About::Name,
            Kind::DuplicateField => About::Repetition,
            Kind::Missing { .. } => About::Absence,
            Kind::Syntax(_) | Kind::Wrong { .. } | Kind::Conflict(_) | Kind::Limit { .. } => About::Value,
        }
    }

    /// The path from the document's root, step by step.
    pub fn steps(&self) -> Vec<Step> {
        steps(self.path())
    }
}

/// The steps of a path as errors have it: names apart by dots, indices in brackets, and in quotes and brackets what is no plain
/// name.
pub fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, behind) = if let Some(quoted) = rest.strip_prefix("[\"") {
            quoted_name(quoted)
        } else if let Some((index, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            (Step::Item(index.parse().unwrap_or_default()), behind)
        } else {
            let (name, behind) = plain_name(rest.strip_prefix('.').unwrap_or(rest));
            (Step::Field(name.to_owned()), behind)
        };
        steps.push(step);
        rest = behind;
    }
    steps
}

/// A name up to the next step, and what stands behind it. A bracket that is not closed is no step, but the rest of the name.
fn plain_name(text: &str) -> (&str, &str) {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, behind) = text.split_at_checked(end).unwrap_or((text, ""));
    let is_open = behind.starts_with('[') && !behind.starts_with("[\"") && !behind.contains(']');
    if is_open { (text, "") } else { (name, behind) }
}

/// A name behind its opening quote, and what stands behind it and its bracket.
fn quoted_name(text: &str) -> (Step, &str) {
    let mut name = String::new();
    let mut is_cut = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            // Written as an escape where it is part of a name.
            '…' => is_cut = true,
            '\\' => match characters.next() {
                Some('u') => {
                    let digits: String =
                        characters.by_ref().take_while(|character| *character != '}').filter(|c| *c != '{').collect();
                    name.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                }
                escaped => name.extend(escaped),
            },
            _ => name.push(character),
        }
    }
    let behind = characters.as_str().strip_prefix(']').unwrap_or_default();
    (if is_cut { Step::LongField(name) } else { Step::Field(name) }, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &[Step]) {
        assert_eq!(steps(path), expected, "{path}");
    }

    fn field(name: &str) -> Step {
        Step::Field(name.to_owned())
    }

    #[test]
    fn paths() {
        check("", &[]);
        check("rollouts", &[field("rollouts")]);
        check(
            "rollouts.r-1.match[0].hosts[12]",
            &[field("rollouts"), field("r-1"), field("match"), Step::Item(0), field("hosts"), Step::Item(12)],
        );
        check(
            r#"rollouts["a.b"].versions["v 2"]"#,
            &[field("rollouts"), field("a.b"), field("versions"), field("v 2")],
        );
        check(r#"["a\"]\\\u{e9}\u{2026}"][0]"#, &[field("a\"]\\é…"), Step::Item(0)]);
        check(r#"rollouts["aaa…"].total"#, &[field("rollouts"), Step::LongField("aaa".to_owned()), field("total")]);
        check(r#"rollouts[""]"#, &[field("rollouts"), field("")]);
        check("[", &[field("[")]);
        check("a.b[0", &[field("a"), field("b[0")]);
        check("a.[b.c", &[field("a"), field("[b.c")]);
        check(".[0]", &[field(""), Step::Item(0)]);
    }
}
