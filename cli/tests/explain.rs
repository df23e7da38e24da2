//! `serin explain`, run. That it tells what the module does, `host-tests` show for ten thousand requests.

mod support;

use serde_json::{Value, json};

use support::{Folder, Run, SOUND};

const AT: &str = "2026-11-26T09:00:00Z";

/// Explains a request to the sound document.
fn explain(words: &[&str]) -> Run {
    explain_at(AT, words)
}

fn explain_at(moment: &str, words: &[&str]) -> Run {
    let folder = Folder::with(&[("rules.yaml", SOUND)]);
    folder.serin(&[&["explain", "rules.yaml", "--at", moment], words].concat())
}

#[test]
fn a_request_by_its_options() {
    let run =
        explain(&["--host", "shop.example.com", "-b", "canary=nEjRWeJq83v.d20778", "-H", "x-team: qa"]).ends_with(0);
    let expected = "\
GET shop.example.com/ gets v2 (cluster shop-v2) of rollout shop, by rule

  match     rollouts.shop.match[0] covers it: host shop.example.com
  inherit   passed: inherit is off
  override  passed: header x-canary is absent
  rule      answered: rules[0] holds: header x-team is \"dev\" or \"qa\", so use: v2
  held      not asked
  slot      not asked

request
  set x-canary-version: v2
  set x-canary-cluster: shop-v2

response
  left as it is
";
    assert_eq!(run.out, expected);
}

/// What no header says is left to the routes.
#[test]
fn what_the_routes_have_to_know() {
    explain(&["--host", "shop.example.com", "-b", "canary=nEjRWeJq83v.d20778"])
        .ends_with(0)
        .says("left as it is\n  the routes take what carries no x-canary-version and no x-canary-cluster for stable");
    let plain = SOUND.replace("headers: {cluster: x-canary-cluster}\n", "");
    let folder = Folder::with(&[("rules.yaml", &plain)]);
    let by_name =
        folder.serin(&["explain", "rules.yaml", "--host", "shop.example.com", "-H", "x-team: qa"]).ends_with(0);
    by_name.says("no header carries shop-v2, without headers.cluster: the routes match x-canary-version");
}

/// Envoy finds the host by both of its names.
#[test]
fn the_host_is_a_header() {
    let document = SOUND.replace("name: x-team, in: [qa, dev]", "name: host, exact: shop.example.com");
    let folder = Folder::with(&[("rules.yaml", &document)]);
    folder.serin(&["explain", "rules.yaml", "--host", "shop.example.com"]).ends_with(0).says("by rule");
}

/// A cookie that somebody has copied may be none that counts.
#[test]
fn a_cookie_that_does_not_count() {
    let ask = |cookie: &str| explain(&["--host", "shop.example.com", "-b", cookie]).ends_with(0);
    ask("canary=v2")
        .says("gets v1 (cluster shop-v1) of rollout shop, by slot; by chance: 90 % of all get it; the visitor's cookie does not count")
        .says("cookie canary does not count: it names a version, which a cookie does with override: {cookie: NAME} alone");
    ask("canary=x").says("it is not in the form of a visitor, such as nEjRWeJq83v.d20778");
    ask("canary=nEjRWeJq83v.d20778").says_not("does not count");
}

/// Of several rollouts that fit, and of an id beside a cookie, it is told which one counts.
#[test]
fn what_counts_of_several() {
    let several = format!("{SOUND}  all: {{stable: v1, versions: {{v1: {{}}}}}}\n")
        .replace("headers: {cluster: x-canary-cluster}\n", "");
    let several =
        several.replace("    override", "    sticky: {unit: [{header: x-user}], prefer: visitor}\n    override");
    let folder = Folder::with(&[("rules.yaml", &several)]);
    let words = ["-H", "x-user: ann", "-b", "canary=nEjRWeJq83v.d20778", "--at", AT];
    let run =
        folder.serin(&[&["explain", "rules.yaml", "--host", "shop.example.com"], &words[..]].concat()).ends_with(0);
    run.says("rollouts.all fits, too, and comes after it: its host is less specific")
        .says("header x-user is there, and does not count beside the visitor cookie: prefer: visitor");
}

#[test]
fn a_request_by_its_url_or_a_curl_line() {
    let by = |words: &[&str]| explain(&[&["--output", "json"][..], words].concat()).ends_with(0).json();
    let url = by(&["--url", "http://shop.example.com:8080/cart?a=b#c"]);
    let header = |name: &str, value: &str| json!({"name": name, "value": value});
    let asked = [
        header(":method", "GET"),
        header(":scheme", "http"),
        header(":authority", "shop.example.com:8080"),
        header(":path", "/cart?a=b"),
    ];
    assert_eq!(url["asked"]["headers"], json!(asked));
    let curl =
        by(&["curl", "-sS", "-X", "POST", "https://shop.example.com/cart", "-H", "X-Canary: always", "-b", "a=b"]);
    assert_eq!((&curl["version"], &curl["reason"]), (&json!("v2"), &json!("override")));
    let headers = curl["asked"]["headers"].as_array().unwrap();
    for expected in
        [header(":method", "POST"), header("accept", "*/*"), header("x-canary", "always"), header("cookie", "a=b")]
    {
        assert!(headers.contains(&expected), "{headers:#?}");
    }
    let user = by(&[
        "curl",
        "https://me:secret@shop.example.com?a=b",
        "-H",
        "accept: ",
        "-H",
        "user-agent:",
        "-G",
        "-d",
        "c=d",
    ]);
    let expected = [
        header(":method", "GET"),
        header(":scheme", "https"),
        header(":authority", "shop.example.com"),
        header(":path", "/?a=b&c=d"),
        header("authorization", "…"),
    ];
    assert_eq!(user["asked"]["headers"], json!(expected));
    let empty = by(&["--host", "a", "-H", "x-a: ", "-H", "x-b;"]);
    assert_eq!(empty["asked"]["headers"][4], header("x-b", ""));
    assert_eq!(empty["asked"]["headers"].as_array().unwrap().len(), 5);
    let whole = by(&["curl 'http://shop.example.com/cart' -H 'x-canary: always'"]);
    assert_eq!((&whole["version"], &whole["reason"]), (&json!("v2"), &json!("override")));
    let scheme = |words: &[&str]| by(words)["asked"]["headers"][1].clone();
    assert_eq!(scheme(&["--url", "shop.example.com"]), header(":scheme", "https"));
    assert_eq!(scheme(&["curl", "shop.example.com"]), header(":scheme", "http"));
    let host = by(&["curl", "http://127.0.0.1:10000/", "-H", "Host: shop.example.com"]);
    assert_eq!(host["rollout"], "shop");
    let several = by(&["--host", "shop.example.com", "-b", "a=1", "-b", "b=2", "-H", "cookie: c=3"]);
    assert_eq!(several["asked"]["headers"][4], header("cookie", "c=3; a=1; b=2"));
}

#[test]
fn who_is_drawn_is_told() {
    let drawn = explain(&["--host", "shop.example.com"]).ends_with(0);
    drawn
        .says("gets v1 (cluster shop-v1) of rollout shop, by slot; by chance: 90 % of all get it")
        .says("a new visitor, drawn as")
        .says("add set-cookie: canary=n")
        .says("; Secure");
    let again = |seed: &str| {
        explain(&["--host", "shop.example.com", "--seed", seed, "--output", "json"]).json()["slot"].clone()
    };
    assert_eq!(again("1"), again("1"));
    assert_ne!(again("1"), again("2"));
    let known =
        explain(&["--host", "shop.example.com", "-b", "canary=nEjRWeJq83v.d20778", "--scheme", "http"]).ends_with(0);
    known.says("the unit is visitor EjRWeJq83v").says_not("by chance").says_not("set-cookie");
}

#[test]
fn what_is_not_covered() {
    let run = explain(&["--host", "www.example.com"]).ends_with(0);
    run.says("gets nothing: no rollout covers it, so the routes decide")
        .says("rollouts.shop.match[0]: the host is \"www.example.com\", not shop.example.com");
}

#[test]
fn what_goes_on_elsewhere() {
    let missing = explain(&["--host", "shop.example.com", "-H", "x-team: qa", "--missing", "shop/v2"]).ends_with(0);
    missing.says("rules[0]: its version v2 has no cluster right now");
    let out =
        explain(&["--host", "shop.example.com", "-b", "canary=nicZY14NMA4.d20778", "--out", "shop/v2"]).ends_with(0);
    out.says("gets v1 (cluster shop-v1) of rollout shop, since a guard has taken out the version that it would be")
        .says("v2 has been taken out by a guard: stable serves in its place");
    let named = explain(&["--host", "shop.example.com", "-H", "x-canary: v2", "--missing", "shop/v2"]).ends_with(0);
    named
        .says("gets v2 (cluster shop-v2) of rollout shop, by override")
        .says("its cluster is missing, so that Envoy answers 503");
    explain(&["--path", "/", "--out", "shop/v9"])
        .ends_with(2)
        .says("--out \"shop/v9\": no such version; expected one of v1, v2");
    explain(&["--path", "/", "--missing", "shop"])
        .ends_with(2)
        .says("expected a rollout and a version, such as shop/v2");
    explain(&["--path", "/", "--missing", "shpo/v2"]).ends_with(2).says("no such rollout; expected \"shop\"");
    explain(&["--path", "/", "--missing", "shop/v3"]).ends_with(2).says("expected one of v1, v2");

    let scheduled = SOUND.replace("weight: 10", "weight: 0").replace(", weight: 0", "").replace(
        "    override",
        "    schedule: {version: v2, start: \"2026-11-26T00:00:00Z\", steps: [{weight: 0, to: 100, for: 1d}]}\n    override",
    );
    let folder = Folder::with(&[("rules.yaml", &scheduled)]);
    let run =
        folder.serin(&["explain", "rules.yaml", "--host", "shop.example.com", "--at", "2026-11-26T07:00:00+01:00"]);
    run.ends_with(0).says("schedule  in step 1 of 1; v2 has 25 of 100; it ends in 18 h\n");
    let odds = |at: &str| {
        let words = ["explain", "rules.yaml", "--host", "shop.example.com", "--at", at, "--output", "json"];
        folder.serin(&words).ends_with(0).json()["odds"].clone()
    };
    assert_eq!(odds("2026-11-25T00:00:00Z"), json!([{"version": "v1", "slots": 1_000_000}]));
    assert_eq!(
        odds("2026-11-26T07:00:00+01:00"),
        json!([{"version": "v1", "slots": 750_000}, {"version": "v2", "slots": 250_000}])
    );
}

/// The filter goes on with what is sound, and so does the explanation.
#[test]
fn documents_with_mistakes() {
    let folder = Folder::with(&[
        ("one.yaml", &SOUND.replace("weight: 10", "weight: x")),
        ("all.yaml", &format!("{SOUND}cookie: 1\n")),
    ]);
    let one = folder.serin(&["explain", "one.yaml", "--host", "shop.example.com"]).ends_with(0);
    assert!(one.err.contains("rollouts.shop.versions.v2.weight"), "{}", one.err);
    one.says("gets v1 (cluster shop-v1) of rollout shop, since the rollout cannot be used")
        .says("the rollout has a mistake, and there is no earlier form of it: stable serves");
    let all = folder.serin(&["explain", "all.yaml", "--host", "shop.example.com"]).ends_with(1);
    assert!(all.out.is_empty() && all.err.contains("error[wrong-value]"), "{all:?}");
}

#[test]
fn what_cannot_be_asked() {
    explain_at("tomorrow", &[]).ends_with(2).says("expected a moment such as 2026-11-26T09:00:00Z");
    explain(&[]).ends_with(2).says("there is no request to explain; expected --host, --url, a curl line, or");
    explain(&["--path", "cart"]).ends_with(2).says("expected one that begins with /");
    explain(&["--path", "/a b"]).ends_with(2).says("without spaces");
    explain(&["--host", "http://a/"]).ends_with(2).says("expected one such as shop.example.com");
    explain(&["--path", "/", "-X", "G T"]).ends_with(2).says("expected one such as GET");
    explain(&["--hots", "a"]).ends_with(2).says("there is no option --hots; did you mean --host?");
    explain(&["--path", "/", "--seed", "-1"]).ends_with(2).says("expected a whole number from 0 to");
    explain(&["--path", "/", "--seed", "x"]).ends_with(2).says("expected a whole number from 0 to");
    explain(&["--url", "ftp://a/"]).ends_with(2).says("expected http or https");
    explain(&["curl", "http://a/", "--at", "now"]).ends_with(2).says("--at of serin stands before the curl line");
    for (option, value) in [("--url", "a"), ("--host", "a"), ("--path", "/a"), ("--scheme", "https")] {
        explain(&[option, value, "curl", "http://b?c"])
            .ends_with(2)
            .says(&format!("{option} and the curl line, which has \"http://b/?c\"; expected one of them"));
    }
    explain(&["curl", "-H", "a: b"]).ends_with(2).says("the curl line has no URL");
    explain(&["--path", "/", "-b", "canary"]).ends_with(2).says("expected 'NAME=VALUE'");
    explain(&["--path", "/", "--out", "shop/v1"]).ends_with(2).says("it is stable, which no guard takes out");
    explain(&["-H", "nonsense"]).ends_with(2).says("expected 'name: value'");
    explain(&["-H", "x: a\nb"]).ends_with(2).says("expected 'name: value'");
    explain(&["--source", "here"]).ends_with(2).says("expected one such as 192.0.2.7");
    explain(&["--url", "http://a b/"]).ends_with(2).says("is no URL");
    explain(&["--url", "http://a/", "--host", "b"]).ends_with(2);
    explain(&["wget", "http://a/"]).ends_with(2).says("expected one, or a line that begins with curl");
    Folder::with(&[]).serin(&["explain", "none.yaml", "--path", "/"]).ends_with(2).says("cannot read none.yaml");
}

#[test]
fn one_document_of_several() {
    let folder = Folder::with(&[("rules.yaml", &format!("{SOUND}---\n{}", SOUND.replace("use: v2", "use: v1")))]);
    let ask = |words: &[&str]| {
        folder.serin(&[&["explain", "rules.yaml", "--host", "shop.example.com", "-H", "x-team: qa"], words].concat())
    };
    ask(&[])
        .ends_with(2)
        .says("holds 2 documents; expected --document with the number of one:")
        .says("  2  a bare document");
    ask(&["--document", "1"]).ends_with(0).says("gets v2 (cluster shop-v2) of rollout shop, by rule");
    ask(&["--document", "2"]).ends_with(0).says("gets v1 (cluster shop-v1) of rollout shop, by rule");
    ask(&["--document", "3"]).ends_with(2).says("holds 2 documents, and no number 3; expected --document");
    ask(&["--document", "0"]).ends_with(2).says("expected a whole number from 1 to");
    folder.write("rules.yaml", format!("{SOUND}---\n{}", SOUND.replace("weight: 10", "wieght: 10")));
    ask(&["--document", "1"]).ends_with(0).says_not("wieght");
    ask(&["--document", "2"]).ends_with(0).says("wieght");
}

#[test]
fn from_standard_input() {
    let folder = Folder::with(&[]);
    folder
        .serin_with(&["explain", "-", "--host", "shop.example.com", "-H", "x-canary: v2"], SOUND.as_bytes(), &[])
        .ends_with(0)
        .says("gets v2 (cluster shop-v2) of rollout shop, by override");
}

#[test]
fn secrets_are_not_shown() {
    let trusted = "override: {header: x-canary, trust: {header: x-secret, secret: sesame sesame sesame}}";
    let document = SOUND.replace("override: {header: x-canary, aliases: {always: v2}}", trusted);
    let folder = Folder::with(&[("rules.yaml", &document)]);
    let ask = |secret: &str| {
        folder.serin(&["explain", "rules.yaml", "--host", "shop.example.com", "-H", "x-canary: v2", "-H", secret])
    };
    ask("x-secret: sesame sesame sesame")
        .ends_with(0)
        .says("gets v2 (cluster shop-v2) of rollout shop, by override")
        .says("remove x-secret")
        .says_not("sesame");
    ask("x-secret: wrong").ends_with(0).says("header x-secret is not the secret").says_not("wrong");
}

/// What is signed with a secret that only the proxies have is not said to be wrong.
#[test]
fn secrets_that_are_not_here() {
    let signed = SOUND
        .replace("override: {header: x-canary, aliases: {always: v2}}", "override: {header: x-canary, trust: signed}");
    let folder = Folder::with(&[("rules.yaml", &format!("{signed}keys: [{{id: k1, env: SERIN_TEST_KEY}}]\n"))]);
    let token = "v2.e1795712400.kk1.tAgjbAGJVpJY8PEExEYnbVw";
    let words = ["explain", "rules.yaml", "--host", "shop.example.com", "-H", &format!("x-canary: {token}")];
    folder
        .serin(&words)
        .ends_with(0)
        .says("it cannot be checked, since SERIN_TEST_KEY is not set here")
        .says_not(token);
    let with = folder.serin_with(&words, b"", &[("SERIN_TEST_KEY", "sixteen characters")]).ends_with(0);
    with.says("it is not signed by one of the keys");
}

#[test]
fn a_first_visit_that_goes_to_stable() {
    let folder =
        Folder::with(&[("rules.yaml", &SOUND.replace("    override", "    sticky: {first: stable}\n    override"))]);
    let run = folder.serin(&["explain", "rules.yaml", "--host", "shop.example.com"]).ends_with(0);
    run.says("gets v1 (cluster shop-v1) of rollout shop, as a first visit")
        .says_not("by chance")
        .says("and the slot decides from the next request on");
}

#[test]
fn for_scripts() {
    let json = explain(&["--host", "shop.example.com", "-b", "canary=nEjRWeJq83v.d20778", "--output", "json"])
        .ends_with(0)
        .json();
    assert_eq!(json["slot"], json!({"number": 477_172, "percent": 47.7172, "from": 100_000, "to": 1_000_000}));
    let outcomes: Vec<&Value> = json["layers"].as_array().unwrap().iter().map(|layer| &layer["outcome"]).collect();
    assert_eq!(outcomes, ["passed", "passed", "passed", "passed", "answered"]);
    assert_eq!(json["asked"]["at"], AT);
}
