//! The precedence once more, spelled out for one request at a time, and any documents held against it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::common::Request;
use crate::{covering, listed};

/// An entry of the reference.
#[derive(Clone, Debug)]
struct Entry {
    hosts: Vec<&'static str>,
    path: (&'static str, &'static str),
    methods: Vec<&'static str>,
    /// The names have to be there.
    headers: Vec<&'static str>,
    query: Vec<&'static str>,
    cookies: Vec<&'static str>,
    source: bool,
}

/// What is asked of the reference.
#[derive(Clone, Debug)]
struct Asked {
    host: &'static str,
    path: &'static str,
    method: &'static str,
    headers: Vec<&'static str>,
    query: Vec<&'static str>,
    cookies: Vec<&'static str>,
    source: bool,
}

/// Host, path by kind and length, methods, headers, query, cookies, source.
type Rank = (usize, (u8, usize), bool, usize, usize, usize, bool);

impl Entry {
    fn json(&self) -> String {
        let present = |names: &[&str]| {
            let all: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "present": true})).collect();
            (!all.is_empty()).then_some(all)
        };
        let listed = |texts: &[&'static str]| if texts.is_empty() { None } else { Some(texts.to_vec()) };
        serde_json::json!({
            "hosts": listed(&self.hosts),
            "path": (!self.path.0.is_empty()).then(|| serde_json::json!({self.path.0: self.path.1})),
            "methods": listed(&self.methods),
            "headers": present(&self.headers),
            "query": present(&self.query),
            "cookies": present(&self.cookies),
            "source": self.source.then_some(["10.0.0.0/8"]),
        })
        .to_string()
    }

    /// How specific it is for a request that it matches.
    fn rank(&self, asked: &Asked) -> Option<Rank> {
        let of_host = |pattern: &&str| match pattern.strip_prefix('*') {
            Some(rest) => asked.host.ends_with(rest).then_some(rest.len()),
            None => (*pattern == asked.host).then_some(usize::MAX),
        };
        let host = if self.hosts.is_empty() { Some(0) } else { self.hosts.iter().filter_map(of_host).max() }?;
        let under = |prefix: &str| asked.path == prefix || asked.path.starts_with(&format!("{prefix}/"));
        let path = match self.path {
            ("exact", path) => (asked.path == path).then_some((3, 0)),
            ("prefix", prefix) => under(prefix).then_some((2, prefix.len())),
            ("regex", _) => asked.path.starts_with("/a").then_some((1, 0)),
            _ => Some((0, 0)),
        }?;
        let among = |wanted: &[&str], there: &[&str]| wanted.iter().all(|name| there.contains(name));
        let holds = (self.methods.is_empty() || self.methods.contains(&asked.method))
            && among(&self.headers, &asked.headers)
            && among(&self.query, &asked.query)
            && among(&self.cookies, &asked.cookies)
            && (!self.source || asked.source);
        let (headers, query, cookies) = (self.headers.len(), self.query.len(), self.cookies.len());
        holds.then_some((host, path, !self.methods.is_empty(), headers, query, cookies, self.source))
    }
}

impl Asked {
    fn request(&self) -> Request {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query.join("&")) };
        let address = if self.source { "10.1.2.3:4" } else { "192.0.2.7:4" };
        let request =
            Request::to(self.host, &format!("{}{query}", self.path)).with(":method", self.method).from(address);
        let request = self.headers.iter().fold(request, |request, name| request.with(name, "1"));
        let cookies: Vec<String> = self.cookies.iter().map(|name| format!("{name}=1")).collect();
        if cookies.is_empty() { request } else { request.with("cookie", cookies.join("; ")) }
    }
}

const PATHS: [(&str, &str); 8] = [
    ("", ""),
    ("exact", "/a"),
    ("exact", "/a/b"),
    ("prefix", "/a"),
    ("prefix", "/a/b"),
    ("prefix", "/c"),
    ("regex", "/a.*"),
    ("regex", "(/a)(.*)"),
];

fn entry() -> impl Strategy<Value = Entry> {
    (
        subsequence(vec!["a.b.h", "b.h", "*.h", "*.b.h"], 0..3),
        select(&PATHS[..]),
        subsequence(vec!["GET", "PUT"], 0..=2),
        subsequence(vec!["x-a", "x-b"], 0..=2),
        subsequence(vec!["q", "r"], 0..=2),
        subsequence(vec!["c", "d"], 0..=2),
        any::<bool>(),
    )
        .prop_map(|(hosts, path, methods, headers, query, cookies, source)| Entry {
            hosts,
            path,
            methods,
            headers,
            query,
            cookies,
            source,
        })
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        select(vec!["a.b.h", "b.h", "x.b.h", "x.h", "h"]),
        select(vec!["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/c/d"]),
        select(vec!["GET", "PUT", "HEAD"]),
        subsequence(vec!["x-a", "x-b"], 0..=2),
        subsequence(vec!["q", "r"], 0..=2),
        subsequence(vec!["c", "d"], 0..=2),
        any::<bool>(),
    )
        .prop_map(|(host, path, method, headers, query, cookies, source)| Asked {
            host,
            path,
            method,
            headers,
            query,
            cookies,
            source,
        })
}

/// Names in an order that is neither that of the document nor that of generation.
const NAMES: [&str; 6] = ["d", "b", "f", "a", "e", "c"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_order_gives_what_the_precedence_says(
        rollouts in vec(vec(entry(), 1..4), 1..=6),
        requests in vec(asked(), 8),
        turn in 0_usize..6,
    ) {
        let named: Vec<(&str, &Vec<Entry>)> = NAMES.into_iter().zip(&rollouts).collect();
        let json = |entries: &[Entry], back: bool| {
            let mut all: Vec<String> = entries.iter().map(Entry::json).collect();
            if back {
                all.reverse();
            }
            format!("[{}]", all.join(","))
        };
        let forward = listed(named.iter().map(|(name, entries)| (*name, json(entries, false))));
        let turned = named.iter().cycle().skip(turn).take(named.len()).collect::<Vec<_>>();
        let turned = listed(turned.into_iter().rev().map(|(name, entries)| (*name, json(entries, true))));
        for asked in &requests {
            let ranked = named.iter().flat_map(|(name, entries)| {
                entries.iter().filter_map(|entry| Some((entry.rank(asked)?, std::cmp::Reverse(*name))))
            });
            let expected = ranked.max().map_or("", |(_, std::cmp::Reverse(name))| name);
            prop_assert_eq!(covering(&forward, &asked.request()), expected, "{:?}", asked);
            prop_assert_eq!(covering(&turned, &asked.request()), expected, "{:?} turned", asked);
        }
    }
}
