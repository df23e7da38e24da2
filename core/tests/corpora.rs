//! Cookies as other people's tests have them: what browsers send, and what other servers read in it.
//!
//! The corpora lie beside the repository's folder, in `shared/corpora/cookies`; where they are absent these tests say so
//! and check nothing. Their README names the sources. Section numbers are those of RFC 6265bis.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{Request, outcome, rules};
use serde_json::{Value, json};
use serin_core::{Rules, SlotKey, Surroundings};

/// Where our answer is not that of another parser's own test, and the rule that makes it so.
struct Difference {
    /// The first `Cookie` line of the vector.
    line: &'static str,
    name: &'static str,
    parser: &'static str,
    ours: Option<&'static str>,
    section: &'static str,
    rule: &'static str,
}

const QUOTES: (&str, &str) = ("4.1.1", "the quotes around a value are part of it");
const ANY_TEXT: (&str, &str) = ("5.6", "browsers keep and send all but control characters, a backslash too");

const DIFFERENCES: [Difference; 4] = [
    difference("=; token4=\"abc123\"", "token4", "envoy", Some("\"abc123\""), QUOTES),
    difference("dquote=\"; quoteddquote=\"\"\"", "quoteddquote", "envoy", Some("\"\"\""), QUOTES),
    difference("Cookie-1=\"v$1\"; c2=\"v2\"", "Cookie-1", "go", Some("\"v$1\""), QUOTES),
    difference("k1=\\", "k1", "go", Some("\\"), ANY_TEXT),
];

const fn difference(
    line: &'static str,
    name: &'static str,
    parser: &'static str,
    ours: Option<&'static str>,
    (section, rule): (&'static str, &'static str),
) -> Difference {
    Difference { line, name, parser, ours, section, rule }
}

#[test]
fn we_read_cookies_as_other_servers_do_or_as_the_rfc_has_it() {
    let Some(corpus) = corpus("cookie-request-vectors.json") else { return };
    let mut explained = BTreeSet::new();
    let mut answers = 0;
    for vector in list(&corpus["vectors"]) {
        let (lines, name) = (texts(&vector["headers"]), text(&vector["name"]));
        for parser in ["envoy", "go", "jshttp"] {
            let Some(theirs) = vector.get(parser) else { continue };
            answers += 1;
            let found = DIFFERENCES.iter().position(|known| known.is_of(lines[0], name, parser));
            let Some(found) = found else {
                assert!(reads(&lines, name, theirs.as_str()), "{parser} reads {theirs} as {name} in {lines:?}");
                continue;
            };
            let Difference { ours, section, rule, .. } = &DIFFERENCES[found];
            assert!(!reads(&lines, name, theirs.as_str()), "no difference from {parser} any more: {name} in {lines:?}");
            assert!(reads(&lines, name, *ours), "RFC 6265bis §{section}, {rule}: {name} in {lines:?}");
            explained.insert(found);
        }
    }
    assert!(answers > 0);
    let idle = (0..DIFFERENCES.len()).filter(|at| !explained.contains(at)).map(|at| DIFFERENCES[at].line);
    assert_eq!(Vec::<&str>::new(), idle.collect::<Vec<_>>(), "explanations of nothing");
}

impl Difference {
    fn is_of(&self, line: &str, name: &str, parser: &str) -> bool {
        (self.line, self.name, self.parser) == (line, name, parser)
    }
}

/// What a browser sends after the answers of these tests, and which cookies that is: name (empty for none) and value.
type Sent = Vec<(String, String)>;

#[test]
fn we_read_what_browsers_send() {
    let Some(cases) = browser_cases() else { return };
    let ours = "canary=nEjRWeJq83v.d20778";
    for sent in &cases {
        let line = cookie_line(sent);
        let names: BTreeSet<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
        for name in names {
            let values = || sent.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
            let first = values().next().filter(|_| is_token(name));
            // A matcher's text is short.
            if first.is_none_or(|first| first.len() <= 1_024) {
                assert!(reads(&[&line], name, first), "{name:?} in {line:?}");
            }
            // The empty text is no unit.
            if let Some(unit) = values().find(|value| !value.is_empty()).filter(|_| is_token(name)) {
                assert_eq!(slot_of(unit), unit_slot(&[&line], name), "{name:?} in {line:?}");
            }
        }
        // What has no name cannot pass for a name, whatever it says.
        for (_, value) in sent.iter().filter(|(name, value)| name.is_empty() && is_token(value)) {
            assert!(reads(&[&line], value, None), "{value:?} in {line:?}");
        }
        for beside in [format!("{line}; {ours}"), format!("{ours}; {line}")] {
            assert_eq!(slot_of("EjRWeJq83v"), visitor_slot(&[&beside]), "{beside:?}");
        }
        assert_eq!(slot_of("EjRWeJq83v"), visitor_slot(&[&line, ours]), "{line:?}");
    }
}

/// What the corpora leave out, by the algorithm with which browsers take cookies in (§5.6).
#[test]
fn we_read_all_that_a_browser_takes_in_and_nothing_that_it_does_not() {
    for byte in 0..=0x7f_u8 {
        let value = format!("a{}b", char::from(byte));
        // Control characters but HTAB never come from a browser, and a semicolon ends a value.
        let expected = match byte {
            b';' => Some("a"),
            b'\t' => Some(&*value),
            0..0x20 | 0x7f => None,
            _ => Some(&*value),
        };
        assert_eq!(expected.and_then(slot_of), unit_slot(&[&format!("id={value}; z=1")], "id"), "{byte:#04x}");
    }
    // At most 4096 octets of name and value together.
    for (length, taken) in [(4_000, true), (4_094, true), (4_095, false), (9_000, false)] {
        let value = "x".repeat(length);
        assert_eq!(slot_of(&value).filter(|_| taken), unit_slot(&[&format!("id={value}")], "id"), "{length}");
    }
}

#[test]
fn browsers_take_our_cookies_as_they_are_meant() {
    for (written, https, name, attributes) in [
        ("", false, "canary", "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"),
        ("", true, "canary", "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure"),
        (r#""secure": false"#, true, "canary", "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"),
        (r#""secure": true"#, false, "canary", "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure"),
        (
            r#""name": "__Host-c", "secure": true, "max_age": "400d", "same_site": "strict""#,
            true,
            "__Host-c",
            "Max-Age=34560000; Path=/; HttpOnly; SameSite=Strict; Secure",
        ),
        (
            r#""name": "~!#$%&'*+.^_`|c", "domain": "example.com", "path": "/shop", "http_only": false, "max_age": "1d""#,
            false,
            "~!#$%&'*+.^_`|c",
            "Max-Age=86400; Path=/shop; Domain=example.com; SameSite=Lax",
        ),
        (
            r#""same_site": "none", "partitioned": true"#,
            true,
            "canary",
            "Max-Age=2592000; Path=/; HttpOnly; SameSite=None; Partitioned; Secure",
        ),
    ] {
        let rules = visitors(written);
        let scheme = if https { "https" } else { "http" };
        let new = outcome(&rules, &Request::new().with(":scheme", scheme), 0x0123_4567_89ab_cdef);
        let line = new.set_cookie.or(new.kept_cookie).expect("a new visitor gets a cookie");
        assert_in_grammar(&line);
        let taken = cookie::Cookie::parse(&line).unwrap();
        let meant = cookie::Cookie::parse(format!("{name}=nEjRWeJq83v.d20778; {attributes}")).unwrap();
        assert_eq!(meant, taken, "{line}");

        let back = outcome(&rules, &Request::new().with("cookie", taken.stripped().to_string()), 0);
        assert_eq!((new.slot, None), (back.slot, back.set_cookie), "{line}");
    }
}

/// The grammar that servers have to keep to (§4.1.1), and no attribute twice.
#[track_caller]
fn assert_in_grammar(line: &str) {
    let (pair, attributes) = line.split_once("; ").unwrap();
    let (name, value) = pair.split_once('=').unwrap();
    assert!(is_token(name), "{line}");
    assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)), "{line}");
    let names: Vec<_> = attributes.split("; ").map(|attribute| attribute.split('=').next().unwrap()).collect();
    let known = ["Max-Age", "Domain", "Path", "Secure", "HttpOnly", "SameSite", "Partitioned"];
    assert!(names.iter().all(|name| known.contains(name)), "{line}");
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{line}");
}

/// Whether the cookie `name` of these lines is `value`. What a document cannot ask for is no cookie.
fn reads(lines: &[&str], name: &str, value: Option<&str>) -> bool {
    let matcher = match value {
        Some(value) => json!({"name": name, "exact": value}),
        None => json!({"name": name, "present": false}),
    };
    let rollout = json!({"match": [{"cookies": [matcher]}], "stable": "v1", "versions": {"v1": {}}});
    let document = json!({"rollouts": {"r": rollout}}).to_string();
    if !is_token(name) {
        let refused = !Rules::parse(document.as_bytes(), &Surroundings::default()).errors.is_empty();
        assert!(refused, "{name:?} is no name of a cookie");
        return value.is_none();
    }
    !outcome(&rules(&document), &with_cookies(lines), 0).answer.is_empty()
}

/// The slot of the unit that the cookie `name` of these lines is; nothing without one.
fn unit_slot(lines: &[&str], name: &str) -> Option<u32> {
    let rollout = json!({"stable": "v1", "versions": {"v1": {}}, "sticky": {"unit": [{"cookie": name}]}});
    let document = json!({"rollouts": {"r": rollout}, "cookie": false}).to_string();
    let found = outcome(&rules(&document), &with_cookies(lines), 0);
    found.slot.filter(|_| found.answer == "r/v1/slot")
}

fn visitors(cookie: &str) -> Rules {
    rules(&format!(
        r#"{{"rollouts": {{"r": {{"stable": "v1", "versions": {{"v1": {{}}}}}}}}, "cookie": {{{cookie}}}}}"#
    ))
}

/// The slot of a known visitor; nothing for a new one.
fn visitor_slot(lines: &[&str]) -> Option<u32> {
    let found = outcome(&visitors(""), &with_cookies(lines), 0);
    found.slot.filter(|_| found.set_cookie.is_none())
}

fn slot_of(unit: &str) -> Option<u32> {
    Some(SlotKey::new("r", "").slot(unit.as_bytes()).number())
}

fn with_cookies(lines: &[&str]) -> Request {
    lines.iter().fold(Request::new(), |request, line| request.with("cookie", line))
}

/// As browsers spell cookies out (§5.8.3): what has no name is the value alone.
fn cookie_line(sent: &Sent) -> String {
    let pair = |(name, value): &(String, String)| {
        if name.is_empty() { value.clone() } else { format!("{name}={value}") }
    };
    sent.iter().map(pair).collect::<Vec<_>>().join("; ")
}

/// All cases of both browser corpora in which something is sent.
fn browser_cases() -> Option<Vec<Sent>> {
    let (states, platform) = (corpus("http-state/parser.json")?, corpus("wpt/cookies-set-cookie.json")?);
    let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let sent = |case: &Value| {
        list(&case["sent"]).iter().map(|pair| owned(text(&pair["name"]), text(&pair["value"]))).collect()
    };
    let mut cases: Vec<Sent> = list(&states).iter().map(sent).collect();
    for vector in list(&platform["groups"]).iter().flat_map(|group| list(&group["vectors"])) {
        let pairs = text(&vector["cookie"]).split("; ").filter(|pair| !pair.is_empty());
        // One that was set without a name may hold no `=`, or it would come back with one.
        cases.push(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or(("", pair)))
                .map(|(name, value)| owned(name, value))
                .collect(),
        );
    }
    cases.retain(|sent| !sent.is_empty());
    assert!(cases.len() > 100, "{}", cases.len());
    Some(cases)
}

/// A name that a server may give a cookie (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn corpus(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/cookies").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("a corpus is JSON")),
        Err(error) => {
            eprintln!("skipped: no corpus at {}: {error}", path.display());
            None
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().map(text).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
