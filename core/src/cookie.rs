//! Cookies: reading the `Cookie` header. The cookies of our own are in `visitor` and `kept`, how they are written in
//! `settings`.
//!
//! Reading follows RFC 6265bis on the server's side: split on `;`, trim SP and HTAB only, no unquoting, no
//! percent-decoding, names case-sensitive.

mod kept;
mod settings;
mod visitor;

use memchr::memchr;

pub use kept::{Kept, Mark, Out};
pub use settings::CookieSettings;
pub(crate) use settings::{MOST_OF_ONE_NAME, SameSite, Secure};
pub use visitor::{Visitor, VisitorNumber};

/// The octets of a name and value together: RFC 6265bis §5.6 has browsers drop longer ones.
const LONGEST_PAIR: usize = 4096;

/// So many pairs of a `Cookie` header are looked at; browsers keep a few dozen cookies a site.
const MOST_PAIRS: usize = 512;

/// The values of the cookies with this name, in their order, but those of pairs that are longer than a browser sends.
#[inline]
pub(crate) fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    values_behind(line, |segment| segment.strip_prefix(name.as_bytes()))
}

/// As [`values`], of the cookies whose name `strip` takes off the front of the pair.
#[inline]
fn values_behind<'a>(line: &'a [u8], strip: impl Fn(&'a [u8]) -> Option<&'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    segments(line).filter_map(move |segment| {
        let rest = strip(segment)?;
        let value = trim(rest).strip_prefix(b"=").map(trim)?;
        (segment.len() - rest.len() + value.len() <= LONGEST_PAIR).then_some(value)
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

/// The names and values of the cookies in a `Cookie` header, in its order, but those that are longer than a browser sends.
pub(crate) fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    segments(line).filter_map(|segment| {
        let equals = memchr(b'=', segment)?;
        let (name, value) = (trim(segment.get(..equals)?), trim(segment.get(equals + 1..)?));
        (name.len() + value.len() <= LONGEST_PAIR).then_some((name, value))
    })
}

/// What stands between the semicolons, without SP and HTAB before it.
#[inline]
fn segments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    let next = move || {
        let all = rest.take()?;
        let (segment, after) = match memchr(b';', all) {
            Some(at) => (all.get(..at)?, all.get(at + 1..)),
            None => (all, None),
        };
        rest = after;
        Some(trim_start(segment))
    };
    std::iter::from_fn(next).take(MOST_PAIRS)
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

/// Appends a number in decimal. Every new visitor's cookie has one, and formatting it is a tenth of what that visitor costs.
#[inline(never)]
fn push_number(text: &mut String, number: u32) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + u8::try_from(number % 10).unwrap_or_default()));
}

/// A character of base64url (RFC 4648 §5) that stands for six bits.
#[inline]
fn character(six: u64) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    usize::try_from(six & 63).ok().and_then(|six| ALPHABET.get(six)).copied().unwrap_or(b'A')
}

/// A character of base64url (RFC 4648 §5).
#[inline]
fn is_base64url(character: u8) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, b'-' | b'_')
}

#[cfg(test)]
mod tests;
