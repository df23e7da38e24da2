//! Cookies: reading the `Cookie` header, and the visitor cookie, read and written.
//!
//! Reading follows RFC 6265bis on the server's side: split on `;`, trim SP and HTAB only, no unquoting, no
//! percent-decoding, names case-sensitive. The visitor cookie's form is spelled out in `docs/formats.md`.

use memchr::memchr;

use crate::facts::Day;

/// The octets of a name and value together: RFC 6265bis §5.6 has browsers drop longer ones.
const LONGEST_PAIR: usize = 4096;

/// The values of the cookies with this name, in their order, but those of pairs that are longer than a browser sends.
#[inline]
pub(crate) fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    segments(line).filter_map(move |segment| {
        let value = trim(segment.strip_prefix(name.as_bytes())?).strip_prefix(b"=").map(trim)?;
        (name.len() + value.len() <= LONGEST_PAIR).then_some(value)
    })
}

/// Whether a value is without the control characters that no browser sends. HTAB is none of them (RFC 6265bis §5.6).
pub(crate) fn is_clean(value: &[u8]) -> bool {
    !value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

/// The names of the cookies in a `Cookie` header, in its order. What has no `=` has no name.
pub(crate) fn names(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    segments(line).filter_map(|segment| Some(trim(segment.get(..memchr(b'=', segment)?)?)))
}

/// What stands between the semicolons, without SP and HTAB before it.
#[inline]
fn segments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let (segment, after) = match memchr(b';', all) {
            Some(at) => (all.get(..at)?, all.get(at + 1..)),
            None => (all, None),
        };
        rest = after;
        Some(trim_start(segment))
    })
}

#[inline]
fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Trims SP and HTAB, and nothing else.
#[inline]
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    bytes = trim_start(bytes);
    while let [rest @ .., b' ' | b'\t'] = bytes {
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
        characters.iter().all(|character| is_base64url(*character)).then_some(Self(characters))
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
    fn write(self, text: &mut String) {
        text.push('n');
        text.push_str(self.number.as_str());
        text.push_str(".d");
        text.push_str(&self.issued.number().to_string());
    }

    /// The cookie's value, `n….d…`.
    pub fn to_value(self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
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
    /// All attributes but `Secure`, as they stand in the header.
    pub(crate) attributes: String,
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
            attributes: String::new(),
        }
        .spelled_out()
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
        const ROOM: usize = "=n0123456789.d1234567; Secure".len();
        let mut text = String::with_capacity(self.name.len() + self.attributes.len() + ROOM);
        text.push_str(&self.name);
        text.push('=');
        visitor.write(&mut text);
        text.push_str(&self.attributes);
        if self.secure == Secure::Always || (self.secure == Secure::Auto && https) {
            text.push_str("; Secure");
        }
        text
    }

    /// The same cookie with its attributes spelled out, once and not for every visitor.
    #[must_use]
    pub(crate) fn spelled_out(mut self) -> Self {
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let http_only = if self.http_only { "; HttpOnly" } else { "" };
        let partitioned = if self.partitioned { "; Partitioned" } else { "" };
        let (max_age, path) = (self.max_age, &self.path);
        self.attributes =
            format!("; Max-Age={max_age}; Path={path}{domain}{http_only}; SameSite={same_site}{partitioned}");
        self
    }

    /// Whether writing depends on the request's scheme.
    pub(crate) fn needs_scheme(&self) -> bool {
        self.secure == Secure::Auto
    }
}

/// A character of base64url (RFC 4648 §5).
#[inline]
fn is_base64url(character: u8) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, b'-' | b'_')
}

#[cfg(test)]
mod tests;
