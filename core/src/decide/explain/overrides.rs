//! The override layer in words: what a request asks for, and whether it may.

use super::super::Request;
use super::super::overriding::Wish;
use super::Said;
use crate::cookie::{Kept, MOST_OF_ONE_NAME, Visitor, trim};
use crate::facts::Source;
use crate::keys::{Keys, Purpose};
use crate::rules::Trust;
use crate::time::Time;
use crate::token::Token;
use crate::tools::{shown, span_in_words};

impl<S: Source> Request<'_, '_, S> {
    pub(super) fn explain_override(&self, kept: Option<&Kept>) -> Said {
        let overrides = &self.shared.overrides;
        if overrides.header.is_none() && overrides.query.is_none() && overrides.cookie.is_none() {
            return (false, vec!["the rollout takes no override".to_owned()]);
        }
        let mut notes = Vec::new();
        for (what, name, values) in self.override_values() {
            if values.is_empty() {
                notes.push(format!("{what} {name} is absent"));
            }
            for value in values {
                let wish = self.judged(&value);
                notes.push(format!("{what} {name} is {}{}", self.told(&value), self.judgement(&value, wish)));
                match wish {
                    Some(Wish::Version(_)) => return (true, notes),
                    Some(Wish::Auto) => return (false, notes),
                    None => {}
                }
            }
        }
        if overrides.remember.is_none() {
            return (false, notes);
        }
        let (answers, note) = self.explain_remembered(kept);
        notes.push(note);
        (answers, notes)
    }

    /// The values of header, query and cookie that may name a version, in the order in which they are asked.
    fn override_values(&self) -> Vec<(&'static str, &str, Vec<Vec<u8>>)> {
        let overrides = &self.shared.overrides;
        let mut all = Vec::new();
        if let Some(name) = &overrides.header {
            let value = self.facts.header(name.as_str()).map(|value| trim(value).to_vec());
            all.push(("header", name.as_str(), value.into_iter().collect()));
        }
        if let Some(name) = &overrides.query {
            let values = self.facts.query(name).take(MOST_OF_ONE_NAME).map(<[u8]>::to_vec);
            all.push(("query parameter", name.as_str(), values.collect()));
        }
        if let Some(name) = &overrides.cookie {
            let seen = |line| {
                let clean = crate::cookie::values(line, name).filter(|value| crate::cookie::is_clean(value));
                let others = clean.take(MOST_OF_ONE_NAME).filter(|value| Visitor::from_value(value).is_none());
                Some(others.map(<[u8]>::to_vec).collect::<Vec<_>>()).filter(|values| !values.is_empty())
            };
            let values = self.facts.in_cookies(seen, |name| self.is_ours(name));
            all.push(("cookie", name.as_str(), values.unwrap_or_default()));
        }
        all
    }

    /// A value as it may be shown: a token that counts is as good as a password until it expires.
    fn told(&self, value: &[u8]) -> String {
        match self.shared.overrides.trust {
            Trust::Signed if value != b"auto" => "given".to_owned(),
            Trust::Open | Trust::Signed | Trust::Secret(..) => shown(value),
        }
    }

    /// What becomes of a value, as the end of a sentence.
    fn judgement(&self, value: &[u8], wish: Option<Wish>) -> String {
        match wish {
            Some(Wish::Auto) => ", which means no override, and forgets a remembered one".to_owned(),
            Some(Wish::Version(version)) => {
                let name = self.shared.name_of(version);
                if name.as_bytes() == value { String::new() } else { format!(", which stands for {name}") }
            }
            None if value.is_empty() => ", which asks for nothing".to_owned(),
            None => format!(", and does not count: {}", self.why_ignored(value)),
        }
    }

    fn why_ignored(&self, value: &[u8]) -> String {
        match &self.shared.overrides.trust {
            Trust::Open => self.why_no_version(value),
            Trust::Signed => self.why_no_token(value),
            Trust::Secret(header, secret) => match (secret, self.facts.header(header.as_str())) {
                (None, _) => "the secret is not in the environment".to_owned(),
                (Some(_), None) => format!("header {} with the secret is absent", header.as_str()),
                (Some(secret), Some(shown)) if !secret.is(shown) => {
                    format!("header {} is not the secret", header.as_str())
                }
                _ => self.why_no_version(value),
            },
        }
    }

    fn why_no_version(&self, value: &[u8]) -> String {
        let aliases = &self.shared.overrides.aliases;
        let alias = aliases.iter().find(|(name, _)| name.as_bytes() == value).map(|(_, version)| *version);
        match alias.or_else(|| self.rollout.version_named(value)) {
            Some(version) => format!("{} is off", self.shared.name_of(version)),
            None => "it names no version and no alias".to_owned(),
        }
    }

    fn why_no_token(&self, value: &[u8]) -> String {
        let Some(keys) = &self.rules.keys else { return "the document has no keys".to_owned() };
        let name = &self.rollout.name;
        if keys.verified(Purpose::Token(name), value).is_none() {
            let other = self.rules.rollouts().find(|other| is_token_of(keys, value, other.name()));
            return other.map_or_else(
                || "it is not signed by one of the keys".to_owned(),
                |other| format!("it was made for rollouts.{}", other.name()),
            );
        }
        match Token::read(value, keys, name, Time::default()) {
            Some(token) if token.expiry <= self.now => {
                format!("it expired {} ago", span_in_words(self.now.seconds_since(token.expiry)))
            }
            Some(token) => self.why_no_version(token.version),
            None => "it is not in the form of a token".to_owned(),
        }
    }

    fn explain_remembered(&self, kept: Option<&Kept>) -> (bool, String) {
        let Some((version, expiry)) = kept.and_then(|kept| kept.remembered) else {
            return (false, "no override is remembered".to_owned());
        };
        let name = self.shared.name_of(version);
        if expiry <= self.now {
            return (
                false,
                format!("{name} was remembered until {} ago", span_in_words(self.now.seconds_since(expiry))),
            );
        }
        if !self.is_open(version) {
            return (false, format!("{name} is remembered, and is off"));
        }
        (true, format!("{name} is remembered for another {}", span_in_words(expiry.seconds_since(self.now))))
    }
}

fn is_token_of(keys: &Keys, value: &[u8], rollout: &str) -> bool {
    keys.verified(Purpose::Token(rollout), value).is_some()
}
