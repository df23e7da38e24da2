//! Override tokens: the name of a version, signed, that only counts for one rollout and until a moment.
//!
//! The form is spelled out in `docs/formats.md`.

use crate::keys::{Keys, Purpose};
use crate::time::Time;

/// A token that was checked: what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The version, or one of the rollout's aliases.
    pub version: &'a [u8],
    /// Up to which moment it counts.
    pub expiry: Time,
}

impl<'a> Token<'a> {
    /// Reads `<version>.e<expiry>.k<key id>.t<tag>`; `None` if the tag is wrong or the moment has passed.
    pub fn read(text: &'a [u8], keys: &Keys, rollout: &str, now: Time) -> Option<Self> {
        let body = keys.verified(Purpose::Token(rollout), text)?;
        let dot = memchr::memchr(b'.', body)?;
        let expiry = Time::from_text(body.get(dot + 1..)?.strip_prefix(b"e")?)?;
        (expiry > now).then_some(Self { version: body.get(..dot)?, expiry })
    }
}

impl Keys {
    /// A token for this version of a rollout; `None` without a key that signs.
    pub fn token(&self, rollout: &str, version: &str, expiry: Time) -> Option<String> {
        let mut text = format!("{version}.e{}", expiry.unix_seconds());
        self.sign(Purpose::Token(rollout), &mut text, 0);
        self.can_sign().then_some(text)
    }
}
