//! Facts: what is known of one request, read lazily and at most once each.

mod pairs;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::net::{IpAddr, SocketAddr};

use pairs::Pairs;

/// Up to this length a path is searched anew for everybody who asks.
const SHORT: usize = 1024;

/// Where facts come from: a real request behind host calls, or a table in a test.
pub trait Source {
    /// The first header with this (lower-case) name, lent by a source that has it already. Pseudo-headers included, such as
    /// `:path`.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>>;

    /// All headers with this name, in their order.
    fn headers(&self, name: &str) -> Vec<Vec<u8>>;

    /// The client's address as the proxy determines it, with its port: `192.0.2.7:49152` or `[2001:db8::7]:49152`.
    fn source_address(&self) -> Option<Vec<u8>>;

    /// The name of the cluster that the route as matched so far leads to, of weighted clusters the one drawn; in Envoy the
    /// attribute `xds.cluster_name`.
    fn cluster_name(&self) -> Option<Vec<u8>>;

    /// Whether something of the above could not be told, though it may be there. A header of which that is so is given as an
    /// empty one, so that what is removed where it is there is removed.
    fn in_doubt(&self) -> bool {
        false
    }
}

/// What is known of one request.
pub struct Facts<'r, S> {
    source: &'r S,
    reads: Reads<'r>,
    /// The name of the visitor cookie, once it is known.
    own_cookie: Cell<Option<&'r str>>,
    /// Apart, since few requests need any of it.
    rare: OnceCell<Box<Rare>>,
}

/// What few requests are asked for.
#[derive(Default)]
struct Rare {
    /// Where the path ends and its query begins.
    path_end: OnceCell<usize>,
    query: OnceCell<Pairs>,
    first_cookies: OnceCell<Pairs>,
    /// Whether the first `Cookie` line is taken for the only one, since it holds a cookie of ours: browsers send one.
    is_whole: OnceCell<bool>,
    /// All `Cookie` lines joined, if the first one was not enough.
    all_cookies: OnceCell<Vec<u8>>,
    cookies: OnceCell<Pairs>,
    source_address: OnceCell<Option<IpAddr>>,
}

/// What was read so far: a list that only grows, so that references into it stay good. Few requests need more than the
/// first cells, which cost no allocation.
#[derive(Default)]
struct Reads<'r> {
    cells: [OnceCell<Read<'r>>; 5],
    more: OnceCell<Box<More<'r>>>,
}

/// Twice as many as before, so that the list is never deep: a VM's stack is small, and a list is dropped as deep as it is.
struct More<'r> {
    cells: Box<[OnceCell<Read<'r>>]>,
    more: OnceCell<Box<More<'r>>>,
}

struct Read<'r> {
    name: &'r str,
    value: Option<Cow<'r, [u8]>>,
}

impl<'r, S: Source> Facts<'r, S> {
    /// Facts of the request behind `source`. Nothing is read yet.
    pub fn new(source: &'r S) -> Self {
        Self { source, reads: Reads::default(), own_cookie: Cell::new(None), rare: OnceCell::new() }
    }

    /// The first header with this (lower-case) name.
    pub fn header(&self, name: &'r str) -> Option<&[u8]> {
        let (mut cells, mut more) = (&self.reads.cells[..], &self.reads.more);
        loop {
            for cell in cells {
                match cell.get() {
                    Some(read) if read.name == name => return read.value.as_deref(),
                    Some(_) => {}
                    None => {
                        let read = || Read { name, value: self.source.header(name) };
                        return cell.get_or_init(read).value.as_deref();
                    }
                }
            }
            let room = || (0..cells.len() * 2).map(|_| OnceCell::new()).collect();
            let next = more.get_or_init(|| Box::new(More { cells: room(), more: OnceCell::new() }));
            (cells, more) = (&next.cells, &next.more);
        }
    }

    /// The cluster that the route as matched so far leads to. Not remembered: nobody asks twice.
    pub(crate) fn cluster_name(&self) -> Option<Vec<u8>> {
        self.source.cluster_name()
    }

    /// Whether something that was asked for could not be told.
    #[inline]
    pub(crate) fn in_doubt(&self) -> bool {
        self.source.in_doubt()
    }

    /// Whether there is a header with this name. Not remembered: nobody asks twice.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.source.header(name).is_some()
    }

    /// The path without its query string.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        let path = self.header(":path")?;
        let end = || path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
        let end = if path.len() <= SHORT { end() } else { *self.rare().path_end.get_or_init(end) };
        path.get(..end)
    }

    /// The values of the query parameters with this name, in their order and as they stand in the URL. `?a` is the same as
    /// `?a=`.
    pub(crate) fn query(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let path = self.header(":path").unwrap_or_default();
        let has_none = path.len() <= SHORT && !path.contains(&b'?');
        let pairs = if has_none { Pairs::NONE } else { self.rare().query.get_or_init(|| Pairs::of_query(path)) };
        pairs.values(path, name)
    }

    /// The first clean cookie of this name, for those who ask for many names.
    pub(crate) fn cookie(&self, name: &str) -> Option<&[u8]> {
        let first = self.header("cookie")?;
        let rare = self.rare();
        let clean = |value: &&[u8]| crate::cookie::is_clean(value);
        let found = rare.first_cookies.get_or_init(|| Pairs::of_cookies(first)).values(first, name).find(clean);
        let is_whole = || crate::cookie::names(first).any(|name| self.is_own_cookie(name));
        if found.is_some() || *rare.is_whole.get_or_init(is_whole) {
            return found;
        }
        let all = self.all_cookies();
        rare.cookies.get_or_init(|| Pairs::of_cookies(all)).values(all, name).find(clean)
    }

    /// Tells which cookies the filter itself writes: one of this name, and those whose names go on behind it.
    #[inline]
    pub(crate) fn expect_cookies(&self, name: Option<&'r str>) {
        self.own_cookie.set(name);
    }

    /// What `find` finds in a `Cookie` line. Envoy gives the first line of an HTTP/1 request; if there is nothing in it,
    /// and no cookie that the filter has written or that `is_ours`, all lines are read and joined, once.
    pub(crate) fn in_cookies<'a, T>(
        &'a self,
        find: impl Fn(&'a [u8]) -> Option<T>,
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Option<T> {
        let first = self.header("cookie")?;
        let found = find(first);
        if found.is_some() || crate::cookie::names(first).any(|name| self.is_own_cookie(name) || is_ours(name)) {
            return found;
        }
        find(self.all_cookies())
    }

    /// All `Cookie` lines, joined.
    pub(crate) fn all_cookies(&self) -> &[u8] {
        self.rare().all_cookies.get_or_init(|| self.source.headers("cookie").join(b"; ".as_slice()))
    }

    fn is_own_cookie(&self, name: &[u8]) -> bool {
        let behind = self.own_cookie.get().and_then(|own| name.strip_prefix(own.as_bytes()));
        behind.is_some_and(|rest| matches!(rest, [] | [b'-', ..]))
    }

    /// The client's address; `None` if it is no IP address. IPv4 that is mapped to IPv6 counts as IPv4.
    pub(crate) fn source_address(&self) -> Option<IpAddr> {
        *self.rare().source_address.get_or_init(|| {
            let text = self.source.source_address()?;
            let address: SocketAddr = std::str::from_utf8(&text).ok()?.parse().ok()?;
            Some(address.ip().to_canonical())
        })
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }
}
