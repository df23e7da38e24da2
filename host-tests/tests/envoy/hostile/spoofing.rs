//! A client's copies of the headers that carry a decision: no upstream ever sees one.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Configuration, Http, Routes, Setup};

use super::unhurt::{injuries, vms};
use super::witness::Witness;
use super::{Target, ask, document};
use crate::support::{HOST, by_version, raw, raw_bytes, rest_to};

/// How a client may write a header, in forms that Envoy lets through.
const FORMS: [&str; 13] = [
    "NAME: v2\r\n",
    "UPPER: v2\r\n",
    "NAME:v2\r\n",
    "NAME:\t v2 \t\r\n",
    "NAME:\r\n",
    "NAME: \r\nUPPER: v2\r\n",
    "NAME: v1\r\nUPPER: v2\r\nNAME: v3\r\n",
    "NAME: v1,v2\r\n",
    "NAME:\r\n v2\r\n",
    "NAME: \"v2\"\r\n",
    "NAME: é\r\n",
    "connection: NAME\r\nNAME: v2\r\n",
    // Another header, and not ours.
    "UNDERSCORES: v2\r\n",
];

/// Forms that Envoy refuses.
const REFUSED: [&str; 4] = ["NAME : v2\r\n", "NAME\t: v2\r\n", "NAME\0: v2\r\n", ":NAME: v2\r\n"];

fn written(form: &str, name: &str) -> String {
    let written = form.replace("NAME", name).replace("UPPER", &name.to_uppercase());
    written.replace("UNDERSCORES", &name.replace('-', "_"))
}

/// Headers of the filter, and what they say of v2.
type Own = &'static [(&'static str, &'static str)];

/// What is written of v2, but not seen here: an override has no slot.
const UNSEEN: &str = "-";
const DEFAULT: Own = &[("x-canary-version", "v2")];
const NAMED: Own = &[
    ("x-canary-version", "v2"),
    ("x-cluster", "v2"),
    ("x-slot", UNSEEN),
    ("x-reason", "override"),
    ("x-lane", "canary"),
];
const RENAMED: Own =
    &[("x-ver", "v2"), ("x-clu", "v2"), ("x-slo", UNSEEN), ("x-rea", "override"), ("x-lane", "canary")];

/// The document, with these names of output headers.
fn naming(names: [&str; 4]) -> Value {
    let mut rules = document();
    rules["headers"] =
        json!({"version": names[0], "cluster": names[1], "slot": names[2], "reason": names[3], "answer": "x-answer"});
    rules["rollouts"]["shop"]["match"] = json!([{"path": {"prefix": "/covered"}}, {"path": {"prefix": "/sound"}}]);
    rules
}

fn named() -> Value {
    naming(["x-canary-version", "x-cluster", "x-slot", "x-reason"])
}

fn with(mut rules: Value, field: &str, value: Value) -> Value {
    rules[field] = value;
    rules
}

/// Routes that go by the version header, whatever its name, and take nothing away.
fn by_any_version() -> Value {
    let mut renamed = by_version("v2");
    renamed["match"]["headers"][0]["name"] = json!("x-ver");
    json!({"routes": [by_version("v2"), renamed, rest_to("v1")]})
}

#[tokio::test]
async fn no_copy_of_a_clients_reaches_an_upstream() -> Result<()> {
    let setup = Setup::from_env()?.strip_early(false).routes(Routes::Table(by_any_version()));
    let mut target = Target::start(&setup, Configuration::Text("no document".to_owned())).await?;
    let renamed = naming(["x-ver", "x-clu", "x-slo", "x-rea"]);
    // Without rules: at first, and with the names of a document that is otherwise broken.
    check(&target, "no document", DEFAULT, false).await?;
    target.push(with(renamed.clone(), "cooky", json!({}))).await?;
    check(&target, "a broken document", &RENAMED[..4], false).await?;
    check(&target, "a broken document, by default", DEFAULT, false).await?;
    target.push(json!({"rollouts": {}})).await?;
    check(&target, "no rollouts", DEFAULT, false).await?;
    for (what, rules, own) in [
        ("sound", named(), NAMED),
        ("broken after a sound one", with(renamed.clone(), "cooky", json!({})), NAMED),
        ("no document after a sound one", json!({"rollouts": 1}), NAMED),
        ("a broken rollout after a sound one", with(named(), "rollouts", json!({"shop": {}})), NAMED),
        ("renamed", renamed, RENAMED),
    ] {
        target.push(rules).await?;
        check(&target, what, own, true).await?;
    }
    let mut inheriting = named();
    inheriting["rollouts"]["shop"]["inherit"] = json!(true);
    target.push(inheriting).await?;
    check(&target, "inherit", &NAMED[1..], true).await?;
    assert_inherits(&target).await?;
    for form in REFUSED {
        let line = written(form, "x-canary-version");
        assert_eq!(400, raw(target.address(), "GET /covered/headers", &line).await?.status, "{form:?}");
    }
    target.assert_unhurt().await
}

#[tokio::test]
async fn nor_where_the_connection_manager_strips_them_as_well() -> Result<()> {
    let mut target = Target::start(&Setup::from_env()?, Configuration::Text("no document".to_owned())).await?;
    let both = [("x-canary-version", "v2"), ("x-canary-cluster", "v2")];
    check(&target, "no document", &both, false).await?;
    target.push(naming(["x-canary-version", "x-canary-cluster", "x-slot", "x-reason"])).await?;
    // The route takes the cluster's away itself.
    let own = [&NAMED[..1], &[("x-canary-cluster", UNSEEN)], &NAMED[2..]].concat();
    check(&target, "as shipped", &own, true).await?;
    target.assert_unhurt().await
}

/// All forms of all these headers, on requests for stable, for a canary, and that no rollout covers. v2 has those for a
/// canary and no others.
async fn check(target: &Target, what: &str, own: &[(&str, &str)], decides: bool) -> Result<()> {
    const OVER_TWO: [&[&str]; 4] = [&["v2"], &[""], &["v1", "v2"], &["", "v2"]];
    let on_v2 = || target.site.upstreams.requests("v2");
    let known = on_v2();
    for (path, asked, on_canary) in [
        ("/covered/headers", "v1", false),
        ("/covered/headers", "v9", false),
        ("/covered/headers", "v2", decides),
        ("/other/headers", "v2", false),
    ] {
        for form in FORMS {
            let copies: String = own.iter().map(|(name, _)| written(form, name)).collect();
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: {HOST}\r\nx-canary: {asked}\r\nx-answer: v2\r\n{copies}connection: close\r\n\r\n"
            );
            let reply = raw_bytes(target.address(), request.as_bytes()).await?;
            assert_eq!(200, reply.status, "{what}: {request:?}");
            let is_decided = reply.header("x-answer").is_some_and(|answer| answer.starts_with("shop/"));
            assert_eq!(decides && path.starts_with("/covered"), is_decided, "{what}: {request:?}: {}", reply.head);
            assert_seen(&reply.body, own, on_canary).with_context(|| format!("{what}: {request:?}"))?;
        }
        for values in OVER_TWO {
            let copies = own.iter().flat_map(|(name, _)| values.iter().map(move |value| (*name, value.as_bytes())));
            let headers: Vec<(&str, &[u8])> = copies.chain([("x-canary", asked.as_bytes())]).collect();
            let reply = ask(target.address(), Http::Two, path, &headers).await?;
            let body = String::from_utf8(reply.body)?;
            assert_seen(&body, own, on_canary).with_context(|| format!("{what}: {path}, {asked}, {values:?}"))?;
        }
    }
    let canaries = if decides { u64::try_from(FORMS.len() + OVER_TWO.len())? } else { 0 };
    assert_eq!(known + canaries, on_v2(), "{what}");
    Ok(())
}

/// The upstream saw what the filter says of a canary, and nothing at all of stable.
fn assert_seen(body: &str, own: &[(&str, &str)], on_canary: bool) -> Result<()> {
    let pairs: Vec<(String, String)> = serde_json::from_str(body).with_context(|| format!("no headers: {body}"))?;
    for (name, value) in own {
        let seen: Vec<&str> =
            pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        let expected = if on_canary && *value != UNSEEN { vec![*value] } else { vec![] };
        anyhow::ensure!(seen == expected, "{name}: {seen:?}, not {expected:?}");
    }
    Ok(())
}

/// With `inherit: true` the version header counts if it names a version, and else goes.
async fn assert_inherits(target: &Target) -> Result<()> {
    for (version, seen) in [("v2", vec!["v2"]), ("v1", vec!["v1"]), ("v9", vec![]), ("", vec![]), ("V2", vec![])] {
        let header = [("x-canary-version", version.as_bytes())];
        let reply = ask(target.address(), Http::Two, "/covered/headers", &header).await?;
        let pairs: Vec<(String, String)> = serde_json::from_slice(&reply.body)?;
        let found: Vec<&str> =
            pairs.iter().filter(|(name, _)| name == "x-canary-version").map(|(_, value)| value.as_str()).collect();
        assert_eq!(seen, found, "{version:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nor_on_an_upgrade_or_through_a_tunnel_nor_do_they_choose_what_envoy_answers() -> Result<()> {
    let [v1, v2] = [Witness::start().await?, Witness::start().await?];
    let kinds = json!([{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]);
    let setup = Setup::from_env()?.strip_early(false).manager(json!({"upgrade_configs": kinds}));
    let setup = setup.routes(Routes::Table(json!({"routes": special_routes()})));
    let envoy = setup.start_before(&[("v1", v1.address), ("v2", v2.address)], document()).await?;
    let before = vms(&envoy).await?;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let mut asked = Vec::new();
    for (line, more, [stable, canary]) in [
        ("GET /", upgrade, [101, 101]),
        ("CONNECT shop.example.com:443", "", [200, 200]),
        ("GET /direct", "connection: close\r\n", [203, 418]),
        ("GET /nowhere", "connection: close\r\n", [404, 404]),
    ] {
        for form in FORMS.iter().filter(|form| !form.starts_with("connection")) {
            let copies = ["x-canary-version", "x-canary-cluster", "x-lane"].map(|name| written(form, name)).concat();
            for (version, status) in [("v1", stable), ("v2", canary)] {
                let request = format!("{line} HTTP/1.1\r\nhost: {HOST}\r\nx-canary: {version}\r\n{more}{copies}\r\n");
                // Envoy takes a second to close some of these, so they are made side by side.
                let address = envoy.address();
                let reply =
                    tokio::spawn(async move { anyhow::Ok((raw_bytes(address, request.as_bytes()).await?, request)) });
                asked.push((reply, version, status));
            }
        }
    }
    for (reply, version, status) in asked {
        let (reply, request) = reply.await??;
        assert_eq!(status, reply.status, "{request:?}: {}", reply.head);
        let ours = |line: &&str| ["x-canary-", "x-lane"].iter().any(|name| line.starts_with(name));
        let seen: Vec<&str> = reply.body.lines().filter(ours).collect();
        let tells = version == "v2" && matches!(status, 101 | 200);
        let expected = if tells { &["x-canary-version: v2", "x-lane: canary"][..] } else { &[] };
        assert_eq!(expected, seen, "{request:?}");
    }
    assert_eq!(Vec::<String>::new(), injuries(&envoy, &before).await?);
    Ok(())
}

/// Routes for upgrades and tunnels by version, and one that Envoy answers by itself, as the version header says.
fn special_routes() -> Value {
    let present = json!([{"name": "x-canary-version", "present_match": true}]);
    let tunnel = |cluster| json!({"cluster": cluster, "upgrade_configs": [{"upgrade_type": "CONNECT"}]});
    let direct = |status| json!({"status": status});
    json!([
        {"match": {"connect_matcher": {}, "headers": present}, "route": tunnel("v2"),
            "request_headers_to_remove": ["x-canary-cluster"]},
        {"match": {"connect_matcher": {}}, "route": tunnel("v1")},
        {"match": {"prefix": "/direct", "headers": present}, "direct_response": direct(418)},
        {"match": {"prefix": "/direct"}, "direct_response": direct(203)},
        {"match": {"path": "/", "headers": present}, "route": {"cluster": "v2"},
            "request_headers_to_remove": ["x-canary-cluster"]},
        {"match": {"path": "/"}, "route": {"cluster": "v1"}},
    ])
}
