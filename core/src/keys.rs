//! Keys: signing and checking what visitors bring back.
//!
//! HMAC-SHA-256 (RFC 2104), cut to its first 16 bytes, in base64url without padding (RFC 4648 §5). The messages are
//! spelled out in `docs/formats.md`.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use ctutils::CtEq;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// So many bytes of an HMAC are kept.
const TAG_BYTES: usize = 16;
/// So many characters of base64url they make.
const TAG_CHARACTERS: usize = 22;

/// Nothing that we sign is longer.
const LONGEST: usize = 1024;

/// The keys of a document.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Whether the first key of the document is there; it alone signs.
    signs: bool,
    /// Those whose secret is known, in the order of the document.
    keys: Vec<Key>,
}

/// A key by its name, ready to be used.
#[derive(Clone)]
pub(crate) struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Key {
    /// Never shows the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a signature is for, so that one cannot stand in for another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// A cookie with this name.
    Cookie(&'a str),
    /// A rollout's own cookie, by the name of the visitor cookie and of the rollout.
    RolloutCookie(&'a str, &'a str),
    /// A token that overrides the version of this rollout.
    Token(&'a str),
}

impl Key {
    pub(crate) fn new(id: String, secret: &[u8]) -> Option<Self> {
        Some(Self { id, mac: Hmac::new_from_slice(secret).ok()? })
    }

    fn mac(&self, purpose: Purpose<'_>, text: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        let (domain, names): (&[u8], [&str; 3]) = match purpose {
            Purpose::Cookie(name) => (b"serin1 cookie\0", [name, "", ""]),
            Purpose::RolloutCookie(name, rollout) => (b"serin1 cookie\0", [name, "-", rollout]),
            Purpose::Token(rollout) => (b"serin1 token\0", [rollout, "", ""]),
        };
        mac.update(domain);
        names.iter().for_each(|name| mac.update(name.as_bytes()));
        mac.update(b"\0");
        mac.update(text);
        mac
    }
}

impl Keys {
    /// The first of these signs, if it is there; all that are there verify.
    pub(crate) fn new(keys: impl IntoIterator<Item = Option<Key>>) -> Self {
        let mut keys = keys.into_iter().peekable();
        let signs = keys.peek().is_some_and(Option::is_some);
        Self { signs, keys: keys.flatten().collect() }
    }

    /// Whether the key that signs is there.
    pub fn can_sign(&self) -> bool {
        self.signs
    }

    /// The id of the key that signs.
    #[cfg(feature = "tools")]
    pub(crate) fn signer(&self) -> Option<&str> {
        self.keys.first().filter(|_| self.signs).map(|key| &*key.id)
    }

    /// Whether there is a key with this id.
    #[cfg(feature = "tools")]
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// Appends `.k<id>.t<tag>` over all that stands in `text` from `start` on; nothing without a key that signs.
    pub(crate) fn sign(&self, purpose: Purpose<'_>, text: &mut String, start: usize) {
        let Some(key) = self.keys.first().filter(|_| self.signs) else { return };
        text.push_str(".k");
        text.push_str(&key.id);
        let whole = key.mac(purpose, text.as_bytes().get(start..).unwrap_or_default()).finalize().into_bytes();
        let tag = whole.get(..TAG_BYTES).unwrap_or_default();
        text.push_str(".t");
        let mut characters = [0; TAG_CHARACTERS];
        text.push_str(Base64UrlUnpadded::encode(tag, &mut characters).unwrap_or_default());
    }

    /// What stands before `.k<id>.t<tag>` at the end of a text, if the tag is right.
    pub(crate) fn verified<'a>(&self, purpose: Purpose<'_>, text: &'a [u8]) -> Option<&'a [u8]> {
        if text.len() > LONGEST {
            return None;
        }
        let (signed, tag) = last_field(text, b't')?;
        let (body, id) = last_field(signed, b'k')?;
        let mut bytes = [0; TAG_BYTES];
        let tag = Base64UrlUnpadded::decode(tag, &mut bytes).ok().filter(|tag| tag.len() == TAG_BYTES)?;
        let key = self.keys.iter().find(|key| key.id.as_bytes() == id)?;
        key.mac(purpose, signed).verify_truncated_left(tag).ok().map(|()| body)
    }
}

/// What stands before the last dot, and the field behind it if it begins with this letter.
fn last_field(text: &[u8], letter: u8) -> Option<(&[u8], &[u8])> {
    let dot = memchr::memrchr(b'.', text)?;
    let (before, field) = (text.get(..dot)?, text.get(dot + 1..)?);
    Some((before, field.strip_prefix(&[letter])?))
}

/// A secret that a request has to show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl Secret {
    /// Whether this is it, in a time that depends on the lengths alone.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Secret {
    /// Never shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
