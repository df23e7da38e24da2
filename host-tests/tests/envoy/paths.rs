//! A real Envoy: a rollout covers the very paths that a route of Envoy's with the same condition matches, whatever the
//! connection manager makes of a path before.

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Routes, Setup};

use crate::support::{Site, raw};

/// Rollouts by path, and the same conditions as Envoy's routes have them, which go by their order.
const CONDITIONS: [(&str, &str, &str); 5] = [
    ("exact", r#"{"exact": "/api/exact"}"#, r#"{"path": "/api/exact"}"#),
    ("deep", r#"{"prefix": "/api/v1"}"#, r#"{"path_separated_prefix": "/api/v1"}"#),
    ("escaped", r#"{"prefix": "/a%2Fb"}"#, r#"{"path_separated_prefix": "/a%2Fb"}"#),
    ("api", r#"{"prefix": "/api"}"#, r#"{"path_separated_prefix": "/api"}"#),
    ("regex", r#"{"regex": "/item/[0-9]+|/q"}"#, r#"{"safe_regex": {"regex": "/item/[0-9]+|/q"}}"#),
];

/// What the connection manager does to a path, in the order of the columns below.
const MANAGERS: [(&str, &str); 4] = [
    ("as it is", "{}"),
    ("normalised", r#"{"normalize_path": true, "merge_slashes": true}"#),
    (
        "unescaped",
        r#"{"normalize_path": true, "merge_slashes": true, "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"}"#,
    ),
    ("escaped slashes refused", r#"{"path_with_escaped_slashes_action": "REJECT_REQUEST"}"#),
];

/// Request lines, and who answers under each manager: a rollout, `-` for none, or Envoy itself with a status.
const REQUESTS: [(&str, [&str; 4]); 41] = [
    ("GET /", ["-", "-", "-", "-"]),
    ("GET /api", ["api", "api", "api", "api"]),
    ("GET /api/", ["api", "api", "api", "api"]),
    ("GET /api/x", ["api", "api", "api", "api"]),
    ("GET /apis", ["-", "-", "-", "-"]),
    ("GET /API", ["-", "-", "-", "-"]),
    ("GET /api/V1", ["api", "api", "api", "api"]),
    ("GET /api?x=/api/v1", ["api", "api", "api", "api"]),
    ("GET /?/api", ["-", "-", "-", "-"]),
    ("GET /api/exact", ["exact", "exact", "exact", "exact"]),
    ("GET /api/exact?", ["exact", "exact", "exact", "exact"]),
    ("GET /api/exact/", ["api", "api", "api", "api"]),
    ("GET /api/v1/x?y#z", ["400", "400", "400", "400"]),
    ("GET /api#/v1", ["400", "400", "400", "400"]),
    ("GET /api%2Fv1", ["-", "-", "deep", "400"]),
    ("GET /api%2fv1", ["-", "-", "deep", "400"]),
    ("GET /api%5Cv1", ["-", "-", "deep", "400"]),
    ("GET /api\\v1", ["-", "deep", "deep", "-"]),
    ("GET /a%2Fb", ["escaped", "escaped", "-", "400"]),
    ("GET /a%2fb", ["-", "-", "-", "400"]),
    ("GET /api/%76%31", ["api", "deep", "deep", "api"]),
    ("GET /%61pi", ["-", "api", "api", "-"]),
    ("GET //api/v1", ["-", "deep", "deep", "-"]),
    ("GET /api//v1", ["api", "deep", "deep", "api"]),
    ("GET /api/v1;a=1", ["api", "api", "api", "api"]),
    ("GET /api;a=1/v1", ["-", "-", "-", "-"]),
    ("GET /api/../other", ["api", "-", "-", "api"]),
    ("GET /api/%2e%2E/other", ["api", "-", "-", "api"]),
    ("GET /other/../api/v1", ["-", "deep", "deep", "-"]),
    ("GET /api/./v1", ["api", "deep", "deep", "api"]),
    ("GET /api/v1/..", ["deep", "api", "api", "deep"]),
    ("GET /../../api", ["-", "api", "api", "-"]),
    ("GET /api%3Fx", ["-", "-", "-", "-"]),
    ("GET http://shop.example.com/api/v1?x", ["deep", "deep", "deep", "deep"]),
    ("GET /item/12", ["regex", "regex", "regex", "regex"]),
    ("GET /item/12?x=a", ["regex", "regex", "regex", "regex"]),
    ("GET /item/12/", ["-", "-", "-", "-"]),
    ("GET /q/item/12", ["-", "-", "-", "-"]),
    ("GET /item//%31", ["-", "regex", "regex", "-"]),
    ("GET /item%2F1", ["-", "-", "regex", "400"]),
    ("OPTIONS *", ["404", "404", "404", "404"]),
];

#[tokio::test]
async fn as_it_is() -> Result<()> {
    check(0).await
}

#[tokio::test]
async fn normalised() -> Result<()> {
    check(1).await
}

#[tokio::test]
async fn unescaped() -> Result<()> {
    check(2).await
}

#[tokio::test]
async fn escaped_slashes_refused() -> Result<()> {
    check(3).await
}

/// Every request under one manager, at the filter and at Envoy's own routes.
async fn check(column: usize) -> Result<()> {
    let (name, manager) = MANAGERS[column];
    let setup = Setup::from_env()?.routes(Routes::Table(routes()?)).manager(serde_json::from_str(manager)?);
    let site = Site::start(&setup, document()?).await?;
    let address = site.envoy.address();
    // Envoy takes a second to close after a request that it refuses, so they are made side by side.
    let asked: Vec<_> = REQUESTS.iter().map(|(line, _)| tokio::spawn(raw(address, line, ""))).collect();
    let mut wrong = Vec::new();
    for ((line, expected), reply) in REQUESTS.iter().zip(asked) {
        let reply = reply.await??;
        let (ours, native) = match reply.status {
            200 => (rollout(reply.header("x-answer")), reply.header("x-native").unwrap_or("-").to_owned()),
            status => (status.to_string(), status.to_string()),
        };
        if (expected[column], expected[column]) != (&ours, &native) {
            wrong.push(format!("{line}: {ours}, Envoy's route {native}, expected {}", expected[column]));
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    Ok(())
}

fn rollout(answer: Option<&str>) -> String {
    answer.and_then(|answer| answer.split('/').next()).unwrap_or("-").to_owned()
}

fn document() -> Result<Value> {
    let mut document = json!({"rollouts": {}, "headers": {"answer": "x-answer"}});
    for (name, path, _) in CONDITIONS {
        let path: Value = serde_json::from_str(path)?;
        document["rollouts"][name] = json!({"match": [{"path": path}], "stable": "v1", "versions": {"v1": {}}});
    }
    Ok(document)
}

fn routes() -> Result<Value> {
    let mut routes = Vec::new();
    for (name, _, condition) in CONDITIONS {
        let condition: Value = serde_json::from_str(condition)?;
        let header = json!({"header": {"key": "x-native", "value": name}});
        routes.push(json!({"match": condition, "route": {"cluster": "v1"}, "response_headers_to_add": [header]}));
    }
    routes.push(json!({"match": {"prefix": "/"}, "route": {"cluster": "v1"}}));
    Ok(json!({ "routes": routes }))
}
