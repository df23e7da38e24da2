//! Names and values of a `Cookie` header or a query string, found once for all that ask: a document may ask a thousand
//! times, and a client may send sixty thousand bytes.

use std::ops::Range;

use memchr::memchr;

/// So many parameters of a query are looked at.
const MOST_PARAMETERS: usize = 256;

/// Where names and values stand in a text.
#[derive(Default)]
pub(super) struct Pairs(Vec<(Range<usize>, Range<usize>)>);

impl Pairs {
    /// None at all.
    pub(super) const NONE: &'static Self = &Self(Vec::new());

    /// The cookies of a `Cookie` header.
    // Not inlined, so that it is built for size; so is the next one.
    #[inline(never)]
    pub(super) fn of_cookies(line: &[u8]) -> Self {
        Self(crate::cookie::pairs(line).map(|(name, value)| (range(line, name), range(line, value))).collect())
    }

    /// The parameters of a path's query string, as they stand there. `?a` is the same as `?a=`.
    #[inline(never)]
    pub(super) fn of_query(path: &[u8]) -> Self {
        let whole = memchr(b'#', path).and_then(|hash| path.get(..hash)).unwrap_or(path);
        let query = memchr(b'?', whole).and_then(|question| whole.get(question + 1..)).unwrap_or_default();
        let parameters = query.split(|byte| *byte == b'&').take(MOST_PARAMETERS);
        let pairs = parameters.filter(|parameter| !parameter.is_empty()).map(|parameter| {
            let equals = memchr(b'=', parameter).unwrap_or(parameter.len());
            let value = parameter.get(equals + 1..).unwrap_or_default();
            (range(path, parameter.get(..equals).unwrap_or_default()), range(path, value))
        });
        Self(pairs.collect())
    }

    /// The values of a name, in their order. `text` is what the pairs were found in.
    pub(super) fn values<'a>(&self, text: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.0.iter().filter(move |(at, _)| text.get(at.clone()) == Some(name.as_bytes()));
        named.filter_map(|(_, value)| text.get(value.clone()))
    }
}

/// Where a part stands in its whole; an empty part stands anywhere.
fn range(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    if part.is_empty() { 0..0 } else { start..start.wrapping_add(part.len()) }
}
