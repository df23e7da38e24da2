//! The core, run natively, as the oracle for the module: the same requests, the same decisions, the same headers.

use fastrand::Rng;
use serde_json::{Value, json};
use serin_core::{Effects, Facts, Rules, Source, Surroundings, Time, decide};
use serin_host::{HeaderMap, Proxy, Request};

use crate::site::{merge, proxy, shop_with};

/// Headers of a request as the core reads them.
struct Headers<'a>(&'a HeaderMap);

impl Source for Headers<'_> {
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).map(<[u8]>::to_vec)
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.all(name).into_iter().map(<[u8]>::to_vec).collect()
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        None
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        None // These requests have no such property.
    }
}

/// What the core makes of a request: the headers that routes see, and the cookie to write.
fn oracle(rules: &Rules, request: &HeaderMap, now: Time, drawn: u64) -> (HeaderMap, Vec<String>) {
    let facts = Facts::new(Headers(request));
    let decision = decide(rules, &facts, now, || drawn);
    let effects = Effects::of(rules, decision.as_ref(), &facts, now);
    let mut seen = request.clone();
    for name in &effects.remove {
        seen.remove(name);
    }
    for (name, value) in effects.set() {
        seen.replace(name, value.as_bytes());
    }
    let response = effects.response.map(|response| *response).unwrap_or_default();
    (seen, response.set_cookies.into_iter().flatten().collect())
}

/// The random bits that became the visitor number in this cookie, or none if none was written.
fn bits_of(set_cookies: &[String]) -> u64 {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = set_cookies.iter().find_map(|line| line.split_once("=n")).map_or("", |(_, rest)| &rest[..10]);
    number.chars().fold(0, |bits, c| bits << 6 | ALPHABET.find(c).expect("base64url") as u64)
}

#[track_caller]
fn check(proxy: &Proxy, rules: &Rules, make: impl Fn(Request) -> Request, path: &str) {
    for worker in proxy.workers() {
        let request = make(worker.get(path));
        // A listener without a filter passes the headers on as they were sent.
        let sent = request.clone().on("unfiltered").send().unwrap().request;
        let exchange = request.send().unwrap();
        let set_cookies: Vec<String> = exchange.response.all("set-cookie").into_iter().map(text).collect();
        let now = Time::from_unix_seconds(proxy.now().as_secs());
        let expected = oracle(rules, &sent, now, bits_of(&set_cookies));
        assert_eq!((exchange.request, set_cookies), expected, "{sent:?}");
    }
}

#[test]
fn the_module_decides_as_the_core_does() {
    let mut rng = Rng::with_seed(1);
    for document in documents() {
        let proxy = proxy(&document);
        let rules = Rules::parse(document.to_string().as_bytes(), &Surroundings::default()).rules.expect("sound");
        for _ in 0..400 {
            let (path, headers) = any_request(&mut rng);
            let make = |request: Request| {
                headers.iter().fold(request, |request, (name, value)| match *name {
                    ":authority" => request.host(value),
                    name => request.header(name, value),
                })
            };
            check(&proxy, &rules, make, &path);
        }
    }
}

fn documents() -> Vec<Value> {
    let overrides = json!({"header": "x-canary", "query": "canary", "cookie": "lane", "aliases": {"always": "v2"}});
    let units = json!([{"header": "x-user-id"}, {"cookie": "sid"}]);
    let mut many = shop_with(30, &json!({"match": [{"hosts": ["shop.example.com"]}], "override": overrides}));
    for (name, entry) in [
        ("cart", json!({"hosts": ["*.example.com"], "path": {"prefix": "/cart"}})),
        ("pay", json!({"path": {"exact": "/cart/pay"}})),
    ] {
        many["rollouts"][name] = json!({
            "match": [entry], "stable": "s", "mark_stable": true, "release": name,
            "versions": {"s": {}, "a": {"weight": 20, "place": "low"}, "b": {"weight": 30, "place": "high"}},
            "sticky": {"unit": units, "prefer": "unit"},
        });
    }
    let headers = json!({"version": "x-v", "cluster": "x-c", "slot": "x-s", "reason": "x-r"});
    let mut marked = shop_with(50, &json!({"sticky": {"unit": units}, "override": overrides, "total": 200}));
    merge(&mut marked, &json!({"headers": headers, "cookie": {"name": "vid", "max_age": "2d"}}));
    vec![shop_with(50, &json!({})), shop_with(50, &json!({"override": overrides})), many, marked]
}

/// A request out of parts that matter to some document.
fn any_request(rng: &mut Rng) -> (String, Vec<(&'static str, String)>) {
    let path = pick(rng, &["/", "/cart", "/carts", "/cart/pay", "/cart/pay/now", "/?canary=v2", "/cart?canary=no"]);
    let mut headers = vec![(
        ":authority",
        pick(rng, &["shop.example.com", "SHOP.example.com:80", "www.example.com", "example.com", "", "\u{e9}"]),
    )];
    let mut maybe = |chance: u8, name: &'static str, values: &[&str], rng: &mut Rng| {
        if rng.u8(..10) < chance {
            headers.push((name, pick(rng, values)));
        }
    };
    maybe(2, "x-canary", &["v1", "v2", " always ", "V2", "", "nobody"], rng);
    maybe(3, "x-user-id", &["alice", "bob", "carol", " ", ""], rng);
    maybe(2, "x-canary-version", &["v2", "spoofed"], rng);
    maybe(2, "x-v", &["v2", "spoofed"], rng);
    maybe(1, "x-s", &["7"], rng);
    for _ in 0..rng.u8(..3) {
        headers.push(("cookie", any_cookies(rng)));
    }
    (path, headers)
}

fn any_cookies(rng: &mut Rng) -> String {
    let number: String = (0..10).map(|_| rng.alphanumeric()).collect();
    let day = 20_440 + rng.u32(..20);
    let visitor = pick(rng, &["canary", "vid"]);
    let parts = [
        format!("{visitor}=n{number}.d{day}"),
        format!("{visitor}=d{day}.x1.n{number}"),
        pick(rng, &["lane=v2", "lane=always", "lane=nobody", "lane="]),
        pick(rng, &["sid=1", "sid=2", "sid=", "session=x"]),
        pick(rng, &["canary=n1.d2", "canary", "=", ""]),
    ];
    let chosen: Vec<_> = (0..rng.usize(..4)).map(|_| parts[rng.usize(..parts.len())].clone()).collect();
    chosen.join(&pick(rng, &["; ", ";", " ; "]))
}

fn text(value: &[u8]) -> String {
    String::from_utf8(value.to_vec()).expect("what the filter writes is text")
}

fn pick(rng: &mut Rng, values: &[&str]) -> String {
    values[rng.usize(..values.len())].to_owned()
}
