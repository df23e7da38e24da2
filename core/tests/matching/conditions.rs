//! Methods, headers, cookies, query parameters and sources: which value counts, and that all conditions have to hold.

use crate::check;
use crate::common::Request;

#[test]
fn the_first_of_several_headers_counts() {
    let twice = |one, other| Request::to("h", "/").with("x-a", one).with("x-a", other);
    check(r#"{"headers": [{"name": "x-a", "exact": "1"}]}"#, &[(twice("1", "2"), true), (twice("2", "1"), false)]);
}

#[test]
fn all_conditions_have_to_hold() {
    let entry = r#"{"methods": ["GET", "PUT"], "headers": [{"name": "x-a", "exact": "1"}, {"name": "x-b", "present": false}],
        "cookies": [{"name": "c", "prefix": "1"}], "query": [{"name": "q", "exact": ""}], "source": ["10.0.0.0/8", "::1"]}"#;
    let request = |path: &str, method: &str, a: &str, cookie: &str, source: &str| {
        Request::to("h", path).with(":method", method).with("x-a", a).with("cookie", cookie).from(source)
    };
    check(
        entry,
        &[
            (request("/?q", "GET", "1", "c=1", "10.1.2.3:4"), true),
            (request("/?q=", "PUT", "1", "c=11", "[::1]:4"), true),
            (request("/?q=1", "GET", "1", "c=1", "10.1.2.3:4"), false),
            (request("/?q", "POST", "1", "c=1", "10.1.2.3:4"), false),
            (request("/?q", "GET", "2", "c=1", "10.1.2.3:4"), false),
            (request("/?q", "GET", "1", "c=2", "10.1.2.3:4"), false),
            (request("/?q", "GET", "1", "c=1", "11.1.2.3:4"), false),
            (request("/?q", "GET", "1", "c=1", "10.1.2.3:4").with("x-b", ""), false),
        ],
    );
}

#[test]
fn hosts() {
    let to = |host: &str| Request::to(host, "/");
    check(
        r#"{"hosts": ["*.example.com", "shop.test"]}"#,
        &[
            (to("a.example.com"), true),
            (to("b.A.Example.com:80"), true),
            (to("shop.test"), true),
            (to("example.com"), false),
            (to(".example.com"), false),
            (to("a.example.com.evil.test"), false),
            (to("a.shop.test"), false),
            (Request::new(), false),
        ],
    );
}

#[test]
fn methods_are_compared_as_they_are() {
    let request = |method: &str| Request::to("h", "/").with(":method", method);
    check(
        r#"{"methods": ["GET", "M-SEARCH", "VERSION_2"]}"#,
        &[
            (request("GET"), true),
            (request("M-SEARCH"), true),
            (request("VERSION_2"), true),
            (request("get"), false),
            (request("GETS"), false),
            (request(""), false),
            (Request::to("h", "/"), false),
        ],
    );
}

#[test]
fn cookies() {
    let line = |line: &[u8]| Request::to("h", "/").with("cookie", line);
    check(
        r#"{"cookies": [{"name": "beta", "exact": "1"}]}"#,
        &[
            (line(b"beta=1"), true),
            (line(b"a=b; beta=1; c=d"), true),
            (line(b"a=b;\tbeta =\t1 ;c"), true),
            (line(b"beta=1; beta=2"), true),
            (line(b"beta=2; beta=1"), false),
            (line(b"beta=\x011; beta=1"), true),
            (line(b"Beta=1"), false),
            (line(b"beta=\"1\""), false),
            (line(b"beta=%31"), false),
            (line(b"xbeta=1"), false),
            (line(b"beta"), false),
            (line(b"a=b").with("cookie", "beta=1"), true),
            (line(b"beta=2").with("cookie", "beta=1"), false),
            (Request::to("h", "/"), false),
        ],
    );
    check(
        r#"{"cookies": [{"name": "beta", "present": false}]}"#,
        &[
            (line(b"beta="), false),
            (line(b"a=beta"), true),
            (line(b"a=b").with("cookie", "beta"), true),
            (line(b"a=b").with("cookie", "beta=1"), false),
            (Request::to("h", "/"), true),
        ],
    );
    let [longest, too_long] = [4_092, 4_093].map(|length| [b"beta = ".to_vec(), b"x".repeat(length)].concat());
    check(r#"{"cookies": [{"name": "beta", "present": true}]}"#, &[(line(&longest), true), (line(&too_long), false)]);
}

#[test]
fn query() {
    let to = |path: &str| Request::to("h", path);
    check(
        r#"{"query": [{"name": "q", "exact": "a"}]}"#,
        &[
            (to("/?q=a"), true),
            (to("/x?p=1&q=a&r"), true),
            (to("/?q=a&q=b"), true),
            (to("/?q=b&q=a"), false),
            (to("/?q&q=a"), false),
            (to("/?Q=a"), false),
            (to("/?q=%61"), false),
            (to("/?%71=a"), false),
            (to("/?q=a#q=b"), true),
            (to("/#?q=a"), false),
            (to("/?qq=a"), false),
            (to("/?x=?q=a"), false),
            (to("/?p=1;q=a"), false),
            (to("/q=a"), false),
            (Request::new(), false),
        ],
    );
    check(r#"{"query": [{"name": "q", "exact": "a=b?c"}]}"#, &[(to("/?q=a=b?c"), true), (to("/?q=a"), false)]);
    check(
        r#"{"query": [{"name": "q", "exact": ""}]}"#,
        &[(to("/?q"), true), (to("/?q="), true), (to("/?q&x"), true), (to("/"), false), (to("/?q=a"), false)],
    );
    check(
        r#"{"query": [{"name": "q", "present": true}]}"#,
        &[(to("/?q"), true), (to("/?"), false), (to("/?a&"), false)],
    );
}

#[test]
fn sources() {
    let from = |address: &str| Request::to("h", "/").from(address);
    check(
        r#"{"source": ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::1"]}"#,
        &[
            (from("10.0.0.0:1"), true),
            (from("10.255.255.255:65535"), true),
            (from("11.0.0.0:1"), false),
            (from("192.0.2.7:1"), true),
            (from("192.0.2.8:1"), false),
            (from("[::ffff:10.1.2.3]:1"), true),
            (from("[::ffff:a01:203]:1"), true),
            (from("[::10.1.2.3]:1"), false),
            (from("[fd12::1]:1"), true),
            (from("[fe00::1]:1"), false),
            (from("[2001:db8:0::1]:1"), true),
            (from("[2001:db8::2]:1"), false),
            (from("10.1.2.3"), false),
            (from("/run/client.socket"), false),
            (from(""), false),
            (Request::to("h", "/"), false),
        ],
    );
    check(
        r#"{"source": ["0.0.0.0/0"]}"#,
        &[(from("1.2.3.4:5"), true), (from("[::ffff:1.2.3.4]:5"), true), (from("[::1]:5"), false)],
    );
    check(
        r#"{"source": ["::/0"]}"#,
        &[(from("[::1]:5"), true), (from("1.2.3.4:5"), false), (from("[::ffff:1.2.3.4]:5"), false)],
    );
    check(r#"{"source": ["::ffff:10.0.0.0/104"]}"#, &[(from("10.1.2.3:5"), true), (from("11.1.2.3:5"), false)]);
    check(r#"{"source": ["10.0.0.0/31"]}"#, &[(from("10.0.0.1:5"), true), (from("10.0.0.2:5"), false)]);
}
