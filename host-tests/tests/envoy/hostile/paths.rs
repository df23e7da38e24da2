//! Absurd paths: answered by whom `docs/matching.md` says, or by Envoy itself.

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Http, Setup};

use super::{Target, answer};
use crate::support::raw;

/// Request lines, and who answers: rollout, version and reason, or Envoy with a status.
const LINES: [(&str, &str); 44] = [
    ("GET /", "root/v2/rule"),
    ("GET /?", "root/v2/rule"),
    ("GET /??", "root/v2/rule"),
    ("GET /?/api", "root/v2/rule"),
    ("GET /?&&&=&=&canary", "root/v2/rule"),
    ("GET  /", "root/v2/rule"),
    ("GET /\t", "root/v2/rule"),
    ("GET //", "shop/v1/random"),
    ("GET ///api", "shop/v1/random"),
    ("GET /../", "shop/v1/random"),
    ("GET /..;/api", "shop/v1/random"),
    ("GET /api/..", "api/v1/random"),
    ("GET /;", "shop/v1/random"),
    ("GET /api;", "shop/v1/random"),
    ("GET /%2f", "shop/v1/random"),
    ("GET /%2Fapi", "shop/v1/random"),
    ("GET /api%00", "shop/v1/random"),
    ("GET /api/%00", "api/v1/random"),
    ("GET /%", "shop/v1/random"),
    ("GET /%zz/%", "shop/v1/random"),
    ("GET /%ff%fe", "shop/v1/random"),
    ("GET /api/\"\\^{|}", "api/v1/random"),
    ("GET /api?canary=v2", "api/v2/override"),
    ("GET /api??canary=v2", "api/v1/random"),
    ("GET /api?canary=v2?", "api/v1/random"),
    ("GET /api?canary=v2;x", "api/v1/random"),
    ("GET /api?canary=%762", "api/v1/random"),
    ("GET /api?canary=v2%0d%0a", "api/v1/random"),
    ("GET /api?Canary=v2", "api/v1/random"),
    ("GET /api?canary=&canary=v2", "api/v2/override"),
    ("GET /api?canary=v2&canary=v1", "api/v2/override"),
    ("GET http://shop.example.com", "root/v2/rule"),
    ("GET http://a:b@shop.example.com/api?canary=v2", "api/v2/override"),
    ("GET https://other.example.com/api", "api/v1/random"),
    ("GET ", "400"),
    ("GET ?canary=v2", "400"),
    ("GET api", "400"),
    ("GET *", "400"),
    ("OPTIONS *", "404"),
    ("GET http://shop.example.com?canary=v2", "404"),
    ("GET /#", "400"),
    ("GET /api?canary=v2#x", "400"),
    ("GET http:///api", "400"),
    ("GET ftp://shop.example.com/api", "400"),
];

/// Paths that are made, with what they are, and who answers over either version of HTTP.
fn made() -> [(&'static str, String, &'static str); 9] {
    let long = "a".repeat(50 * 1024);
    let many = "a=1&".repeat(10_000);
    let behind = |parameters: usize| format!("/api?{}canary=v2", "a&".repeat(parameters));
    [
        ("50 KiB", format!("/{long}"), "shop/v1/random"),
        ("a long end", format!("/api/{long}"), "api/v1/random"),
        ("a long segment", format!("/api{long}?canary=v2"), "shop/v1/random"),
        ("a long query before", format!("/api?a={long}&canary=v2"), "api/v2/override"),
        ("10,000 parameters behind", format!("/api?canary=v2&{many}"), "api/v2/override"),
        ("10,000 parameters before", format!("/api?{many}canary=v2"), "api/v1/random"),
        ("the last parameter that counts", behind(255), "api/v2/override"),
        ("the first that does not", behind(256), "api/v1/random"),
        ("10,000 slashes", "/".repeat(10_000), "shop/v1/random"),
    ]
}

#[tokio::test]
async fn every_path_is_answered_as_documented() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, rules()).await?;
    let address = target.address();
    // Envoy takes a second to close after a request that it refuses, so they are made side by side.
    let asked = LINES.map(|(line, _)| tokio::spawn(raw(address, line, "")));
    let mut wrong = Vec::new();
    for ((line, expected), reply) in LINES.into_iter().zip(asked) {
        let reply = reply.await??;
        let found = reply.header("x-answer").map_or_else(|| reply.status.to_string(), str::to_owned);
        if found != expected {
            wrong.push(format!("{line}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Envoy refuses bytes beyond ASCII in a path of either version of HTTP.
    for path in ["/api/é", "/\u{80}"] {
        assert_eq!(400, raw(address, &format!("GET {path}"), "").await?.status, "{path:?}");
    }
    for (what, path, expected) in made() {
        let one = raw(address, &format!("GET {path}"), "").await?;
        assert_eq!((200, Some(expected)), (one.status, one.header("x-answer")), "{what} over HTTP/1");
        let two = target.ask(Http::Two, &path, &[]).await?;
        assert_eq!((200, expected), (two.status, &*answer(&two)), "{what} over HTTP/2");
    }
    target.assert_unhurt_and_counted().await
}

/// A rollout for the front page, one for a prefix, and one for all else.
fn rules() -> Value {
    let versions = json!({"v1": {"cluster": "v1"}, "v2": {"cluster": "v2"}});
    let rollout = |path: Value, fields: Value| {
        let mut rollout = json!({"stable": "v1", "versions": versions, "sticky": {"hold": "none"}});
        if !path.is_null() {
            rollout["match"] = json!([{ "path": path }]);
        }
        for (name, value) in fields.as_object().into_iter().flatten() {
            rollout[name] = value.clone();
        }
        rollout
    };
    let asked = json!({"override": {"query": "canary"}});
    let rollouts = json!({
        "root": rollout(json!({"exact": "/"}), json!({"rules": [{"use": "v2"}]})),
        "api": rollout(json!({"prefix": "/api"}), asked),
        "shop": rollout(Value::Null, json!({"override": {"header": "x-canary"}})),
    });
    json!({"rollouts": rollouts, "headers": {"cluster": "x-canary-cluster", "answer": "x-answer"}})
}
