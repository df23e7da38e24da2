//! Visitors: shares, the cookie's round trip, other units, and what workers have in common.

use std::time::Duration;

use serde_json::json;
use serin_host::HeaderMap;

use crate::site::{builder, cookie, merge, new_visitor, proxy, shop, shop_with, version, version_for, visitor_on};

#[test]
fn the_share_of_visitors_is_the_weight() {
    let check = |weight: u32, total: u32| {
        let proxy = proxy(&shop_with(weight, &json!({"total": total})));
        let visitors = 4_000;
        let on_v2 = (0..visitors).filter(|number| new_visitor(&proxy.worker(number % 2)).0 == "v2").count();
        let share = f64::from(weight) / f64::from(total);
        let off = on_v2 as f64 / visitors as f64 - share;
        let bound = 4.5 * (share * (1.0 - share) / visitors as f64).sqrt();
        assert!(off.abs() <= bound, "{weight} of {total}: {on_v2} of {visitors}");
    };
    for (weight, total) in [(0, 100), (1, 100), (10, 100), (50, 100), (100, 100), (1, 3), (125, 1_000)] {
        check(weight, total);
    }
}

#[test]
fn the_first_answer_is_the_stored_answer_on_every_worker() {
    let proxy = proxy(&shop(30));
    for number in 0..500 {
        let (first, cookie) = new_visitor(&proxy.worker(number % 2));
        for worker in proxy.workers() {
            let again = worker.get("/again").header("cookie", &cookie).send().unwrap();
            assert_eq!(version(&again), first, "{cookie}");
            assert!(!again.response.has("set-cookie"), "the cookie is fresh");
        }
    }
}

#[test]
fn workers_draw_different_visitor_numbers() {
    let proxy = proxy(&shop(10));
    let mut cookies: Vec<_> = (0..200).map(|number| new_visitor(&proxy.worker(number % 2)).1).collect();
    cookies.sort();
    cookies.dedup();
    assert_eq!(cookies.len(), 200);
    let entropy: Vec<_> = proxy.workers().iter().map(|worker| worker.entropy().concat()).collect();
    assert!(!entropy[0].is_empty() && entropy[0] != entropy[1]);
}

#[test]
fn visitors_differ_only_because_entropy_does() {
    let drawn = |builder: serin_host::ProxyBuilder| {
        let proxy = builder.same_entropy().start(shop(10).to_string()).unwrap();
        proxy.workers().iter().map(|worker| new_visitor(worker).1).collect::<Vec<_>>()
    };
    let one = drawn(builder().seed(1));
    assert_eq!(one[0], one[1]);
    assert_ne!(one, drawn(builder().seed(2)));
}

#[test]
fn a_ramp_moves_visitors_only_into_the_canary_and_a_roll_back_only_out() {
    let mut proxy = proxy(&shop(10));
    let cookies: Vec<_> = (0..300).map(|_| new_visitor(&proxy.worker(0)).1).collect();
    let mut on_v2 = vec![false; cookies.len()];
    for (weight, may_leave) in [(10, false), (30, false), (75, false), (100, false), (40, true), (0, true)] {
        proxy.push(shop(weight).to_string()).unwrap();
        for (cookie, was) in cookies.iter().zip(&mut on_v2) {
            let is = version_for(proxy.worker(1).get("/").header("cookie", cookie)) == "v2";
            assert!(is == *was || is != may_leave, "at {weight}: {cookie} was on v2: {was}, is: {is}");
            *was = is;
        }
    }
    assert!(!on_v2.contains(&true), "nobody stays at 0");
}

#[test]
fn a_version_that_is_off_is_nobodys() {
    let mut proxy = proxy(&shop_with(50, &json!({"override": {"header": "x-canary"}})));
    let cookie = visitor_on(&proxy.worker(0), "v2");
    let mut off = shop_with(50, &json!({"override": {"header": "x-canary"}}));
    off["rollouts"]["shop"]["versions"]["v2"]["off"] = json!(true);
    proxy.push(off.to_string()).unwrap();
    let request = || proxy.worker(0).get("/").header("cookie", &cookie);
    assert_eq!(version_for(request()), "v1");
    assert_eq!(version_for(request().header("x-canary", "v2")), "v1");
}

/// Whether a visitor whose cookie is so many days old gets it anew, and keeps the version.
#[track_caller]
fn check_age(days: u64, rewritten: bool) {
    let start = Duration::from_secs(1_767_225_600 + 43_200);
    let then = builder().now(start).start(shop(50).to_string()).unwrap();
    let later = builder().now(start + Duration::from_secs(days * 86_400)).start(shop(50).to_string()).unwrap();
    for _ in 0..20 {
        let (first, old) = new_visitor(&then.worker(0));
        let exchange = later.worker(0).get("/").header("cookie", &old).send().unwrap();
        assert_eq!(version(&exchange), first, "after {days} days");
        assert_eq!(cookie(&exchange).is_some(), rewritten, "after {days} days");
    }
}

#[test]
fn a_cookie_is_written_again_after_a_quarter_of_its_age() {
    check_age(0, false);
    check_age(7, false);
    check_age(8, true);
    check_age(29, true);
}

#[test]
fn a_day_that_ends_while_the_proxy_runs_is_seen_by_the_tick() {
    let mut proxy = proxy(&shop(50));
    let (_, old) = new_visitor(&proxy.worker(0));
    let renewed = |proxy: &serin_host::Proxy| {
        proxy.worker(0).get("/").header("cookie", &old).send().unwrap().response.has("set-cookie")
    };
    assert!(!renewed(&proxy));
    // Eight days in whole would be 700,000 ticks; a document with a short age shows the same.
    let mut short = shop(50);
    merge(&mut short, &json!({"cookie": {"max_age": "4d"}}));
    proxy.push(short.to_string()).unwrap();
    assert!(!renewed(&proxy));
    proxy.advance(Duration::from_secs(86_400)).unwrap();
    assert!(renewed(&proxy));
}

#[test]
fn the_visitors_cookie_is_written_as_the_document_says() {
    let check = |settings: serde_json::Value, scheme: &str, expected: &str| {
        let mut document = shop(50);
        merge(&mut document, &json!({"cookie": settings}));
        let proxy = proxy(&document);
        let request = proxy.worker(0).get("/").without(":scheme").header(":scheme", scheme);
        let line = request.send().unwrap().response.text("set-cookie").unwrap();
        let (name, rest) = line.split_once('=').unwrap();
        let attributes = rest.split_once(';').map_or("", |(_, attributes)| attributes.trim());
        assert_eq!(format!("{name}; {attributes}"), expected);
    };
    let default = "canary; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure";
    check(json!({}), "https", default);
    check(json!({}), "http", &default.replace("; Secure", ""));
    check(
        json!({"name": "__Secure-lane", "max_age": "2d", "path": "/shop", "domain": "example.com", "same_site": "none",
            "secure": true, "http_only": false, "partitioned": true}),
        "http",
        "__Secure-lane; Max-Age=172800; Path=/shop; Domain=example.com; SameSite=None; Partitioned; Secure",
    );
}

#[test]
fn a_cookie_is_added_beside_the_applications_and_never_to_a_server_error() {
    let proxy = proxy(&shop(50));
    for status in [200, 204, 302, 404, 429, 499] {
        assert!(proxy.worker(0).get("/").answered_with(status).send().unwrap().response.has("set-cookie"), "{status}");
    }
    for status in [500, 502, 503, 504, 599] {
        assert!(!proxy.worker(0).get("/").answered_with(status).send().unwrap().response.has("set-cookie"), "{status}");
    }
    let response = HeaderMap::response().with(":status", "200").with("set-cookie", "session=1");
    let lines = proxy.worker(0).get("/").answered(response).send().unwrap().response;
    assert_eq!(lines.all("set-cookie").len(), 2);
    assert_eq!(lines.get("set-cookie"), Some(&b"session=1"[..]));
}

#[test]
fn an_id_of_the_request_decides_where_there_is_no_visitor_cookie() {
    let proxy = proxy(&shop_with(50, &json!({"sticky": {"unit": [{"header": "x-user-id"}, {"cookie": "sid"}]}})));
    let of = |name: &str, value: String| {
        let exchange = proxy.worker(0).get("/").header(name, value).send().unwrap();
        assert!(!exchange.response.has("set-cookie"), "an id needs no cookie");
        version(&exchange)
    };
    let by_header: Vec<_> = (0..200).map(|id| of("x-user-id", format!("user-{id}"))).collect();
    let by_cookie: Vec<_> = (0..200).map(|id| of("cookie", format!("a=b; sid=user-{id}"))).collect();
    assert_eq!(by_header, by_cookie, "the same id falls into the same slot");
    let on_v2 = by_header.iter().filter(|version| *version == "v2").count();
    assert!((60..=140).contains(&on_v2), "{on_v2}");
}

#[test]
fn an_id_that_turns_up_later_moves_nobody_unless_it_is_preferred() {
    let document =
        |prefer: &str| shop_with(50, &json!({"sticky": {"unit": [{"header": "x-user-id"}], "prefer": prefer}}));
    let moved = |prefer: &str| {
        let proxy = proxy(&document(prefer));
        let moved = (0..100).filter(|id| {
            let (first, cookie) = new_visitor(&proxy.worker(0));
            let request = proxy.worker(0).get("/").header("cookie", cookie).header("x-user-id", format!("u{id}"));
            version_for(request) != first
        });
        moved.count()
    };
    assert_eq!(moved("visitor"), 0);
    assert!(moved("unit") > 20);
}

#[test]
fn without_a_hold_or_a_cookie_every_request_is_drawn() {
    let check = |document: &serde_json::Value| {
        let proxy = proxy(document);
        let versions: Vec<_> = (0..200)
            .map(|_| {
                let exchange = proxy.worker(0).get("/").header("cookie", "canary=nAAAAAAAAAA.d20454").send().unwrap();
                assert!(!exchange.response.has("set-cookie"));
                version(&exchange)
            })
            .collect();
        assert!(versions.contains(&"v1".to_owned()) && versions.contains(&"v2".to_owned()), "{document}");
    };
    check(&shop_with(50, &json!({"sticky": {"hold": "none"}})));
    let mut without_cookie = shop(50);
    merge(&mut without_cookie, &json!({"cookie": false}));
    check(&without_cookie);
}

#[test]
fn stable_can_serve_the_first_request_and_set_the_cookie() {
    let proxy = proxy(&shop_with(100, &json!({"sticky": {"first": "stable"}})));
    let (first, cookie) = new_visitor(&proxy.worker(0));
    assert_eq!(first, "v1");
    assert_eq!(version_for(proxy.worker(1).get("/").header("cookie", cookie)), "v2");
}
