//! The visitor cookie's value: who a visitor is. Its form is spelled out in `docs/formats.md`.

use super::{character, is_base64url, is_clean, push_number};
use crate::time::Day;

/// 60 random bits that name a visitor, kept as the ten base64url characters that stand in the cookie. Those characters
/// are the unit's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorNumber([u8; 10]);

impl VisitorNumber {
    /// The number of the lower 60 bits, the most significant first.
    #[inline]
    pub fn from_bits(bits: u64) -> Self {
        let mut characters = [b'A'; 10];
        for (place, shift) in characters.iter_mut().zip((0..60).step_by(6).rev()) {
            *place = character(bits >> shift);
        }
        Self(characters)
    }

    /// The number that these ten base64url characters spell.
    #[inline]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let characters = <[u8; 10]>::try_from(text).ok()?;
        characters.iter().all(|character| is_base64url(*character)).then_some(Self(characters))
    }

    /// The 60 bits that it stands for, in the lower places.
    #[cfg(feature = "tools")]
    pub fn bits(&self) -> u64 {
        use base64ct::Encoding;
        // Two more characters, for zeros, make whole bytes of it.
        let (mut text, mut bytes) = ([b'A'; 12], [0; 9]);
        text[2..].copy_from_slice(&self.0);
        let bytes = base64ct::Base64UrlUnpadded::decode(text, &mut bytes).unwrap_or_default();
        bytes.last_chunk().map_or(0, |bits| u64::from_be_bytes(*bits))
    }

    /// The ten characters: what the cookie holds, and what is hashed.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The ten characters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What a visitor cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Who it is.
    pub number: VisitorNumber,
    /// The day on which the cookie was written.
    pub issued: Day,
}

impl Visitor {
    /// Reads `n<10 base64url characters>` and `d<issue day>`, joined by dots, in any order. Unknown fields are skipped; a
    /// known field twice, or a control character, makes the value invalid.
    #[inline]
    pub fn from_value(value: &[u8]) -> Option<Self> {
        Self::as_written(value).or_else(|| Self::in_any_order(value))
    }

    /// The form that [`Visitor::to_value`] gives, which nearly all requests have.
    #[inline]
    fn as_written(value: &[u8]) -> Option<Self> {
        let (number, day) = value.strip_prefix(b"n")?.split_first_chunk::<10>()?;
        let issued = Day::from_text(day.strip_prefix(b".d")?)?;
        Some(Self { number: VisitorNumber::from_text(number)?, issued })
    }

    #[cold]
    fn in_any_order(value: &[u8]) -> Option<Self> {
        let (mut number, mut issued) = (None, None);
        for field in value.split(|byte| *byte == b'.') {
            let twice = match field.split_first() {
                Some((b'n', text)) => number.replace(VisitorNumber::from_text(text)?).is_some(),
                Some((b'd', text)) => issued.replace(Day::from_text(text)?).is_some(),
                _ => false,
            };
            if twice {
                return None;
            }
        }
        is_clean(value).then_some(Self { number: number?, issued: issued? })
    }

    /// Appends the cookie's value, `n….d…`.
    pub(super) fn write(self, text: &mut String) {
        text.push('n');
        text.push_str(self.number.as_str());
        text.push_str(".d");
        push_number(text, self.issued.number());
    }

    /// The cookie's value, `n….d…`.
    pub fn to_value(self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}
