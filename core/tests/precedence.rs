//! Which of several matching rollouts covers a request: Gateway API's precedence, as its conformance tests check it, and
//! the same answer whatever the order in the document.

mod common;

use common::{Request, outcome, rules};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serin_core::Rules;

/// The rules of rollouts given as `(name, match)`.
#[track_caller]
fn listed<'a>(rollouts: impl IntoIterator<Item = (&'a str, String)>) -> Rules {
    let listed: Vec<String> = rollouts
        .into_iter()
        .map(|(name, entries)| {
            format!(r#""{name}": {{"match": {entries}, "stable": "v1", "versions": {{"v1": {{}}}}}}"#)
        })
        .collect();
    rules(&format!(r#"{{"rollouts": {{{}}}}}"#, listed.join(",")))
}

/// A request out of `METHOD host/path name:value …`.
fn request(text: &str) -> Request {
    let mut words = text.split(' ');
    let method = words.next().expect("a method");
    let (host, path) = words.next().and_then(|url| url.split_once('/')).expect("a host and a path");
    let request = Request::to(host, &format!("/{path}")).with(":method", method);
    words.fold(request, |request, header| {
        let (name, value) = header.split_once(':').expect("a header");
        request.with(name, value)
    })
}

/// Checks which of the rollouts `(name, match)` covers each request.
#[track_caller]
fn check(rollouts: &[(&str, &str)], requests: &[(&str, &str)]) {
    let owned = || rollouts.iter().map(|(name, entries)| (*name, (*entries).to_owned()));
    for rules in [listed(owned()), listed(owned().rev())] {
        for (text, expected) in requests {
            assert_eq!(covering(&rules, &request(text)), *expected, "{text}");
        }
    }
}

/// The rollout that covers a request, or nothing.
fn covering(rules: &Rules, request: &Request) -> String {
    outcome(rules, request, 0).answer.split('/').next().unwrap_or_default().to_owned()
}

#[test]
fn paths_and_headers() {
    check(
        &[
            ("v1", r#"[{"path": {"prefix": "/"}}, {"headers": [{"name": "version", "exact": "one"}]}]"#),
            ("v2", r#"[{"path": {"prefix": "/v2"}}, {"headers": [{"name": "version", "exact": "two"}]}]"#),
        ],
        &[
            ("GET h/", "v1"),
            ("GET h/example", "v1"),
            ("GET h/ version:one", "v1"),
            ("GET h/v2", "v2"),
            ("GET h/v2/example", "v2"),
            ("GET h/ version:two", "v2"),
            ("GET h/v2/", "v2"),
            ("GET h/v2example", "v1"),
            ("GET h/foo/v2/example", "v1"),
            ("GET h/v2 version:one", "v2"),
        ],
    );
}

#[test]
fn path_order() {
    check(
        &[
            ("a", r#"[{"path": {"exact": "/match"}}]"#),
            ("b", r#"[{"path": {"exact": "/match/exact"}}]"#),
            ("c", r#"[{"path": {"exact": "/match/exact/one"}}]"#),
            ("d", r#"[{"path": {"prefix": "/match/"}}]"#),
            ("e", r#"[{"path": {"prefix": "/match/prefix/"}}]"#),
            ("f", r#"[{"path": {"prefix": "/match/prefix/one"}}]"#),
            ("g", r#"[{"path": {"regex": "/match/prefix/.*|/[a-z]+"}}]"#),
            ("h", r#"[{"path": {"prefix": "/"}, "methods": ["PUT"]}]"#),
        ],
        &[
            ("GET h/match/exact/one", "c"),
            ("GET h/match/exact", "b"),
            ("GET h/match", "a"),
            ("GET h/match/prefix/one/any", "f"),
            ("GET h/match/prefix/any", "e"),
            ("GET h/match/any", "d"),
            ("PUT h/match/any", "d"),
            ("PUT h/other", "g"),
            ("PUT h/other/", "h"),
            ("GET h/other/", ""),
        ],
    );
}

#[test]
fn exact_paths() {
    check(
        &[("v1", r#"[{"path": {"exact": "/one"}}]"#), ("v2", r#"[{"path": {"exact": "/two"}}]"#)],
        &[
            ("GET h/one", "v1"),
            ("GET h/two", "v2"),
            ("GET h/", ""),
            ("GET h/one/example", ""),
            ("GET h/two/", ""),
            ("GET h/Two", ""),
        ],
    );
}

#[test]
fn headers() {
    let color = |one: &str, other: &str| {
        let entry = |color| format!(r#"{{"headers": [{{"name": "color", "exact": "{color}"}}]}}"#);
        format!("[{}, {}]", entry(one), entry(other))
    };
    check(
        &[
            ("a", r#"[{"headers": [{"name": "version", "exact": "one"}]}]"#),
            ("b", r#"[{"headers": [{"name": "version", "exact": "two"}]}]"#),
            ("c", r#"[{"headers": [{"name": "version", "exact": "two"}, {"name": "color", "exact": "orange"}]}]"#),
            ("d", &color("blue", "green")),
            ("e", &color("red", "yellow")),
        ],
        &[
            ("GET h/ version:one", "a"),
            ("GET h/ version:two", "b"),
            ("GET h/ version:two color:orange", "c"),
            ("GET h/ version:two color:blue", "b"),
            ("GET h/ color:orange", ""),
            ("GET h/ some-other-header:one", ""),
            ("GET h/ color:blue", "d"),
            ("GET h/ color:green", "d"),
            ("GET h/ color:red", "e"),
            ("GET h/ color:yellow", "e"),
            ("GET h/ color:purple", ""),
        ],
    );
}

#[test]
fn query_parameters() {
    const WHALE: &str = r#""query": [{"name": "animal", "exact": "whale"}]"#;
    let with_whale = |fields: &str| format!("[{{{fields}{WHALE}}}]");
    check(
        &[
            ("a", &with_whale("")),
            ("b", r#"[{"query": [{"name": "animal", "exact": "dolphin"}]}]"#),
            (
                "c",
                r#"[{"query": [{"name": "animal", "exact": "dolphin"}, {"name": "color", "exact": "blue"}]},
                    {"query": [{"name": "ANIMAL", "exact": "Whale"}]}]"#,
            ),
            ("d", &with_whale(r#""path": {"prefix": "/path1"}, "#)),
            ("e", &with_whale(r#""headers": [{"name": "version", "exact": "one"}], "#)),
            ("f", &with_whale(r#""path": {"prefix": "/path2"}, "headers": [{"name": "version", "exact": "two"}], "#)),
            (
                "g",
                r#"[{"path": {"prefix": "/path3"}, "query": [{"name": "animal", "exact": "shark"}]},
                    {"path": {"prefix": "/path4"}, "headers": [{"name": "version", "exact": "three"}],
                     "query": [{"name": "animal", "exact": "kraken"}]}]"#,
            ),
            ("h", r#"[{"path": {"prefix": "/path5"}}]"#),
            ("i", r#"[{"query": [{"name": "animal", "exact": "hydra"}]}]"#),
            ("j", r#"[{"headers": [{"name": "version", "exact": "four"}]}]"#),
        ],
        &[
            ("GET h/?animal=whale", "a"),
            ("GET h/?animal=dolphin", "b"),
            ("GET h/?animal=dolphin&color=blue", "c"),
            ("GET h/?ANIMAL=Whale", "c"),
            ("GET h/?animal=whale&otherparam=irrelevant", "a"),
            ("GET h/?animal=dolphin&color=yellow", "b"),
            ("GET h/?color=blue", ""),
            ("GET h/?animal=dog", ""),
            ("GET h/?animal=whaledolphin", ""),
            ("GET h/", ""),
            ("GET h/path1?animal=whale", "d"),
            ("GET h/?animal=whale version:one", "e"),
            ("GET h/path2?animal=whale version:two", "f"),
            ("GET h/path3?animal=shark", "g"),
            ("GET h/path4?animal=kraken version:three", "g"),
            ("GET h/?animal=shark", ""),
            ("GET h/path4?animal=kraken", ""),
            ("GET h/path5?animal=hydra", "h"),
            ("GET h/?animal=hydra version:four", "j"),
        ],
    );
}

#[test]
fn methods() {
    check(
        &[
            ("a", r#"[{"methods": ["POST"]}]"#),
            ("b", r#"[{"methods": ["GET"]}]"#),
            ("c", r#"[{"path": {"prefix": "/path1"}, "methods": ["GET"]}]"#),
            ("d", r#"[{"headers": [{"name": "version", "exact": "one"}], "methods": ["PUT"]}]"#),
            (
                "e",
                r#"[{"path": {"prefix": "/path2"}, "headers": [{"name": "version", "exact": "two"}], "methods": ["POST"]}]"#,
            ),
            (
                "f",
                r#"[{"path": {"prefix": "/path3"}, "methods": ["PATCH"]},
                    {"path": {"prefix": "/path4"}, "headers": [{"name": "version", "exact": "three"}], "methods": ["DELETE"]}]"#,
            ),
            ("g", r#"[{"path": {"prefix": "/path5"}}]"#),
            ("h", r#"[{"methods": ["PATCH"]}]"#),
            ("i", r#"[{"headers": [{"name": "version", "exact": "four"}]}]"#),
        ],
        &[
            ("POST h/", "a"),
            ("GET h/", "b"),
            ("HEAD h/", ""),
            ("GET h/path1", "c"),
            ("PUT h/ version:one", "d"),
            ("POST h/path2 version:two", "e"),
            ("PATCH h/path3", "f"),
            ("DELETE h/path4 version:three", "f"),
            ("PUT h/", ""),
            ("DELETE h/path4", ""),
            ("PATCH h/path5", "g"),
            ("PATCH h/ version:four", "h"),
        ],
    );
}

#[test]
fn across_rollouts() {
    check(
        &[
            (
                "part1",
                r#"[{"hosts": ["example.com", "example.net"], "path": {"prefix": "/"}},
                    {"hosts": ["example.com", "example.net"], "headers": [{"name": "version", "exact": "one"}]}]"#,
            ),
            (
                "part2",
                r#"[{"hosts": ["example.com"], "path": {"prefix": "/v2"}},
                    {"hosts": ["example.com"], "headers": [{"name": "version", "exact": "two"}]}]"#,
            ),
        ],
        &[
            ("GET example.com/", "part1"),
            ("GET example.com/example", "part1"),
            ("GET example.net/example", "part1"),
            ("GET example.com/example version:one", "part1"),
            ("GET example.com/v2", "part2"),
            ("GET example.net/v2", "part1"),
            ("GET example.com/v2/example", "part2"),
            ("GET example.com/ version:two", "part2"),
        ],
    );
}

#[test]
fn what_the_more_specific_leaves_falls_to_the_less_specific() {
    check(
        &[
            ("exact", r#"[{"hosts": ["a.h"], "path": {"exact": "/x/y"}, "methods": ["GET"]}]"#),
            (
                "long",
                r#"[{"hosts": ["a.h"], "path": {"prefix": "/x/y"}, "cookies": [{"name": "beta", "exact": "1"}]}]"#,
            ),
            ("short", r#"[{"hosts": ["a.h"], "path": {"prefix": "/x"}, "query": [{"name": "q", "present": true}]}]"#),
            (
                "regex",
                r#"[{"hosts": ["a.h"], "path": {"regex": "/x.*"}, "headers": [{"name": "r", "present": true}]}]"#,
            ),
            ("any", r#"[{"hosts": ["a.h"], "headers": [{"name": "p", "present": true}]}]"#),
            ("wild", r#"[{"hosts": ["*.h"], "headers": [{"name": "w", "present": true}]}]"#),
            ("all", "[{}]"),
        ],
        &[
            ("GET a.h/x/y?q cookie:beta=1 r:1 p:1 w:1", "exact"),
            ("PUT a.h/x/y?q cookie:beta=1 r:1 p:1 w:1", "long"),
            ("PUT a.h/x/y?q cookie:beta=2 r:1 p:1 w:1", "short"),
            ("PUT a.h/x/y r:1 p:1 w:1", "regex"),
            ("PUT a.h/x/y p:1 w:1", "any"),
            ("PUT a.h/x/y w:1", "wild"),
            ("PUT a.h/x/y", "all"),
        ],
    );
}

#[test]
fn conditions_in_their_order() {
    const METHODS: &str = r#""methods": ["GET"]"#;
    let named = |kind: &str, count: usize| {
        let one: Vec<String> = (0..count).map(|n| format!(r#"{{"name": "n{n}", "present": false}}"#)).collect();
        format!(r#""{kind}": [{}]"#, one.join(","))
    };
    let source = r#""source": ["0.0.0.0/0"]"#.to_owned();
    // Each alone is more specific than all that come after it together.
    let ladder = [
        METHODS.to_owned(),
        named("headers", 2),
        named("headers", 1),
        named("query", 2),
        named("query", 1),
        named("cookies", 2),
        named("cookies", 1),
        source,
    ];
    for (at, wins) in ladder.iter().enumerate() {
        let kind = |fields: &str| fields.split(':').next().unwrap_or_default().to_owned();
        let mut rest: Vec<String> = Vec::new();
        for fields in ladder.iter().skip(at + 1) {
            if !rest.iter().chain([wins]).any(|earlier| kind(earlier) == kind(fields)) {
                rest.push(fields.clone());
            }
        }
        let rules = listed([("a", format!("[{{{}}}]", rest.join(","))), ("b", format!("[{{{wins}}}]"))]);
        let request = request("GET h/").from("192.0.2.7:1");
        assert_eq!(covering(&rules, &request), "b", "{wins} against {rest:?}");
    }
}

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
