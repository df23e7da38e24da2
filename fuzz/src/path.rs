//! Target `path`: any bytes as host, path and query. Which rollout covers a request is worked out a second time, from
//! `docs/matching.md`, by trying every entry.

use std::sync::LazyLock;

use serin_cli::Request;
use serin_core::{Rules, Time};

use crate::given::Given;
use crate::judge::judge;
use crate::sound;

const NOW: Time = Time::from_unix_seconds(1_795_248_000);

#[derive(Clone, Copy)]
enum Host {
    Any,
    Exact(&'static str),
    /// Behind the `*`.
    Behind(&'static str),
}

#[derive(Clone, Copy)]
enum Path {
    Any,
    Exact(&'static str),
    Prefix(&'static str),
    /// The expression, and what it means.
    Regex(&'static str, fn(&str) -> bool),
}

/// The test of a query parameter.
#[derive(Clone, Copy)]
enum Query {
    Exact(&'static str),
    Prefix(&'static str),
    Present(bool),
    /// `exact`, with `ignore_case` and `invert`.
    NotInAnyCase(&'static str),
}

/// An entry of `match`, each in a rollout of its own.
struct Entry {
    host: Host,
    path: Path,
    post: bool,
    query: &'static [(&'static str, Query)],
}

const fn entry(host: Host, path: Path, post: bool, query: &'static [(&'static str, Query)]) -> Entry {
    Entry { host, path, post, query }
}

const SHOP: Host = Host::Exact("shop.example.com");
const SHOPS: Host = Host::Behind(".example.com");
const DEEP: Host = Host::Behind(".eu.example.com");

/// Rollouts are named by their places, so that the earlier one has the lesser name.
const ENTRIES: [Entry; 24] = [
    entry(SHOP, Path::Exact("/cart"), false, &[]),
    entry(SHOP, Path::Prefix("/cart"), false, &[]),
    entry(SHOP, Path::Prefix("/cart/pay"), false, &[]),
    entry(SHOP, Path::Prefix("/cart/pay"), true, &[]),
    entry(SHOP, Path::Regex("/c[a-z]+/[0-9]{1,3}", is_numbered), false, &[]),
    entry(SHOP, Path::Regex("/.*x", ends_in_x), false, &[("a", Query::Present(true))]),
    entry(SHOP, Path::Any, false, &[("a", Query::Exact("1")), ("b", Query::Prefix("x"))]),
    entry(SHOP, Path::Any, false, &[("a", Query::Exact("1"))]),
    entry(SHOPS, Path::Exact("/"), false, &[]),
    entry(SHOPS, Path::Prefix("/cart"), false, &[]),
    entry(SHOPS, Path::Prefix("/v2"), false, &[("q", Query::NotInAnyCase("No"))]),
    entry(SHOPS, Path::Any, true, &[]),
    entry(DEEP, Path::Exact("/a/b/c"), false, &[]),
    entry(DEEP, Path::Prefix("/a"), false, &[("a", Query::Exact(""))]),
    entry(DEEP, Path::Prefix("/a/b"), false, &[("a", Query::Present(false))]),
    entry(Host::Exact("[::1]"), Path::Any, false, &[]),
    entry(Host::Exact("localhost"), Path::Prefix("/v2"), false, &[]),
    entry(Host::Behind(".localhost"), Path::Any, false, &[("a", Query::Present(true))]),
    entry(Host::Any, Path::Exact("/cart"), true, &[]),
    entry(Host::Any, Path::Exact("/a%2Fb"), false, &[]),
    entry(Host::Any, Path::Prefix("/v2"), false, &[]),
    entry(Host::Any, Path::Prefix("/a/b/c/d"), false, &[]),
    entry(Host::Any, Path::Regex("(?i)/V[0-9]+.*", is_versioned), false, &[]),
    entry(Host::Any, Path::Any, false, &[("a", Query::Prefix("a"))]),
];

fn is_numbered(path: &str) -> bool {
    let Some((word, number)) = path.strip_prefix("/c").and_then(|rest| rest.split_once('/')) else { return false };
    let letters = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    letters && (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A dot is every character but a line feed.
fn ends_in_x(path: &str) -> bool {
    path.len() >= 2 && path.starts_with('/') && path.ends_with('x') && !path.contains('\n')
}

fn is_versioned(path: &str) -> bool {
    let rest = path.strip_prefix("/v").or_else(|| path.strip_prefix("/V"));
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()) && !rest.contains('\n'))
}

static COVER: LazyLock<(Rules, Given)> = LazyLock::new(|| {
    let rollouts: serde_json::Map<String, serde_json::Value> =
        ENTRIES.iter().enumerate().map(|(at, entry)| (name(at), entry.rollout())).collect();
    let document = serde_json::json!({"rollouts": rollouts}).to_string();
    let mut given = Given::default();
    given.add(document.as_bytes());
    (sound(&document), given)
});

fn name(at: usize) -> String {
    format!("r{at:02}")
}

/// The first byte says the method, the first line is the host, and the rest the path.
pub fn run(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (host, path) = (parts.next().unwrap_or_default(), parts.next());
    let method = if first % 2 == 0 { "GET" } else { "POST" };
    let mut headers =
        vec![(":method".to_owned(), method.as_bytes().to_vec()), (":authority".to_owned(), host.to_vec())];
    headers.extend(path.map(|path| (":path".to_owned(), path.to_vec())));
    let (rules, given) = &*COVER;
    let judged = judge(rules, given, &Request { headers, ..Request::default() }, NOW, 7);
    let path = path.unwrap_or_default();
    let fits = ENTRIES.iter().enumerate().filter(|(_, entry)| entry.holds(host, path, method == "POST"));
    let covering = fits.max_by_key(|(at, entry)| (entry.rank(), std::cmp::Reverse(*at)));
    assert_eq!(judged.rollout, covering.map(|(at, _)| name(at)));
}

impl Entry {
    fn rollout(&self) -> serde_json::Value {
        let mut entry = serde_json::json!({});
        match self.host {
            Host::Any => {}
            Host::Exact(host) => entry["hosts"] = serde_json::json!([host]),
            Host::Behind(rest) => entry["hosts"] = serde_json::json!([format!("*{rest}")]),
        }
        match self.path {
            Path::Any => {}
            Path::Exact(path) => entry["path"] = serde_json::json!({"exact": path}),
            Path::Prefix(path) => entry["path"] = serde_json::json!({"prefix": path}),
            Path::Regex(pattern, _) => entry["path"] = serde_json::json!({"regex": pattern}),
        }
        if self.post {
            entry["methods"] = serde_json::json!(["POST"]);
        }
        let query = self.query.iter().map(|(name, query)| match query {
            Query::Exact(text) => serde_json::json!({"name": name, "exact": text}),
            Query::Prefix(text) => serde_json::json!({"name": name, "prefix": text}),
            Query::Present(wanted) => serde_json::json!({"name": name, "present": wanted}),
            Query::NotInAnyCase(text) => {
                serde_json::json!({"name": name, "exact": text, "ignore_case": true, "invert": true})
            }
        });
        if !self.query.is_empty() {
            entry["query"] = query.collect();
        }
        serde_json::json!({"match": [entry], "stable": "v1", "versions": {"v1": {}, "v2": {"weight": 10}}})
    }

    fn holds(&self, host: &[u8], path: &[u8], post: bool) -> bool {
        let end = path.iter().position(|byte| b"?#".contains(byte)).unwrap_or(path.len());
        let whole = &path[..end];
        let by_path = match self.path {
            Path::Any => true,
            Path::Exact(text) => whole == text.as_bytes(),
            Path::Prefix(text) => {
                whole.strip_prefix(text.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
            }
            Path::Regex(_, matches) => whole.len() <= 2048 && std::str::from_utf8(whole).is_ok_and(matches),
        };
        by_path
            && self.host.holds(host)
            && (post || !self.post)
            && self.query.iter().all(|(name, query)| query.holds(parameter(path, name)))
    }

    /// The order of precedence, for one host and path each.
    fn rank(&self) -> (usize, (usize, usize), bool, usize) {
        let host = match self.host {
            Host::Any => 0,
            Host::Behind(rest) => rest.len(),
            Host::Exact(_) => usize::MAX,
        };
        let path = match self.path {
            Path::Any => (0, 0),
            Path::Regex(..) => (1, 0),
            Path::Prefix(text) => (2, text.len()),
            Path::Exact(_) => (3, 0),
        };
        (host, path, self.post, self.query.len())
    }
}

impl Host {
    fn holds(self, host: &[u8]) -> bool {
        let is_known = host.len() <= 253 + ":65535".len();
        let is_port = |colon: &usize| host[colon + 1..].iter().all(u8::is_ascii_digit);
        let colon = host.iter().rposition(|byte| *byte == b':').filter(is_port);
        let name = host[..colon.unwrap_or(host.len())].to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Exact(exact) => is_known && name == exact.as_bytes(),
            Self::Behind(rest) => is_known && name.len() > rest.len() && name.ends_with(rest.as_bytes()),
        }
    }
}

impl Query {
    fn holds(self, value: Option<&[u8]>) -> bool {
        // A longer value is there, and that is all that is asked of it.
        let text = value.filter(|value| value.len() <= 8192);
        match self {
            Self::Exact(exact) => text == Some(exact.as_bytes()),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_bytes())),
            Self::Present(wanted) => wanted == value.is_some(),
            Self::NotInAnyCase(other) => !text.is_some_and(|text| text.eq_ignore_ascii_case(other.as_bytes())),
        }
    }
}

/// The first parameter of a name, of the first 256.
fn parameter<'a>(path: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let path = path.split(|byte| *byte == b'#').next()?;
    let query = &path[path.iter().position(|byte| *byte == b'?')? + 1..];
    query.split(|byte| *byte == b'&').take(256).filter(|parameter| !parameter.is_empty()).find_map(|parameter| {
        let end = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
        (&parameter[..end] == name.as_bytes()).then(|| parameter.get(end + 1..).unwrap_or_default())
    })
}
