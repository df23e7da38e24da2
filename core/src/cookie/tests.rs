use super::*;
use crate::time::{Day, SECONDS_A_DAY};

/// Checks the values that a `Cookie` header has for a name.
#[track_caller]
fn check(line: &str, name: &str, expected: &[&str]) {
    let found: Vec<&[u8]> = values(line.as_bytes(), name).collect();
    assert_eq!(found, expected.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), "{name} in {line:?}");
}

#[test]
fn a_cookie_header_is_read_as_rfc_6265bis_says() {
    check("", "a", &[]);
    check("a=1", "a", &["1"]);
    check("a=1; b=2;c=3", "b", &["2"]);
    check("a=1; b=2;c=3", "c", &["3"]);
    check(" \ta\t = 1 2\t ; b=", "a", &["1 2"]);
    check("a=1; b=", "b", &[""]);
    check("a=b=c", "a", &["b=c"]);
    check("a; =a; =; a=1", "a", &["1"]);
    check("a=\"1\"; a=%31", "a", &["\"1\"", "%31"]);
    check("A=1; a=2; aa=3; a a=4", "a", &["2"]);
    check("a=1,a=2", "a", &["1,a=2"]);
    check("\u{a0}a=1", "a", &[]);
    check(";;;", "a", &[]);
    // A name and value of 4096 octets together are the longest that browsers keep.
    for name in ["a", "longer"] {
        let longest = "x".repeat(4096 - name.len());
        check(&format!("{name}={longest}x; {name}=1"), name, &["1"]);
        check(&format!("{name} = {longest} ; {name}=1"), name, &[&longest, "1"]);
    }
}

#[test]
fn names_of_cookies() {
    let found: Vec<&[u8]> = names(b"a=1; nameless; =v;b =2; \tc\t=").collect();
    assert_eq!(found, [b"a".as_slice(), b"", b"b", b"c"]);
}

#[test]
fn a_visitor_number_is_its_ten_characters() {
    let number = VisitorNumber::from_bits(0x0123_4567_89ab_cdef);
    assert_eq!(number.as_str(), "EjRWeJq83v");
    assert_eq!(VisitorNumber::from_bits(u64::MAX).as_str(), "__________");
    assert_eq!(VisitorNumber::from_bits(0).as_str(), "AAAAAAAAAA");
    assert_eq!(VisitorNumber::from_text(b"EjRWeJq83v"), Some(number));
    #[cfg(feature = "tools")]
    for bits in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
        assert_eq!(VisitorNumber::from_bits(bits).bits(), bits & (u64::MAX >> 4));
    }
    for bad in ["", "short", "elevenchars", "EjRWeJq83=", "EjRWeJq83+", "EjRWeJq83\u{e9}"] {
        assert_eq!(VisitorNumber::from_text(bad.as_bytes()), None, "{bad:?}");
    }
}

#[test]
fn a_visitor_cookie_is_read() {
    #[track_caller]
    fn check(value: &str, expected: Option<u32>) {
        assert_eq!(Visitor::from_value(value.as_bytes()).map(|visitor| visitor.issued.number()), expected, "{value:?}");
    }
    check("nEjRWeJq83v.d20778", Some(20_778));
    check("d20778.nEjRWeJq83v", Some(20_778));
    check("nEjRWeJq83v.xfuture.d20778.", Some(20_778));
    check("nEjRWeJq83v", None);
    check("d20778", None);
    check("nEjRWeJq83v.d", None);
    check("nEjRWeJq83v.d-1", None);
    check("nEjRWeJq83v.d99999999", None);
    check("nEjRWeJq83.d20778", None);
    check("nEjRWeJq83v.d20778.d20779", None);
    check("nEjRWeJq83v.nEjRWeJq83v.d20778", None);
    check("nEjRWeJq83v.d20778.x\r", None);
    check("v2", None);
    check("", None);
}

#[test]
fn the_first_valid_visitor_cookie_counts() {
    let cookie = CookieSettings::default();
    let today = Day::from_text(b"20778").unwrap();
    let line = b"canary=junk; canary=nAAAAAAAAAA.d20000; canary=nEjRWeJq83v.d20778; canary=nBBBBBBBBBB.d20778";
    let visitor = cookie.read(line, today).unwrap();
    assert_eq!(visitor.number.as_str(), "EjRWeJq83v", "junk and what is past its age are passed over");
}

#[test]
fn ages() {
    let cookie = |days: u32| CookieSettings { max_age: days * SECONDS_A_DAY, ..CookieSettings::default() };
    #[track_caller]
    fn check(cookie: &CookieSettings, age: i32, expected: &str) {
        let issued = Day::from_text((20_000 - age).to_string().as_bytes()).unwrap();
        let today = Day::from_text(b"20000").unwrap();
        let visitor = Visitor { number: VisitorNumber::from_bits(7), issued };
        let line = format!("canary={}", visitor.to_value());
        let found = match cookie.read(line.as_bytes(), today) {
            None => "refused",
            Some(visitor) if cookie.is_due(visitor.issued, today) => "due",
            Some(_) => "fresh",
        };
        assert_eq!(found, expected, "{age} days old, kept for {} s", cookie.max_age);
    }
    for (age, expected) in
        [(0, "fresh"), (7, "fresh"), (8, "due"), (30, "due"), (31, "refused"), (-1, "fresh"), (-2, "due")]
    {
        check(&cookie(30), age, expected);
    }
    for (age, expected) in [(0, "fresh"), (1, "due"), (2, "refused")] {
        check(&cookie(1), age, expected);
    }
}

#[test]
fn set_cookie() {
    #[track_caller]
    fn check(cookie: &CookieSettings, https: bool, expected: &str) {
        let visitor = Visitor { number: VisitorNumber::from_bits(0), issued: Day::from_text(b"20778").unwrap() };
        assert_eq!(cookie.write(visitor, https), expected);
    }
    let default = CookieSettings::default();
    check(&default, false, "canary=nAAAAAAAAAA.d20778; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax");
    check(&default, true, "canary=nAAAAAAAAAA.d20778; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure");
    let other = CookieSettings {
        name: "__Secure-c".into(),
        max_age: SECONDS_A_DAY,
        path: "/shop".into(),
        domain: Some("example.com".into()),
        same_site: SameSite::None,
        secure: Secure::Always,
        http_only: false,
        partitioned: true,
        attributes: String::new(),
        visitor_attributes: String::new(),
        keys: None,
    }
    .spelled_out();
    let expected = "__Secure-c=nAAAAAAAAAA.d20778; Max-Age=86400; Path=/shop; Domain=example.com; SameSite=None; Partitioned; Secure";
    check(&other, false, expected);
}
