//! Hostile and broken requests: whatever the bytes, the VM lives and the answer is sound.

use serde_json::{Value, json};
use serin_host::{Exchange, HeaderMap, Proxy, Request};

use crate::site::{merge, proxy, shop_with, visitor_on};

/// Proxies whose documents read every header that can be read: all at once, and by name.
fn curious() -> [Proxy; 2] {
    let at_once = json!([{}, {"hosts": ["*.example.com"]}, {"path": {"prefix": "/cart"}}]);
    [at_once, json!([{}])].map(|covers| proxy(&reading_all(&covers)))
}

fn reading_all(covers: &Value) -> Value {
    let mut document = shop_with(
        50,
        &json!({
            "match": covers,
            "override": {"header": "x-canary", "query": "canary", "cookie": "lane"},
            "sticky": {"unit": [{"header": "x-user-id"}, {"cookie": "sid"}]},
        }),
    );
    let headers = json!({"cluster": "x-cluster", "slot": "x-slot", "reason": "x-reason", "answer": "x-answer"});
    merge(&mut document, &json!({"headers": headers}));
    document
}

/// The answer is one that the document knows, and holds none of the client's bytes.
#[track_caller]
fn check_sound(exchange: &Exchange) {
    let only = |map: &HeaderMap, name: &str, known: &[&str]| {
        let values = map.all(name);
        assert!(values.len() <= 1, "{name} is there {} times", values.len());
        let known_value = values.iter().all(|value| known.iter().any(|known| known.as_bytes() == *value));
        assert!(known_value, "{name}: {values:?}");
    };
    only(&exchange.request, "x-canary-version", &["v2"]);
    only(&exchange.request, "x-cluster", &["shop-v2"]);
    only(&exchange.request, "x-reason", &["slot", "override", "random"]);
    let slot = exchange.request.text("x-slot");
    assert!(slot.is_none_or(|slot| slot.parse::<u32>().is_ok_and(|slot| slot < 1_000_000)));
    let cookies = exchange.response.all("set-cookie").into_iter().filter(|line| line.starts_with(b"canary="));
    for value in cookies.chain(exchange.response.all("x-answer")) {
        assert!(value.iter().all(|byte| matches!(byte, 0x20..=0x7e)), "{}", value.escape_ascii());
    }
}

#[track_caller]
fn check(request: Request) -> Exchange {
    let exchange = request.send().unwrap();
    check_sound(&exchange);
    exchange
}

const READ: [&str; 10] = [
    "cookie",
    ":authority",
    ":path",
    ":scheme",
    "x-canary",
    "x-user-id",
    "x-canary-version",
    "x-cluster",
    "x-slot",
    "x-reason",
];

#[test]
fn every_byte_in_every_header_that_is_read() {
    for proxy in curious() {
        let worker = proxy.worker(0);
        for name in READ {
            for byte in 0..=255_u8 {
                let values: [Vec<u8>; 4] = [
                    vec![byte],
                    vec![byte; 3],
                    [b"canary=n", &[byte][..], b"AAAAAAAAA.d20454; lane=", &[byte], b"; sid=", &[byte]].concat(),
                    [b"/cart?canary=", &[byte][..], b"&canary=v2"].concat(),
                ];
                for value in values {
                    check(worker.get("/").without(name).header(name, &value));
                    check(worker.get("/").header(name, &value).header(name, &value));
                }
            }
        }
    }
}

#[test]
fn a_missing_or_empty_header_is_no_obstacle() {
    for proxy in curious() {
        let worker = proxy.worker(0);
        for name in READ {
            check(worker.get("/").without(name));
            check(worker.get("/").without(name).header(name, ""));
        }
        let bare = READ.iter().fold(worker.get("/"), Request::without);
        check(bare.without(":method"));
    }
}

#[test]
fn strange_responses_are_passed_on() {
    for proxy in curious() {
        let response = HeaderMap::response;
        let strange = [
            response(),
            response().with(":status", ""),
            response().with(":status", [0xff, 0]),
            response().with(":status", "200").with("set-cookie", vec![0xff; 9_000]),
            response().with(":status", "200").with("x-answer", "the application's own"),
        ];
        for answer in strange {
            check_sound(&proxy.worker(0).get("/").answered(answer).send().unwrap());
        }
    }
}

/// Sends the visitor's cookie wrapped by `wrap`, and expects that it is found.
#[track_caller]
fn check_found(wrap: impl Fn(&Request, &str) -> Request) {
    for proxy in curious() {
        let worker = proxy.worker(0);
        for wanted in ["v1", "v2"] {
            let cookie = visitor_on(&worker, wanted);
            let exchange = check(wrap(&worker.get("/"), &cookie));
            assert_eq!(crate::site::version(&exchange), wanted);
            assert!(!exchange.response.has("set-cookie"));
        }
    }
}

#[test]
fn the_visitors_cookie_is_found_among_two_hundred() {
    let others: String = (0..199).map(|number| format!("c{number}=value{number}; ")).collect();
    check_found(|request, cookie| request.clone().header("cookie", format!("{others}{cookie}")));
    check_found(|request, cookie| request.clone().header("cookie", format!("{cookie}; {others}")));
}

#[test]
fn the_visitors_cookie_is_found_behind_8_kib() {
    let long = format!("session={}", "x".repeat(8 * 1024));
    check_found(|request, cookie| request.clone().header("cookie", format!("{long}; {cookie}")));
    check_found(|request, cookie| request.clone().header("cookie", format!("{cookie}; {long}")));
    check_found(|request, cookie| request.clone().header("cookie", &long).header("cookie", cookie));
}

#[test]
fn the_visitors_cookie_is_found_behind_broken_ones() {
    for broken in
        ["canary", "canary=", "canary=n.d", "canary=nAAAAAAAAAA", "=", ";;;", " ; =;canary==", "canary=\u{e9}"]
    {
        check_found(|request, cookie| request.clone().header("cookie", format!("{broken}; {cookie}")));
    }
}

#[test]
fn broken_cookies_make_a_new_visitor() {
    for proxy in curious() {
        let far_future = "canary=nAAAAAAAAAA.d9999999999";
        for broken in
            ["canary=nAAAAAAAAAA", "canary=d20454", "canary=nAAAAAAAAA.d20454", "canary=nAAAAAAAAA+.d20454", far_future]
        {
            let exchange = check(proxy.worker(0).get("/").header("cookie", broken));
            let set = crate::site::cookie(&exchange).unwrap();
            assert!(!broken.contains(&set["canary=".len().."canary=n0123456789".len()]), "{broken}: {set}");
        }
    }
}

#[test]
fn long_values_everywhere_end_in_an_answer() {
    for proxy in curious() {
        let worker = proxy.worker(1);
        for name in READ {
            for length in [1_000, 8 * 1024, 60_000] {
                check(worker.get("/").without(name).header(name, vec![b'a'; length]));
                check(worker.get("/").without(name).header(name, "a=b; ".repeat(length / 5)));
            }
        }
    }
}
