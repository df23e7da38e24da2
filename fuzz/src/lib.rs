//! What the fuzz targets do with the bytes that they are given. Each module is a target, but for those that they share; its
//! `run` returns if all is as it has to be, and panics else.
//!
//! ```text
//! bytes ─┬─────────────────→ document, cookie, sticky, path
//!        └─Dice→ Draft ──┬─→ decide
//!                        └─→ request (the built module)
//! ```

#![deny(unsafe_code)]

pub mod cookie;
#[cfg(feature = "module")]
mod counters;
pub mod decide;
mod dice;
pub mod document;
mod draft;
mod given;
mod judge;
mod lines;
pub mod path;
#[cfg(feature = "module")]
pub mod request;
pub mod sticky;
mod visitors;

use serin_core::{Rules, Surroundings};

/// The secrets that the documents of all targets may ask for.
pub(crate) const ENVIRONMENT: [(&str, &str); 3] = [
    ("SERIN_KEY", "the key that signs, of any length"),
    ("SERIN_OLD_KEY", "a key of former times"),
    ("SERIN_SECRET", "open, sesame, open"),
];

/// A variable of that environment.
pub(crate) fn env(name: &str) -> Option<String> {
    ENVIRONMENT.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

/// The rules of a document that is known to be sound.
pub(crate) fn sound(document: &str) -> Rules {
    let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env });
    assert!(parsed.errors.is_empty(), "{:?} in {document}", parsed.errors);
    parsed.rules.expect("a document without mistakes has rules")
}
