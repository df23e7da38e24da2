//! What is valid and surely not meant.
//!
//! Only what can be known of the document is told; in doubt nothing is.

mod cookies;
mod covering;
mod rules;
mod versions;

use crate::error::{ConfigError, Kind};
use crate::rules::Rules;

/// Something that is valid and surely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A name for this kind of warning, such as `unreachable-rule`.
    pub code: &'static str,
    /// Where it is, and what it is.
    pub error: ConfigError,
}

/// Every kind of warning that [`review`] gives, and what it is about.
pub const WARNINGS: [(&str, &str); 10] = [
    ("whole-weight", "a version has the whole total, and stable is still another one"),
    ("open-query", "anybody can put others on a version by a link"),
    ("not-sticky", "nothing makes a visitor stick, or everybody gets stable"),
    ("no-effect", "something that changes nothing here"),
    ("unreachable-rule", "no request gets to a rule"),
    ("unreachable-rollout", "no request gets to a rollout, or to an entry of its match"),
    ("literal-regex", "a regular expression without anything regular, which has to match the whole value"),
    ("literal-star", "a star in a path, which stands for itself"),
    ("cookie-refused", "a cookie that browsers refuse"),
    ("cookie-unsent", "a cookie that browsers do not send where it is asked for"),
];

/// What is valid in a document and surely not meant, in the order of its rollouts. Nothing is said of a rollout with mistakes.
pub fn review(rules: &Rules) -> Vec<Warning> {
    let mut found = Found { warnings: Vec::new(), rollout: String::new() };
    cookies::review(rules, &mut found);
    let entries = covering::Entries::new(rules);
    for (index, rollout) in rules.rollouts().enumerate() {
        let Some(shared) = rollout.shared() else { continue };
        found.rollout = rollout.name().to_owned();
        covering::review(&entries, index, rollout, &mut found);
        versions::review(rules, shared, &mut found);
        rules::review(rollout, shared, &mut found);
    }
    found.warnings
}

/// What has been found so far, and the rollout in hand.
struct Found {
    warnings: Vec<Warning>,
    rollout: String,
}

impl Found {
    /// Notes something at a path inside the rollout in hand, such as `.versions.v2`; an empty one is the rollout itself.
    fn warn(&mut self, code: &'static str, path: &str, text: impl Into<String>) {
        let path = format!("rollouts.{}{path}", self.rollout);
        let error = ConfigError::new(path, Some(&self.rollout), Kind::Conflict(text.into().into()));
        self.warnings.push(Warning { code, error });
    }

    /// Notes something outside of the rollouts.
    fn warn_at(&mut self, code: &'static str, path: &str, text: impl Into<String>) {
        let error = ConfigError::new(path.to_owned(), None, Kind::Conflict(text.into().into()));
        self.warnings.push(Warning { code, error });
    }
}
