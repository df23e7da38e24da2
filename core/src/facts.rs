//! Facts: what is known of one request, read lazily and at most once each.

use std::cell::OnceCell;

/// Where facts come from: a real request behind host calls, or a table in a test.
pub trait Source {
    /// The first header with this (lower-case) name. Pseudo-headers included, such as `:path`.
    fn header(&self, name: &str) -> Option<Vec<u8>>;

    /// All headers with this name, in their order.
    fn headers(&self, name: &str) -> Vec<Vec<u8>>;
}

/// What is known of one request.
pub struct Facts<'r, S> {
    source: S,
    /// A chain of what was read so far; it only grows, so that references into it stay good.
    reads: Link<'r>,
    /// All `Cookie` lines joined, if the first one was not enough.
    all_cookies: OnceCell<Vec<u8>>,
}

type Link<'r> = OnceCell<Box<Read<'r>>>;

struct Read<'r> {
    name: &'r str,
    value: Option<Vec<u8>>,
    next: Link<'r>,
}

impl<'r, S: Source> Facts<'r, S> {
    /// Facts of the request behind `source`. Reads nothing yet.
    pub fn new(source: S) -> Self {
        Self { source, reads: OnceCell::new(), all_cookies: OnceCell::new() }
    }

    /// The first header with this (lower-case) name.
    pub fn header(&self, name: &'r str) -> Option<&[u8]> {
        let mut link = &self.reads;
        loop {
            let read =
                link.get_or_init(|| Box::new(Read { name, value: self.source.header(name), next: OnceCell::new() }));
            if read.name == name {
                return read.value.as_deref();
            }
            link = &read.next;
        }
    }

    /// The path without its query string.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        self.header(":path")?.split(|byte| matches!(byte, b'?' | b'#')).next()
    }

    /// The value of the first query parameter with this name, as it stands in the URL.
    pub(crate) fn query(&self, name: &str) -> Option<&[u8]> {
        let path = self.header(":path")?.split(|byte| *byte == b'#').next()?;
        let question = path.iter().position(|byte| *byte == b'?')?;
        let parameters = path.get(question + 1..)?.split(|byte| *byte == b'&');
        parameters.filter_map(|parameter| parameter.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).next()
    }

    /// A `Cookie` line to look into. Envoy gives the first line of an HTTP/1 request; if that one has no cookie that
    /// `is_ours`, all lines are read and joined, once.
    pub(crate) fn cookies(&self, is_ours: impl Fn(&[u8]) -> bool) -> &[u8] {
        let Some(first) = self.header("cookie") else { return &[] };
        if crate::cookie::pairs(first).any(|(name, _)| is_ours(name)) {
            return first;
        }
        self.all_cookies.get_or_init(|| self.source.headers("cookie").join(b"; ".as_slice()))
    }
}

/// A day: whole days since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u32);

impl Day {
    /// The day of a time in seconds since 1970-01-01 UTC.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX))
    }

    /// The day with up to seven decimal digits, as cookies hold it.
    #[inline]
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        let sound = matches!(text.len(), 1..=7) && text.iter().all(u8::is_ascii_digit);
        sound.then(|| Self(text.iter().fold(0, |day, digit| day * 10 + u32::from(digit - b'0'))))
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whole days from `earlier` to this day; 0 if it is not earlier.
    #[inline]
    pub fn days_since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}
