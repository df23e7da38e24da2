//! Cookies: reading the `Cookie` header, and the visitor cookie, read and written.
//!
//! Reading follows RFC 6265bis on the server's side: split on `;`, trim SP and HTAB only, no unquoting, no
//! percent-decoding, names case-sensitive. The visitor cookie's form is spelled out in `docs/formats.md`.

use std::fmt::Write;

use crate::facts::Day;

/// A cookie's name and value that no browser sends: RFC 6265bis §5.6 drops pairs of more than 4096 octets.
const LONGEST_PAIR: usize = 4096;

/// The cookies of a `Cookie` header, in its order: pairs without a name or without `=`, with control characters, or
/// longer than a browser would send are left out.
#[inline]
pub(crate) fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        let (name, value) = (trim(name), trim(value.get(1..)?));
        let sound = !name.is_empty() && pair.len() <= LONGEST_PAIR;
        sound.then_some((name, value))
    })
}

/// The values of the cookies with this name, in their order, without those that hold control characters.
#[inline]
pub(crate) fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    pairs(line)
        .filter(move |(found, value)| *found == name.as_bytes() && !value.iter().any(u8::is_ascii_control))
        .map(|(_, value)| value)
}

/// Trims SP and HTAB, and nothing else.
#[inline]
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// 60 random bits that name a visitor, kept as the ten base64url characters that stand in the cookie. Those characters
/// are the unit's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorNumber([u8; 10]);

impl VisitorNumber {
    /// The number of the lower 60 bits, the most significant first.
    #[inline]
    pub fn from_bits(bits: u64) -> Self {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut characters = [b'A'; 10];
        for (character, shift) in characters.iter_mut().zip((0..60).step_by(6).rev()) {
            let six = usize::try_from(bits >> shift & 63).unwrap_or_default();
            *character = ALPHABET.get(six).copied().unwrap_or(b'A');
        }
        Self(characters)
    }

    /// The number that these ten base64url characters spell.
    #[inline]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let characters = <[u8; 10]>::try_from(text).ok()?;
        let valid = characters.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        valid.then_some(Self(characters))
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
    /// known field twice makes the value invalid.
    #[inline]
    pub fn from_value(value: &[u8]) -> Option<Self> {
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
        Some(Self { number: number?, issued: issued? })
    }

    /// The cookie's value, `n….d…`.
    pub fn to_value(self) -> String {
        format!("n{}.d{}", self.number.as_str(), self.issued.number())
    }
}

/// How the visitor cookie is named, aged and written. The document's reader has checked every part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorCookie {
    pub(crate) name: String,
    /// Seconds; whole days at least.
    pub(crate) max_age: u32,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) same_site: SameSite,
    pub(crate) secure: Secure,
    pub(crate) http_only: bool,
    pub(crate) partitioned: bool,
}

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Strict,
    Lax,
    None,
}

/// Whether the cookie gets the `Secure` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secure {
    /// As the request's scheme is https.
    Auto,
    Always,
    Never,
}

impl Default for VisitorCookie {
    fn default() -> Self {
        Self {
            name: "canary".into(),
            max_age: 30 * SECONDS_A_DAY,
            path: "/".into(),
            domain: None,
            same_site: SameSite::Lax,
            secure: Secure::Auto,
            http_only: true,
            partitioned: false,
        }
    }
}

const SECONDS_A_DAY: u32 = 86_400;

impl VisitorCookie {
    /// The first valid visitor cookie of a `Cookie` header that is not past its age.
    #[inline]
    pub fn read(&self, line: &[u8], today: Day) -> Option<Visitor> {
        values(line, &self.name).filter_map(Visitor::from_value).find(|visitor| !self.is_past(*visitor, today))
    }

    /// Whether the cookie has to be written again: past a quarter of its age, or dated after tomorrow, so that a proxy
    /// whose clock runs ahead cannot make a cookie last for ever.
    #[inline]
    pub fn is_due(&self, visitor: Visitor, today: Day) -> bool {
        let days = today.days_since(visitor.issued);
        let ahead = visitor.issued.days_since(today) > 1;
        ahead || (days > 0 && u64::from(days) * u64::from(SECONDS_A_DAY) >= u64::from(self.max_age / 4))
    }

    /// Days are whole, so a cookie counts as past its age only once that is certain.
    #[inline]
    fn is_past(&self, visitor: Visitor, today: Day) -> bool {
        let surely = today.days_since(visitor.issued).saturating_sub(1);
        u64::from(surely) * u64::from(SECONDS_A_DAY) >= u64::from(self.max_age)
    }

    /// The value of a `Set-Cookie` header (RFC 6265bis §4.1). `https` is the scheme of the request.
    pub fn write(&self, visitor: Visitor, https: bool) -> String {
        let mut text = format!("{}={}; Max-Age={}; Path={}", self.name, visitor.to_value(), self.max_age, self.path);
        if let Some(domain) = &self.domain {
            // Writing into a String cannot fail.
            let _ = write!(text, "; Domain={domain}");
        }
        if self.secure == Secure::Always || (self.secure == Secure::Auto && https) {
            text.push_str("; Secure");
        }
        if self.http_only {
            text.push_str("; HttpOnly");
        }
        text.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        if self.partitioned {
            text.push_str("; Partitioned");
        }
        text
    }

    /// Whether writing depends on the request's scheme.
    pub(crate) fn needs_scheme(&self) -> bool {
        self.secure == Secure::Auto
    }
}

#[cfg(test)]
mod tests;
