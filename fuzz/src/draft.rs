//! Documents and requests out of an input's choices: nine in ten are sound, of parts that matter to each other.

mod rollout;

use serde_json::{Map, Value, json};
use serin_cli::Request;

use crate::dice::Dice;

/// Names that documents ask for and requests have.
const NAMES: [&str; 3] = ["shop", "cart", "pay-2"];
const VERSIONS: [&str; 4] = ["v1", "v2", "v3", "Canary_x"];
const HOSTS: [&str; 5] = ["shop.example.com", "*.example.com", "*.eu.example.com", "[::1]", "localhost"];
const PATHS: [&str; 5] = ["/", "/cart", "/cart/pay", "/v2", "/a%2Fb"];
const METHODS: [&str; 3] = ["GET", "POST", "PURGE"];
const HEADERS: [&str; 4] = ["x-user-id", "x-team", "x-lane", "accept"];
const COOKIES: [&str; 3] = ["sid", "lane", "beta"];
const PARAMETERS: [&str; 3] = ["user", "canary", "a"];
const TEXTS: [&str; 8] = ["", "a", "qa", "v2", "always", "auto", "text/html", "alice"];
const NETWORKS: [&str; 4] = ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "::/0"];

/// Sent, but by no document's wish.
const MORE_HEADERS: [&str; 16] = [
    "x-canary",
    "x-secret",
    "x-canary-version",
    "x-v",
    "x-c",
    "x-s",
    "x-r",
    "x-set",
    "x-empty",
    "sec-fetch-dest",
    "sec-purpose",
    "purpose",
    "host",
    "user-agent",
    "cache-control",
    "X-ODD~",
];
const VALUES: [&str; 18] = [
    "",
    " ",
    "v1",
    "v2",
    " always ",
    "auto",
    "nobody",
    "open, sesame, open",
    "open, sesame",
    "alice",
    "qa",
    "QA",
    "a",
    "document",
    "prefetch",
    "text/html,*/*",
    "image",
    "\u{e9}",
];
const ADDRESSES: [Option<&str>; 7] = [
    None,
    Some("10.1.2.3:4000"),
    Some("192.0.2.7:1"),
    Some("[fd00::1]:9"),
    Some("[::ffff:10.1.2.3]:80"),
    Some("/run/envoy.sock"),
    Some(""),
];
const CLUSTERS: [Option<&str>; 5] = [None, Some("shop-v1"), Some("shop-v2"), Some("cart-v2"), Some("another")];

/// What is settled for a whole document, and what its rollouts may therefore ask for.
struct Frame {
    /// One document in ten is written without regard to what goes together.
    is_careless: bool,
    has_keys: bool,
    has_cookie: bool,
    carries_cluster: bool,
    carries_slot: bool,
}

impl Frame {
    /// Whether something may be asked for that needs something else.
    fn allows(&self, is_met: bool) -> bool {
        self.is_careless || is_met
    }

    /// A variable with a secret; rarely one that the environment does not have.
    fn secret(&self, dice: &mut Dice<'_>, name: &'static str) -> &'static str {
        if self.is_careless && dice.once_in(2) { "SERIN_NONE" } else { name }
    }
}

/// A document.
pub(crate) fn document(dice: &mut Dice<'_>) -> Value {
    let mut document = json!({});
    let outputs = dice.pick(&[0, 0, 1, 1, 2]);
    document["headers"] = match outputs {
        0 => Value::Null,
        1 => json!({"version": "x-v", "cluster": "x-c", "slot": "x-s", "reason": "x-r", "answer": "x-a"}),
        _ => json!({"slot": "x-s", "answer": dice.pick(&["", "x-a"])}),
    };
    let has_keys = dice.once_in(3);
    if dice.once_in(3) {
        document["cookie"] = cookie(dice);
    }
    let frame = Frame {
        is_careless: dice.once_in(10),
        has_keys,
        has_cookie: document["cookie"] != false,
        carries_cluster: outputs == 1,
        carries_slot: outputs > 0,
    };
    if has_keys {
        let mut keys = vec![json!({"id": "k2", "env": frame.secret(dice, "SERIN_KEY")})];
        keys.extend(dice.once_in(2).then(|| json!({"id": "k1", "env": "SERIN_OLD_KEY"})));
        document["keys"] = keys.into();
    }
    if dice.once_in(4) {
        document["access_log"] = true.into();
    }
    let count = 1 + dice.below(NAMES.len());
    let rollouts: Map<String, Value> =
        NAMES[..count].iter().map(|name| ((*name).to_owned(), rollout::draft(dice, &frame, name, count > 1))).collect();
    document["rollouts"] = rollouts.into();
    document
}

fn cookie(dice: &mut Dice<'_>) -> Value {
    if dice.once_in(4) {
        return false.into();
    }
    let name = dice.pick(&["canary", "vid", "__Host-c", "~!#$%&'*+.^_`|c"]);
    let is_secure = name.starts_with("__") || dice.once_in(2);
    json!({
        "name": name,
        "max_age": dice.pick(&["1d", "7d", "400d"]),
        "secure": if is_secure { json!(true) } else { json!("auto") },
        "same_site": dice.pick(&["lax", "strict", "none"]),
        "http_only": !dice.once_in(4),
        "partitioned": dice.once_in(4),
    })
}

/// An entry of `match`, or a rule's `when`.
pub(crate) fn entry(dice: &mut Dice<'_>) -> Value {
    let mut entry = json!({});
    if dice.once_in(3) {
        entry["hosts"] = json!([dice.pick(&HOSTS)]);
    }
    if dice.once_in(3) {
        let path = dice.pick(&PATHS);
        entry["path"] = match dice.below(3) {
            0 => json!({"prefix": path}),
            1 => json!({"exact": path}),
            _ => json!({"regex": dice.pick(&["/c[a-z]+(/pay)?", "/.*", "/(a|b)*%2F.", "(?i)/V[0-9]"])}),
        };
    }
    if dice.once_in(4) {
        entry["methods"] = json!([dice.pick(&METHODS)]);
    }
    for (field, names) in [("headers", &HEADERS[..]), ("cookies", &COOKIES), ("query", &PARAMETERS)] {
        if dice.once_in(4) {
            let conditions = (0..1 + dice.below(2)).map(|_| condition(dice, names));
            entry[field] = conditions.collect();
        }
    }
    if dice.once_in(5) {
        entry["source"] = json!([dice.pick(&NETWORKS)]);
    }
    entry
}

fn condition(dice: &mut Dice<'_>, names: &[&str]) -> Value {
    let mut condition = json!({"name": dice.pick(names)});
    let text = dice.pick(&TEXTS);
    match dice.below(7) {
        0 => condition["present"] = json!(!dice.once_in(3)),
        1 => condition["prefix"] = json!(if text.is_empty() { "a" } else { text }),
        2 => condition["suffix"] = json!(if text.is_empty() { "a" } else { text }),
        3 => condition["contains"] = json!(if text.is_empty() { "a" } else { text }),
        4 => condition["in"] = json!(["a", "qa", dice.pick(&["", "alice", "b"])]),
        5 => condition["regex"] = json!(dice.pick(&[".*", "(a|b).*", "[^a]?", "(?:a?){20}"])),
        _ => condition["exact"] = json!(text),
    }
    if dice.once_in(4) {
        condition["invert"] = true.into();
    }
    if condition["present"].is_null() && dice.once_in(4) {
        condition["ignore_case"] = true.into();
    }
    condition
}

/// A request; what can be any bytes sometimes is.
pub(crate) fn request(dice: &mut Dice<'_>) -> Request {
    let mut headers = vec![
        (":method".to_owned(), dice.pick(&METHODS).as_bytes().to_vec()),
        (":scheme".to_owned(), dice.pick(&["http", "https"]).as_bytes().to_vec()),
    ];
    if !dice.once_in(16) {
        headers.push((":authority".to_owned(), host(dice)));
    }
    if !dice.once_in(16) {
        headers.push((":path".to_owned(), path(dice)));
    }
    for _ in 0..dice.below(6) {
        let name = if dice.once_in(2) { dice.pick(&HEADERS) } else { dice.pick(&MORE_HEADERS) };
        headers.push((name.to_ascii_lowercase(), value(dice, &VALUES)));
    }
    // Mostly there is one line, as browsers send it.
    for _ in 0..dice.pick(&[1, 1, 1, 0, 0, 2]) {
        headers.push(("cookie".to_owned(), cookie_line(dice)));
    }
    let source = dice.pick(&ADDRESSES).map(str::to_owned);
    Request { headers, source, cluster: dice.pick(&CLUSTERS).map(str::to_owned) }
}

fn value(dice: &mut Dice<'_>, of: &[&str]) -> Vec<u8> {
    if dice.once_in(5) { dice.bytes(40) } else { dice.pick(of).as_bytes().to_vec() }
}

fn host(dice: &mut Dice<'_>) -> Vec<u8> {
    value(
        dice,
        &["shop.example.com", "SHOP.example.com:80", "a.eu.example.com", "example.com", "[::1]:8", "localhost", ""],
    )
}

fn path(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut path = value(dice, &["/", "/cart", "/cart/pay/", "/carts", "/v2/x", "/V2", "/a%2Fb", "*", ""]);
    for at in 0..dice.below(3) {
        path.push(if at == 0 { b'?' } else { b'&' });
        path.extend_from_slice(dice.pick(&PARAMETERS).as_bytes());
        path.push(b'=');
        path.extend(value(dice, &["v2", "v1", "always", "auto", "alice", "", "a#?a=qa"]));
    }
    path
}

fn cookie_line(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    for _ in 0..dice.below(5) {
        if !line.is_empty() {
            line.extend_from_slice(dice.pick(&["; ", ";", " ; "]).as_bytes());
        }
        line.extend(match dice.below(5) {
            0 => [dice.pick(&COOKIES).as_bytes(), b"=", &value(dice, &TEXTS)].concat(),
            1 => [
                dice.pick(&["canary=", "vid="]).as_bytes(),
                &value(dice, &["nEjRWeJq83v.d20778", "d20775.x1.nAAAAAAAAAA", "v2", ""]),
            ]
            .concat(),
            2 => [
                dice.pick(&["canary-shop=", "vid-shop=", "canary-cart="]).as_bytes(),
                &value(dice, &["ov2.e9999999999.d20778", "uAAAA.vv2.d20778", "d20778"]),
            ]
            .concat(),
            3 => dice.bytes(24),
            _ => dice.pick(&["sid", "=", "=a", "a=", "canary"]).as_bytes().to_vec(),
        });
    }
    line
}

#[cfg(test)]
mod tests;
