//! What `Cookie` lines hold, written down a second time from RFC 6265bis and `docs/formats.md`, without regard to speed.

use serin_core::Time;

/// The days that our cookies last where a document says nothing else.
const MOST_DAYS: u64 = 30;

/// The pairs of a line, in its order: split at semicolons, of the first 512 parts, those with an equals sign that are no
/// longer than a browser sends, without the spaces and tabs around name and value.
pub(crate) fn pairs(line: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    for part in line.split(|byte| *byte == b';').take(512) {
        let Some(equals) = part.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (trimmed(&part[..equals]), trimmed(&part[equals + 1..]));
        if name.len() + value.len() <= 4096 {
            pairs.push((name.to_vec(), value.to_vec()));
        }
    }
    pairs
}

/// The values of a name.
pub(crate) fn values(line: &[u8], name: &str) -> Vec<Vec<u8>> {
    pairs(line).into_iter().filter(|(found, _)| found == name.as_bytes()).map(|(_, value)| value).collect()
}

/// The names of a line, those of pairs that are too long to count included.
pub(crate) fn names(line: &[u8]) -> Vec<&[u8]> {
    let parts = line.split(|byte| *byte == b';').take(512);
    parts.filter_map(|part| Some(trimmed(&part[..part.iter().position(|byte| *byte == b'=')?]))).collect()
}

/// Without the control characters that no browser sends.
pub(crate) fn is_clean(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f))
}

/// Without spaces and tabs at the ends.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The fields of a value by their letters; `None` if one of these letters is there twice.
fn fields<'a>(value: &'a [u8], letters: &[u8]) -> Option<Vec<(u8, &'a [u8])>> {
    let mut found: Vec<(u8, &[u8])> = Vec::new();
    for field in value.split(|byte| *byte == b'.').filter(|field| !field.is_empty()) {
        let (letter, text) = (field[0], &field[1..]);
        if letters.contains(&letter) {
            if found.iter().any(|(known, _)| *known == letter) {
                return None;
            }
            found.push((letter, text));
        }
    }
    Some(found)
}

fn field<'a>(fields: &[(u8, &'a [u8])], letter: u8) -> Option<&'a [u8]> {
    fields.iter().find(|(known, _)| *known == letter).map(|(_, text)| *text)
}

fn number(text: &[u8], most: usize) -> Option<u64> {
    let is_number = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

fn is_base64url(text: &[u8], length: usize) -> bool {
    text.len() == length && text.iter().all(|byte| crate::judge::is_base64url(*byte))
}

/// Whether a cookie of this day is certainly past its age.
pub(crate) fn is_past(issued: u64, now: Time) -> bool {
    (now.unix_seconds() / 86_400).saturating_sub(issued).saturating_sub(1) >= MOST_DAYS
}

/// The visitor number and the issue day of a value that counts.
pub(crate) fn visitor(value: &[u8], now: Time) -> Option<(Vec<u8>, u64)> {
    let fields = fields(value, b"nd")?;
    let (name, day) = (field(&fields, b'n')?, number(field(&fields, b'd')?, 7)?);
    let counts = is_clean(value) && is_base64url(name, 10) && !is_past(day, now);
    counts.then(|| (name.to_vec(), day))
}

/// What a rollout's own cookie keeps, as its value says it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Kept {
    /// The unit's mark, the version and the release under which it is held.
    pub(crate) held: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    /// The version that is remembered, and until when.
    pub(crate) remembered: Option<(Vec<u8>, u64)>,
    /// The day on which it was written.
    pub(crate) issued: u64,
}

/// What a value keeps that has no `x`; `None` if it counts as absent.
pub(crate) fn kept(value: &[u8]) -> Option<Kept> {
    let fields = fields(value, b"ruvoexfd")?;
    let day = number(field(&fields, b'd')?, 7)?;
    if !is_clean(value) {
        return None;
    }
    let of = |letter| field(&fields, letter);
    let release = of(b'r').unwrap_or_default().to_vec();
    let held = of(b'u').filter(|mark| is_base64url(mark, 4)).zip(of(b'v'));
    let remembered = of(b'o').zip(of(b'e').and_then(|expiry| number(expiry, 11)));
    Some(Kept {
        held: held.map(|(mark, version)| (mark.to_vec(), version.to_vec(), release)),
        remembered: remembered.map(|(version, expiry)| (version.to_vec(), expiry)),
        issued: day,
    })
}
