//! A real Envoy: which rollout covers a request, which of its rules decides, and what tells of a decision.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Ask, Crowd, Setup, Visitor};

use crate::support::{HOST, Site, assert_share, counts, decisions, eventually, raw, raw_to, values_of};

const VISITORS: u32 = 400;
const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];

/// Rollouts by name and their entries. Their order is not that of precedence.
const ENTRIES: [(&str, &str); 19] = [
    ("a-any", "{}"),
    ("b-wild", r#"{"hosts": ["*.example.com"]}"#),
    ("c-long-wild", r#"{"hosts": ["*.shop.example.com"]}"#),
    ("d-any-api", r#"{"path": {"prefix": "/api"}}"#),
    ("e-any-deep", r#"{"path": {"exact": "/deep"}, "headers": [{"name": "x-team", "present": true}]}"#),
    ("f-host", r#"{"hosts": ["shop.example.com"]}"#),
    ("g-api", r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api"}}"#),
    ("h-api-v2", r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api/v2/"}}"#),
    ("i-login", r#"{"hosts": ["shop.example.com"], "path": {"exact": "/api/v2/login"}}"#),
    ("j-regex", r#"{"hosts": ["shop.example.com"], "path": {"regex": "/(api|item)/[0-9]+"}}"#),
    ("k-post", r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api/v2"}, "methods": ["POST"]}"#),
    (
        "l-qa",
        r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api/v2"}, "headers": [{"name": "x-team", "exact": "qa"}]}"#,
    ),
    (
        "m-qa-eu",
        r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api/v2"}, "headers": [{"name": "x-team", "exact": "qa"}, {"name": "x-region", "exact": "eu"}]}"#,
    ),
    (
        "n-query",
        r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api/v2"}, "query": [{"name": "q", "present": true}]}"#,
    ),
    (
        "o-cookie",
        r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api/v2"}, "cookies": [{"name": "beta", "present": true}]}"#,
    ),
    ("p-source", r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/from"}, "source": ["127.0.0.0/8"]}"#),
    ("q-nowhere", r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/from/far"}, "source": ["192.0.2.0/24"]}"#),
    ("r-blog-qa", r#"{"hosts": ["blog.example.com"], "headers": [{"name": "x-team", "exact": "qa"}]}"#),
    ("s-same", r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/api"}}"#),
];

/// Host, request line, header lines, and the rollout that covers the request.
const COVERED: [(&str, &str, &str, &str); 30] = [
    ("www.other.org", "GET /", "", "a-any"),
    ("example.com", "GET /", "", "a-any"),
    ("www.other.org", "GET /api/x", "", "d-any-api"),
    ("www.example.com", "GET /", "", "b-wild"),
    ("a.b.example.com", "GET /", "", "b-wild"),
    // The host counts before the path: no rollout of a less specific host, however exact its path.
    ("www.example.com", "GET /api/x", "", "b-wild"),
    ("shop.example.com", "GET /deep", "x-team: qa\r\n", "f-host"),
    ("www.other.org", "GET /deep", "x-team: qa\r\n", "e-any-deep"),
    ("www.other.org", "GET /deep", "", "a-any"),
    ("eu.shop.example.com", "GET /", "", "c-long-wild"),
    ("shop.example.com", "GET /", "", "f-host"),
    ("SHOP.example.COM:8443", "GET /", "", "f-host"),
    ("shop.example.com", "GET /apix", "", "f-host"),
    ("shop.example.com", "GET /api", "", "g-api"),
    ("shop.example.com", "GET /api/v1", "", "g-api"),
    ("shop.example.com", "GET /api/v2?q", "", "n-query"),
    ("shop.example.com", "GET /api/v2/x", "", "h-api-v2"),
    ("shop.example.com", "GET /api/v2/login", "x-team: qa\r\n", "i-login"),
    ("shop.example.com", "GET /item/12", "", "j-regex"),
    ("shop.example.com", "GET /api/12", "", "g-api"),
    ("shop.example.com", "POST /api/v2/x?q", "x-team: qa\r\ncontent-length: 0\r\n", "k-post"),
    ("shop.example.com", "GET /api/v2/x?q", "x-team: qa\r\ncookie: beta=1\r\n", "l-qa"),
    ("shop.example.com", "GET /api/v2/x", "x-team: qa\r\nx-region: eu\r\n", "m-qa-eu"),
    ("shop.example.com", "GET /api/v2/x", "x-team: dev\r\nx-region: eu\r\n", "h-api-v2"),
    ("shop.example.com", "GET /api/v2/x?q", "cookie: beta=1\r\n", "n-query"),
    ("shop.example.com", "GET /api/v2/x?p", "cookie: beta=1\r\n", "o-cookie"),
    ("shop.example.com", "GET /from/near", "", "p-source"),
    ("shop.example.com", "GET /from/far", "", "p-source"),
    ("blog.example.com", "GET /", "x-team: qa\r\n", "r-blog-qa"),
    ("blog.example.com", "GET /", "x-team: dev\r\n", "b-wild"),
];

#[tokio::test]
async fn the_most_specific_rollout_whose_conditions_hold_covers_a_request() -> Result<()> {
    let mut document = json!({"rollouts": {}, "headers": {"cluster": "x-canary-cluster", "answer": "x-answer"}});
    for (name, entry) in ENTRIES {
        let entry: Value = serde_json::from_str(entry).with_context(|| name)?;
        let versions = json!({"v1": {}, "v2": {"cluster": "v2", "weight": 100}});
        document["rollouts"][name] = json!({"match": [entry], "stable": "v1", "versions": versions});
    }
    let site = Site::start(&Setup::from_env()?, document).await?;
    for (host, line, headers, rollout) in COVERED {
        let reply = raw_to(host, site.envoy.address(), line, headers).await?;
        let expected = (Some(format!("{rollout}/v2/slot")), "v2");
        let found = (reply.header("x-answer").map(str::to_owned), reply.body.as_str());
        assert_eq!(expected, found, "{host} {line} {headers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_first_rule_that_holds_decides() -> Result<()> {
    let qa = json!({"headers": [{"name": "x-team", "in": ["qa", "dev"]}]});
    let gone = json!([{"name": "x-gone", "present": true}]);
    let trial = json!({"hosts": ["*.other.org", "trial.example.com"], "path": {"prefix": "/trial"}});
    let rules = json!([
        {"when": qa, "use": "v2"},
        {"when": {"query": [{"name": "old", "present": true}]}, "use": "v1"},
        {"when": {"cookies": [{"name": "lane", "exact": "third"}]}, "use": "v3"},
        {"when": {"headers": gone}, "use": "v0"},
        {"when": {"headers": gone, "methods": ["POST"]}, "use": "v3"},
        {"when": trial, "weights": {"v3": 0, "v2": 100}},
        {"weights": {"v3": 100}},
    ]);
    let site = Site::of(&VERSIONS, &Setup::from_env()?, document(&json!({"rules": rules}))).await?;
    for (host, line, headers, answer) in [
        (HOST, "GET /", "", "v3/slot"),
        (HOST, "GET /", "x-team: qa\r\n", "v2/rule"),
        (HOST, "GET /?old", "x-team: dev\r\n", "v2/rule"),
        (HOST, "GET /?old", "x-team: ops\r\n", "v1/rule"),
        (HOST, "GET /?old", "cookie: lane=third\r\n", "v1/rule"),
        (HOST, "GET /", "cookie: a=b; lane=third\r\n", "v3/rule"),
        // v0 is off, so what names it is passed over.
        (HOST, "GET /", "x-gone: 1\r\n", "v3/slot"),
        (HOST, "POST /", "x-gone: 1\r\ncontent-length: 0\r\n", "v3/rule"),
        ("www.other.org", "GET /trial/x", "x-gone: 1\r\n", "v2/slot"),
        ("trial.example.com", "GET /trial", "", "v2/slot"),
        ("www.other.org", "GET /trials", "", "v3/slot"),
    ] {
        let reply = raw_to(host, site.envoy.address(), line, headers).await?;
        let what = format!("{host} {line} {headers:?}");
        assert_eq!(Some(format!("shop/{answer}").as_str()), reply.header("x-answer"), "{what}");
        assert_eq!(answer.split('/').next(), Some(reply.body.as_str()), "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rules_weights_are_its_segments_shares() -> Result<()> {
    let when = |plan: &str| json!({"headers": [{"name": "x-plan", "exact": plan}]});
    let rules = json!([
        {"when": when("beta"), "weights": {"v2": 50}},
        {"when": when("both"), "weights": {"v2": 30, "v3": 40}},
        {"when": when("gold"), "use": "v2"},
    ]);
    let mut document = document(&json!({ "rules": rules }));
    document["rollouts"]["shop"]["versions"]["v2"]["weight"] = json!(10);
    let site = Site::of(&VERSIONS, &Setup::from_env()?, document).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    // The share of v2 and of v3, and who moved since the row before.
    for (plan, v2, v3, moved) in [
        ("free", 0.1, 0.0, &[][..]),
        ("beta", 0.5, 0.0, &[("v1", "v2")]),
        ("both", 0.3, 0.4, &[("v1", "v3"), ("v2", "v1")]),
        ("free", 0.1, 0.0, &[("v2", "v1"), ("v3", "v1")]),
        ("gold", 1.0, 0.0, &[("v1", "v2")]),
    ] {
        crowd.visit_as(2, Ask::path("/").header("x-plan", plan)).await?;
        let seen = crowd.take_report();
        let moves: Vec<_> = seen.moves.keys().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        assert_eq!((moved, 0), (&moves[..], seen.failed), "{plan}: {:?}", seen.failures);
        assert_share(seen.visitor_share("v2"), v2, VISITORS);
        assert_share(seen.visitor_share("v3"), v3, VISITORS);
    }
    Ok(())
}

#[tokio::test]
async fn an_alias_stands_for_its_version() -> Result<()> {
    let aliases = json!({"always": "v2", "never": "v1", "next": "v3", "gone": "v0"});
    let asked = json!({"header": "x-canary", "query": "canary", "cookie": "preview", "aliases": aliases});
    let site = Site::of(&VERSIONS, &Setup::from_env()?, document(&json!({ "override": asked }))).await?;
    for (path, headers, answer) in [
        ("/", "x-canary: always\r\n", "v2/override"),
        ("/", "x-canary:  next \r\n", "v3/override"),
        ("/", "x-canary: v3\r\n", "v3/override"),
        ("/", "x-canary: never\r\n", "v1/override"),
        ("/", "x-canary: Always\r\n", "v1/slot"),
        ("/", "x-canary: gone\r\n", "v1/slot"),
        ("/", "x-canary: auto\r\n", "v1/slot"),
        ("/?canary=next", "", "v3/override"),
        ("/?canary=%6Eext", "", "v1/slot"),
        ("/?canary=nobody&canary=next", "", "v3/override"),
        ("/", "cookie: preview=always\r\n", "v2/override"),
        ("/", "cookie: preview=nobody; preview=always\r\n", "v2/override"),
        ("/?canary=next", "x-canary: always\r\ncookie: preview=never\r\n", "v2/override"),
        ("/?canary=next", "x-canary: nobody\r\ncookie: preview=always\r\n", "v3/override"),
        ("/?canary=auto", "cookie: preview=always\r\n", "v1/slot"),
        // Of several headers of one name the first counts, and no other.
        ("/", "x-canary: next\r\nx-canary: always\r\n", "v3/override"),
        ("/", "x-canary: nobody\r\nx-canary: always\r\n", "v1/slot"),
    ] {
        let reply = raw(site.envoy.address(), &format!("GET {path}"), headers).await?;
        let what = format!("{path} {headers:?}");
        assert_eq!(Some(format!("shop/{answer}").as_str()), reply.header("x-answer"), "{what}");
        assert_eq!(answer.split('/').next(), Some(reply.body.as_str()), "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn request_and_response_tell_the_reason() -> Result<()> {
    let site = Site::start(&Setup::from_env()?.strip_early(false), every_reason()).await?;
    for (path, headers, answers) in [
        ("inherit", &[("x-canary-version", "v2")][..], &["v2/inherit"; 2][..]),
        ("inherit", &[("x-canary-version", "v9")], &["v1/slot"; 2]),
        ("override", &[("x-canary", "v2")], &["v2/override"; 2]),
        ("rule", &[], &["v2/rule"; 2]),
        ("held", &[], &["v2/slot", "v2/held"]),
        ("slot", &[], &["v2/slot"; 2]),
        ("random", &[], &["v2/random"; 2]),
        ("first", &[], &["v1/first", "v2/slot"]),
        ("broken", &[], &["v1/broken"; 2]),
    ] {
        let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
        let forged = [("x-canary-reason", "forged"), ("X-Canary-Reason", "twice"), ("x-answer", "forged")];
        for answer in answers {
            let path = format!("/{path}/headers?header=x-answer:theirs");
            let seen = visitor.get(&mut connection, &path, &[&forged, headers].concat()).await?;
            let (version, reason) = answer.split_once('/').context("version/reason")?;
            let told = values_of(&seen, "x-canary-reason")?;
            assert_eq!(if version == "v2" { vec![reason] } else { vec![] }, told, "{path} {headers:?}");
            let rollout = path.split('/').nth(1).context("a rollout")?;
            assert_eq!([format!("{rollout}/{answer}")], *seen.values("x-answer"), "{path} {headers:?}");
        }
    }
    // Where no rollout covers the request the filter says nothing, and what the application answers stays.
    let reply =
        raw(site.envoy.address(), "GET /other/headers?header=x-answer:theirs", "x-canary-reason: x\r\n").await?;
    assert_eq!((Some("theirs"), false), (reply.header("x-answer"), reply.body.contains("x-canary-reason")));
    Ok(())
}

#[tokio::test]
async fn an_inbound_listener_decides_where_it_is_told_to() -> Result<()> {
    for (direction, inbound, decides) in [
        ("INBOUND", None, false),
        ("INBOUND", Some("skip"), false),
        ("INBOUND", Some("decide"), true),
        ("OUTBOUND", None, true),
        ("UNSPECIFIED", Some("skip"), true),
    ] {
        let mut document = document(&json!({}));
        document["rollouts"]["shop"]["versions"]["v2"]["weight"] = json!(100);
        if let Some(inbound) = inbound {
            document["inbound"] = json!(inbound);
        }
        let setup = Setup::from_env()?.strip_early(false).listener(json!({ "traffic_direction": direction }));
        let site = Site::start(&setup, document).await?;
        let seen = site.ask("/headers", &[("x-canary-version", "v1")]).await?;
        // What is not decided here passes as it came: the caller's side has decided.
        let version = if decides { "v2" } else { "v1" };
        let what = format!("{direction} {inbound:?}");
        assert_eq!([version], *values_of(&seen, "x-canary-version")?, "{what}");
        assert_eq!(u64::from(decides), site.upstreams.requests("v2"), "{what}");
        let cookies_and_answers = (seen.values("set-cookie").len(), seen.values("x-answer").len());
        assert_eq!((usize::from(decides), usize::from(decides)), cookies_and_answers, "{what}");
        let counted = if decides { counts([("shop/v2/slot", 1)]) } else { counts([]) };
        eventually(counted, async || decisions(&site.envoy).await).await?;
    }
    Ok(())
}

/// A rollout with the three versions and one that is off, none of them with a weight, and these other fields.
fn document(fields: &Value) -> Value {
    let versions = json!({
        "v0": {"cluster": "v1", "off": true},
        "v1": {"cluster": "v1"},
        "v2": {"cluster": "v2", "place": "low"},
        "v3": {"cluster": "v3", "place": "high"},
    });
    let mut shop = json!({"stable": "v1", "versions": versions});
    for (name, value) in fields.as_object().into_iter().flatten() {
        shop[name] = value.clone();
    }
    json!({"rollouts": {"shop": shop}, "headers": {"cluster": "x-canary-cluster", "answer": "x-answer"}})
}

/// A rollout for each reason, on a path of its name.
fn every_reason() -> Value {
    let headers = json!({"cluster": "x-canary-cluster", "reason": "x-canary-reason", "answer": "x-answer"});
    let mut document = json!({"rollouts": {}, "headers": headers});
    for (name, weight, fields) in [
        ("inherit", 0, json!({"inherit": true})),
        ("override", 0, json!({"override": {"header": "x-canary"}})),
        ("rule", 0, json!({"rules": [{"use": "v2"}]})),
        ("held", 100, json!({"sticky": {"hold": "version"}})),
        ("slot", 100, json!({})),
        ("random", 100, json!({"sticky": {"hold": "none"}})),
        ("first", 100, json!({"sticky": {"first": "stable"}})),
        ("broken", 100, json!({"no_such_field": true})),
    ] {
        let mut rollout = json!({
            "match": [{"path": {"prefix": format!("/{name}")}}],
            "stable": "v1",
            "versions": {"v1": {}, "v2": {"cluster": "v2", "weight": weight}},
        });
        for (field, value) in fields.as_object().into_iter().flatten() {
            rollout[field] = value.clone();
        }
        document["rollouts"][name] = rollout;
    }
    document
}
