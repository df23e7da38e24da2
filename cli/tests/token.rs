//! `serin token`, run: what it makes counts, and what it cannot make it tells why.

mod support;

use support::{Folder, Run, SIGNED, SOUND};

const KEY: (&str, &str) = ("SERIN_TEST_KEY", "the first secret of the vectors");
const AT: [&str; 2] = ["--at", "2026-11-21T01:20:00Z"];

fn token_of(document: &str, words: &[&str], variables: &[(&str, &str)]) -> Run {
    let folder = Folder::with(&[("rules.yaml", document)]);
    folder.serin_with(&[&["token", "rules.yaml"], &AT[..], words].concat(), b"", variables)
}

fn token(words: &[&str]) -> Run {
    token_of(SIGNED, words, &[KEY])
}

#[test]
fn a_token_with_its_link_and_its_curl_line() {
    let run = token(&["--version", "v2", "--ttl", "8h"]).ends_with(0);
    let expected = "\
token    v2.e1795252800.kk1.tuXPsIUTOxb5duc1v-Ru-8g
for      v2 of rollout shop, until 2026-11-21T09:20:00Z
link     https://shop.example.com/cart?canary=v2.e1795252800.kk1.tuXPsIUTOxb5duc1v-Ru-8g
curl     curl -H 'x-canary: v2.e1795252800.kk1.tuXPsIUTOxb5duc1v-Ru-8g' 'https://shop.example.com/cart'
then     counts in requests that carry it, and in no later ones: override.remember keeps it
";
    assert_eq!(run.out, expected);
    // The example of docs/formats.md, of another moment.
    let documented = ["--version", "v2", "--ttl", "24h", "--at", "2026-11-20T08:00:00Z", "--output", "json"];
    let folder = Folder::with(&[("rules.yaml", SIGNED)]);
    let json =
        folder.serin_with(&[&["token", "rules.yaml"], &documented[..]].concat(), b"", &[KEY]).ends_with(0).json();
    assert_eq!(json["token"], "v2.e1795248000.kk1.tOEM0hbVvbf2hCPEul93sAA");
}

/// Link and curl line are tried as they are printed.
#[test]
fn what_it_makes_counts() {
    let folder = Folder::with(&[("rules.yaml", SIGNED)]);
    for (version, named) in [("v2", "v2"), ("next", "v2"), ("v1", "v1")] {
        let json = token(&["--version", version, "--ttl", "1h", "--output", "json"]).ends_with(0).json();
        let curl: Vec<String> = json["curl"].as_str().unwrap().split('\'').map(str::to_owned).collect();
        let curl: Vec<&str> = curl
            .iter()
            .flat_map(|part| if part.contains(": ") { vec![&**part] } else { part.split_whitespace().collect() })
            .collect();
        for line in [vec!["--url", json["link"].as_str().unwrap()], curl] {
            let words = [&["explain", "rules.yaml"], &AT[..], &line[..]].concat();
            let run = folder.serin_with(&words, b"", &[KEY]).ends_with(0);
            run.says(&format!("gets {named} of rollout shop, by override"));
        }
        let later = ["explain", "rules.yaml", "--at", "2026-11-21T02:20:00Z", "--url", json["link"].as_str().unwrap()];
        folder.serin_with(&later, b"", &[KEY]).ends_with(0).says("it expired 0 s ago");
    }
}

/// Others cover parts of what a rollout asks for, and browsers send no more than a link says: what is printed does what it is
/// for, or it is said that it does not.
#[test]
fn where_a_link_leads() {
    #[track_caller]
    fn check(entry: &str, others: &str, link: &str, curl: &str, warning: Option<&str>) {
        let document = SIGNED.replace("{hosts: [shop.example.com], path: {prefix: /cart}}", entry);
        let folder = Folder::with(&[("rules.yaml", &document.replace("rollouts:\n", &format!("rollouts:\n{others}")))]);
        let words = ["token", "rules.yaml", "--rollout", "shop", "--version", "v2", "--ttl", "8h", "--output", "json"];
        let run = folder.serin_with(&words, b"", &[KEY]).ends_with(0);
        let json = run.json();
        let text = |field: &str| json[field].as_str().unwrap().replace(json["token"].as_str().unwrap(), "TOKEN");
        assert_eq!((&*text("link"), &*text("curl")), (link, curl));
        assert_eq!(json["warning"].as_str(), warning);
        assert_eq!(run.err, warning.map_or_else(String::new, |warning| format!("warning: {warning}\n")));
        let tried = |line: &str| {
            let script = format!("{}='{}' serin explain rules.yaml {line}", KEY.0, KEY.1);
            folder.sh(&script).ends_with(0).out.contains("gets v2 of rollout shop, by override")
        };
        assert!(tried(json["curl"].as_str().unwrap()), "{json:#}");
        assert_eq!(tried(&format!("--url '{}'", json["link"].as_str().unwrap())), warning.is_none(), "{json:#}");
    }
    let root = "  root: {stable: a, versions: {a: {}}, match: [{hosts: [a.b], path: {exact: /}}]}\n";
    check(
        "{hosts: [a.b]}",
        root,
        "https://a.b/page?canary=TOKEN",
        "curl -H 'x-canary: TOKEN' 'https://a.b/page'",
        None,
    );
    check(
        "{headers: [{name: x-a, exact: \"it's\"}], methods: [POST]}, {hosts: [a.b], path: {exact: /b}}",
        root,
        "https://a.b/b?canary=TOKEN",
        "curl -H 'x-canary: TOKEN' 'https://a.b/b'",
        None,
    );
    check(
        "{headers: [{name: x-a, exact: \"it's\"}], cookies: [{name: c, exact: d}], methods: [POST]}",
        root,
        "https://HOST/?canary=TOKEN",
        r"curl -X 'POST' -H 'x-a: it'\''s' -b 'c=d' -H 'x-canary: TOKEN' 'https://HOST/'",
        Some(
            "https://HOST/ is covered by no rollout without the method POST, the header x-a: it's, the cookie c=d, so that the \
             link does nothing as a browser opens it",
        ),
    );
    check(
        "{hosts: [a.b], path: {exact: /}, methods: [HEAD]}",
        root,
        "https://a.b/?canary=TOKEN",
        "curl -I -H 'x-canary: TOKEN' 'https://a.b/'",
        Some(
            "https://a.b/ is covered by rollouts.root without the method HEAD, so that the link does nothing as a browser opens \
             it",
        ),
    );
}

/// What a rollout asks for goes with the page that somebody asks for, too.
#[test]
fn a_page_and_what_is_sent_to_it() {
    let document = SIGNED.replace("{hosts: [shop.example.com], path", "{methods: [PUT], path");
    let words = ["--version", "v2", "--ttl", "8h", "--url", "https://a.example.com/cart/7"];
    let run = token_of(&document, &words, &[KEY]).ends_with(0);
    run.says("curl -X 'PUT' -H 'x-canary: v2.e")
        .says("is covered by no rollout without the method PUT, so that the link");
    let elsewhere = [&words[..5], &["https://a.example.com/"]].concat();
    token_of(&document, &elsewhere, &[KEY]).ends_with(0).says("so that a token for shop does nothing there");
}

#[test]
fn what_becomes_of_later_requests() {
    let document = SIGNED.replace("trust: signed", "trust: signed, remember: 8h");
    let run = token_of(&document, &["--version", "v2", "--ttl", "1h"], &[KEY]).ends_with(0);
    run.says("then     a browser that has shown it gets v2 for another 8 h without it");
}

#[test]
fn where_there_is_no_link() {
    let document = SIGNED.replace("query: canary, ", "");
    token_of(&document, &["--version", "v2", "--ttl", "8h"], &[KEY])
        .ends_with(0)
        .says("link     none: a link needs override.query");
    let cookie = SIGNED.replace("query: canary, header: x-canary", "cookie: lane");
    token_of(&cookie, &["--version", "v2", "--ttl", "8h"], &[KEY]).ends_with(0).says("curl -b 'lane=v2.e");
    let page = ["--version", "v2", "--ttl", "8h", "--url", "https://staging.example.com/a?b=c"];
    token(&page)
        .ends_with(0)
        .says("link     https://staging.example.com/a?b=c&canary=v2.e")
        .says("warning: https://staging.example.com/a?b=c is covered by no rollout, so that a token for shop does nothing there");
    let link = |url: &str| {
        let run = token(&["--version", "v2", "--ttl", "8h", "--output", "json", "--url", url]).ends_with(0);
        assert!(!run.err.contains("warning"), "{}", run.err);
        let json = run.json();
        let link = json["link"].as_str().unwrap().replace(json["token"].as_str().unwrap(), "TOKEN");
        (link, json["curl"].as_str().unwrap().replace(json["token"].as_str().unwrap(), "TOKEN"))
    };
    let (found, curl) = link("shop.example.com/cart?canary=old&a='b'#end");
    assert_eq!(found, "https://shop.example.com/cart?a='b'&canary=TOKEN#end");
    assert_eq!(curl, r"curl -H 'x-canary: TOKEN' 'https://shop.example.com/cart?canary=old&a='\''b'\'''");
    token(&["--version", "v2", "--ttl", "8h", "--url", "ftp://a/"]).ends_with(2).says("expected http or https");
}

#[test]
fn what_it_cannot_make() {
    let ask = ["--version", "v2", "--ttl", "8h"];
    token_of(SIGNED, &ask, &[])
        .ends_with(2)
        .says("SERIN_TEST_KEY is not set, and a token is signed with it")
        .says_not("secret of the vectors");
    token_of(SIGNED, &ask, &[("SERIN_TEST_KEY", "short")]).ends_with(2).says("the document has no key that signs");
    token_of(SOUND, &ask, &[])
        .ends_with(2)
        .says("takes the bare name of a version from anybody, and no token; expected trust: signed");
    token(&["--version", "v9", "--ttl", "8h"]).ends_with(2).says("has no version \"v9\"; expected one of v1, v2, v3\n");
    // One that is near may still not be the one that was meant.
    let named = SIGNED.replace("v3:", "stable-eu:").replace("v1: {}", "v1: {}, stable-us: {}");
    token_of(&named, &["--version", "stabel-eu", "--ttl", "8h"], &[KEY]).ends_with(2).says(
        "has no version \"stabel-eu\"; expected one of stable-eu, stable-us, v1, v2; did you mean \"stable-eu\"?",
    );
    token(&["--version", "v3", "--ttl", "8h"]).ends_with(2).says("v3 is off, so nobody gets it");
    token(&["--rollout", "shpo", "--version", "v2", "--ttl", "8h"])
        .ends_with(2)
        .says("no rollout \"shpo\"; expected \"shop\"");
    for ttl in ["8", "0s", "401d", "1.5h", "90000000000d", "500ms", ""] {
        token(&["--version", "v2", "--ttl", ttl])
            .ends_with(2)
            .says("expected a duration of whole seconds from 1s to 400d");
    }
    token(&["--version", "v2"]).ends_with(2).says("--ttl");
    Folder::with(&[])
        .serin(&["token", "none.yaml", "--version", "v2", "--ttl", "8h"])
        .ends_with(2)
        .says("cannot read none.yaml");
    let several = SIGNED
        .replace("rollouts:\n", "rollouts:\n  other: {stable: a, versions: {a: {}}, match: [{path: {exact: /x}}]}\n");
    token_of(&several, &ask, &[KEY])
        .ends_with(2)
        .says("the document has several rollouts; expected --rollout with one of other, shop");
    token_of(&several, &[&["--rollout", "other"], &ask[..]].concat(), &[KEY]).ends_with(2);
    token_of(&several, &[&["--rollout", "shop"], &ask[..]].concat(), &[KEY]).ends_with(0);
}
