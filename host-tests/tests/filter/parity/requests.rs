//! Requests out of parts that matter to some document, of browsers that bring back what they were given.

use fastrand::Rng;
use serin_core::{Rules, Time};
use serin_host::{HeaderMap, Request, Worker};

/// A request as it goes into the filter, and the answer that waits behind it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) source_address: Option<&'static str>,
    pub(crate) cluster_name: Option<&'static str>,
    pub(crate) answer: HeaderMap,
}

impl Sent {
    /// Whether the answer is a server's error.
    pub(crate) fn fails(&self) -> bool {
        self.answer.get(":status").is_some_and(|status| status.starts_with(b"5"))
    }
}

/// Somebody's cookies by name. They are kept past their age: not every client does as it should.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    cookies: Vec<(String, String)>,
}

/// The parts of a header; `chance` is of ten.
struct Part {
    name: &'static str,
    chance: u8,
    values: &'static [&'static str],
}

const fn part(name: &'static str, chance: u8, values: &'static [&'static str]) -> Part {
    Part { name, chance, values }
}

const PARTS: [Part; 16] = [
    part("x-canary", 2, &["v1", "v2", " always ", "V2", "", "nobody", "auto", "v3"]),
    part("x-secret", 2, &["open, sesame, open", "open, sesame", "", "open, sesame, open"]),
    part("x-user-id", 3, &["alice", "bob", "carol", " ", ""]),
    part("x-beta", 3, &["yes", "YES", "no", ""]),
    part("x-canary-version", 2, &["v1", "v2", "spoofed", ""]),
    part("x-v", 1, &["v2", "spoofed"]),
    part("x-c", 1, &["shop-v2"]),
    part("x-s", 1, &["7"]),
    part("x-r", 1, &["slot"]),
    part("x-lane", 2, &["one", "two", "spoofed"]),
    part("x-empty", 1, &["", "full"]),
    part("sec-fetch-dest", 3, &["document", "image", "empty"]),
    part("accept", 4, &["text/html,application/xhtml+xml", "*/*"]),
    part("sec-purpose", 1, &["prefetch", "prefetch;prerender"]),
    part("purpose", 1, &["prefetch"]),
    part("user-agent", 5, &["a browser"]),
];

const HOSTS: [&str; 6] = ["shop.example.com", "SHOP.example.com:80", "www.example.com", "example.com", "", "\u{e9}"];
const PATHS: [&str; 12] = [
    "/",
    "/cart",
    "/carts",
    "/cart/pay",
    "/cart/pay/now",
    "/?canary=v2",
    "/cart?canary=no&canary=always",
    "/?user=alice",
    "/cart?a&user=&user=bob&canary=auto",
    "/?user=carol#?user=bob",
    "*",
    "",
];
const ADDRESSES: [Option<&str>; 7] = [
    Some("10.1.2.3:4000"),
    Some("192.0.2.7:1"),
    Some("[fd00::1]:9"),
    Some("[::ffff:10.1.2.3]:80"),
    Some("/run/envoy.sock"),
    Some(""),
    None,
];
const CLUSTERS: [Option<&str>; 5] = [Some("shop-v1"), Some("shop-v2"), Some("shop-v3"), Some("another"), None];
const CACHE_CONTROL: [&str; 5] = ["public, max-age=60, s-maxage=600", "no-store", "private", "max-age=5", ""];

impl Browser {
    /// A request to this worker, and what the filter will see of it.
    pub(crate) fn any_request(&self, worker: &Worker, rules: &Rules, now: Time, rng: &mut Rng) -> (Request, Sent) {
        let method = if rng.u8(..4) == 0 { pick(rng, &["POST", "PUT", "post"]) } else { "GET" };
        let mut request = worker.request(method, pick(rng, &PATHS)).host(pick(rng, &HOSTS));
        for part in &PARTS {
            if rng.u8(..10) < part.chance {
                request = request.header(part.name, pick(rng, part.values));
            }
        }
        if let Some(token) = any_token(rules, now, rng) {
            request = request.header("x-canary", token);
        }
        for line in self.cookie_lines(rng) {
            request = request.header("cookie", line);
        }
        let (source_address, cluster_name) = (rng.choice(ADDRESSES).flatten(), rng.choice(CLUSTERS).flatten());
        if let Some(address) = source_address {
            request = request.property("source.address", address);
        }
        if let Some(name) = cluster_name {
            request = request.property("xds.cluster_name", name);
        }
        let answer = any_answer(rng);
        // A listener without a filter passes the headers on as they were sent.
        let headers = request.clone().on("unfiltered").send().unwrap().request;
        (request.answered(answer.clone()), Sent { headers, source_address, cluster_name, answer })
    }

    /// Takes over what the response sets, and gives up what it takes away.
    pub(crate) fn keep(&mut self, response: &HeaderMap) {
        for line in response.all("set-cookie") {
            let line = std::str::from_utf8(line).expect("what the filter writes is text");
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a name and a value");
            self.cookies.retain(|(known, _)| known != name);
            if !attributes.contains("Max-Age=0;") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Its own cookies, now and then changed, among others: in one line or two.
    fn cookie_lines(&self, rng: &mut Rng) -> Vec<String> {
        let mut pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let (true, Some(pair)) = (rng.u8(..8) == 0, pairs.last_mut()) {
            spoil(pair, rng);
        }
        if rng.u8(..8) == 0 {
            pairs.clear();
        }
        for _ in 0..rng.usize(..3) {
            let stranger = any_cookie(rng);
            pairs.insert(rng.usize(..=pairs.len()), stranger);
        }
        let second = if rng.u8(..4) == 0 { pairs.split_off(pairs.len() / 2) } else { Vec::new() };
        let separator = pick(rng, &["; ", "; ", "; ", ";", " ; "]);
        [pairs, second].iter().filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join(separator)).collect()
    }
}

/// Replaces one character.
fn spoil(pair: &mut String, rng: &mut Rng) {
    let at = rng.usize(..pair.len());
    if pair.is_char_boundary(at) && pair.is_char_boundary(at + 1) {
        let other = rng.alphanumeric().to_string();
        pair.replace_range(at..=at, &other);
    }
}

fn any_cookie(rng: &mut Rng) -> String {
    let number: String = (0..10).map(|_| rng.alphanumeric()).collect();
    let day = 20_440 + rng.u32(..60);
    let visitor = pick(rng, &["canary", "vid"]);
    match rng.u8(..7) {
        0 => format!("{visitor}=n{number}.d{day}"),
        1 => format!("{visitor}=d{day}.x1.n{number}"),
        2 => format!("{visitor}-shop=uAAAA.vv2.ov2.e{}.d{day}", 1_767_225_600 + rng.u32(..200_000)),
        3 => format!("{visitor}-shop=ov3.e9999999999.d{day}"),
        4 => pick(rng, &["lane=v2", "lane=always", "lane=nobody", "lane=", "lane=auto"]).to_owned(),
        5 => pick(rng, &["sid=1", "sid=2", "sid=", "session=x"]).to_owned(),
        _ => pick(rng, &["canary=n1.d2", "canary", "=", "", "canary-shop=", "vid-shop=d1"]).to_owned(),
    }
}

/// A token that may count or may have expired; none without keys.
fn any_token(rules: &Rules, now: Time, rng: &mut Rng) -> Option<String> {
    let keys = rules.keys().filter(|_| rng.u8(..5) == 0)?;
    let rollout = pick(rng, &["shop", "shop", "shop", "drawn"]);
    let version = pick(rng, &["v1", "v2", "always", "v9"]);
    let expiry = Time::from_unix_seconds(now.unix_seconds() + rng.u64(..400) - 100);
    keys.token(rollout, version, expiry)
}

fn any_answer(rng: &mut Rng) -> HeaderMap {
    let mut answer = HeaderMap::response().with(":status", pick(rng, &["200", "200", "200", "302", "404", "503"]));
    if rng.u8(..3) == 0 {
        answer.add("cache-control", pick(rng, &CACHE_CONTROL));
    }
    if rng.u8(..4) == 0 {
        answer.add("set-cookie", pick(rng, &["session=1; Path=/", "sid=2; Path=/"]));
    }
    if rng.u8(..8) == 0 {
        answer.add("x-a", "the application's own");
    }
    answer
}

fn pick<'a>(rng: &mut Rng, values: &[&'a str]) -> &'a str {
    values[rng.usize(..values.len())]
}
