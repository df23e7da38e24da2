//! A real Envoy: how a decision reaches the route table, and that a client cannot make one itself.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Configuration, Routes, Setup, exchange};

use crate::support::{HOST, Site, eventually, weight, with_v2};

const ASK_FOR_V2: (&str, &str) = ("x-canary", "v2");

const BOTH: [&str; 2] = ["x-canary-version", "x-canary-cluster"];

/// Requests that carry our output headers. They ask for v2, which an honest decision gives to nobody.
const SPOOFS: [(&str, &str); 9] = [
    ("cluster", "x-canary-cluster: v2\r\n"),
    ("version", "x-canary-version: v2\r\n"),
    ("both", "x-canary-version: v2\r\nx-canary-cluster: v2\r\n"),
    ("doubled cluster", "x-canary-cluster: v2\r\nx-canary-cluster: v2\r\n"),
    ("doubled version", "x-canary-version: v2\r\nx-canary-version: v2\r\n"),
    ("odd case", "X-CANARY-cluster: v2\r\nx-Canary-VERSION: v2\r\n"),
    (
        "doubled in odd case",
        "X-Canary-Cluster: v2\r\nx-canary-cluster: v2\r\nX-CANARY-VERSION: v2\r\nx-canary-version: v2\r\n",
    ),
    (
        "empty, then a name",
        "x-canary-cluster:\r\nx-canary-cluster: v2\r\nx-canary-version:\r\nx-canary-version: v2\r\n",
    ),
    ("spaces around", "x-canary-cluster:  v2 \r\nx-canary-version: \tv2\r\n"),
];

#[tokio::test]
async fn header_match_routes_follow_the_version_header() -> Result<()> {
    let site = Site::start(&Setup::from_env()?.routes(Routes::HeaderMatch), weight(0)?).await?;
    assert_eq!("v1", site.ask("/", &[]).await?.text());
    assert_eq!("v2", site.ask("/", &[ASK_FOR_V2]).await?.text());
    let seen = headers_of(&site, &[ASK_FOR_V2]).await?;
    assert_eq!(["v2"], *values(&seen, "x-canary-version"));
    Ok(())
}

#[tokio::test]
async fn the_fail_safe_routes_follow_the_cluster_header_and_remove_it() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, weight(0)?).await?;
    assert_eq!("v1", site.ask("/", &[]).await?.text());
    assert_eq!("v2", site.ask("/", &[ASK_FOR_V2]).await?.text());
    let seen = headers_of(&site, &[ASK_FOR_V2]).await?;
    assert_eq!(["v2"], *values(&seen, "x-canary-version"));
    assert!(values(&seen, "x-canary-cluster").is_empty(), "{seen}");
    let line = "GET /headers 200 - cluster=v2 decision=shop/v2/override";
    eventually(true, async || Ok(site.envoy.access_log()?.contains(line))).await
}

#[tokio::test]
async fn a_decision_for_stable_adds_no_header() -> Result<()> {
    for routes in [Routes::FailSafe, Routes::HeaderMatch] {
        let site = Site::start(&Setup::from_env()?.routes(routes.clone()), weight(0)?).await?;
        let seen = headers_of(&site, &[]).await?;
        let ours: Vec<&Value> = pairs(&seen).filter(|pair| pair[0].as_str().unwrap().contains("canary")).collect();
        assert!(ours.is_empty(), "{routes:?}: {ours:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_cannot_write_our_headers_past_the_filter() -> Result<()> {
    for routes in [Routes::FailSafe, Routes::HeaderMatch] {
        let setup = Setup::from_env()?.routes(routes.clone()).strip_early(false);
        assert_spoofs_fail(&Site::start(&setup, weight(0)?).await?, &BOTH, &format!("{routes:?}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_client_cannot_write_our_headers_past_an_inert_filter() -> Result<()> {
    let mut spoiled = weight(0)?;
    spoiled["no_such_field"] = json!(true);
    let setup = Setup::from_env()?.strip_early(false);
    assert_spoofs_fail(&Site::start(&setup, spoiled).await?, &BOTH, "headers can be read").await?;

    // A document that cannot be read names no cluster header, so only the version header, a default, is ours.
    let unreadable = Configuration::Text("no document".to_owned());
    let setup = setup.routes(Routes::HeaderMatch);
    assert_spoofs_fail(&Site::start(&setup, unreadable).await?, &BOTH[..1], "nothing can be read").await
}

/// All that the filter uses but `proxy_get_header_map_pairs`, and the environment and output of WASI.
const ALL_BUT_PAIRS: [&str; 21] = [
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_delete",
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_buffer_bytes",
    "proxy_get_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_add_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "random_get",
];

#[tokio::test]
async fn a_host_that_refuses_to_give_all_headers_is_asked_by_name() -> Result<()> {
    let mut document = weight(0)?;
    document["rollouts"]["shop"]["match"] = json!([{"hosts": [HOST]}]);
    let setup = Setup::from_env()?.strip_early(false).capabilities(&ALL_BUT_PAIRS);
    let site = Site::start(&setup, document).await?;
    assert_spoofs_fail(&site, &BOTH, "without all headers").await?;
    assert_eq!("v2", site.ask("/", &[ASK_FOR_V2]).await?.text());
    assert!(site.envoy.log()?.contains("proxy_get_header_map_pairs"), "Envoy tells what it has refused");
    Ok(())
}

#[tokio::test]
async fn the_shipped_bootstrap_serves_stable_and_strips_our_headers_even_without_a_filter() -> Result<()> {
    let setup = Setup::from_env()?.module(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let site = Site::start(&setup, weight(100)?).await?;
    assert_eq!("v1", site.ask("/", &[ASK_FOR_V2]).await?.text());
    assert_spoofs_fail(&site, &BOTH, "no filter").await
}

#[tokio::test]
async fn a_canary_decision_replaces_whatever_a_client_wrote() -> Result<()> {
    let setup = Setup::from_env()?.routes(Routes::HeaderMatch).strip_early(false);
    let site = Site::start(&setup, with_v2(&json!({"weight": 100}))?).await?;
    for headers in ["x-canary-version: v1\r\n", "X-Canary-Version: v1\r\nx-canary-version: v9\r\n"] {
        assert_eq!("v2", raw(&site, "/", headers).await?);
        let seen: Value = serde_json::from_str(&raw(&site, "/headers", headers).await?)?;
        assert_eq!(["v2"], *values(&seen, "x-canary-version"), "{headers:?}");
        assert_eq!(["v2"], *values(&seen, "x-canary-cluster"), "{headers:?}");
    }
    Ok(())
}

/// The spoofs reach stable, and none of `names` reaches it with them.
async fn assert_spoofs_fail(site: &Site, names: &[&str], what: &str) -> Result<()> {
    for (name, headers) in SPOOFS {
        assert_eq!("v1", raw(site, "/", headers).await?, "{what}: {name}");
        let seen: Value = serde_json::from_str(&raw(site, "/headers", headers).await?)?;
        for ours in names {
            assert!(values(&seen, ours).is_empty(), "{what}: {name}: {seen}");
        }
    }
    assert_eq!(0, site.upstreams.requests("v2"), "{what}");
    Ok(())
}

/// The body that a request with these very header lines is answered with.
async fn raw(site: &Site, path: &str, headers: &str) -> Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n{headers}connection: close\r\n\r\n");
    let answer = exchange(site.envoy.address(), request.as_bytes()).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Ok(body.trim().to_owned())
}

/// The headers that reached the upstream.
async fn headers_of(site: &Site, headers: &[(&str, &str)]) -> Result<Value> {
    Ok(serde_json::from_slice(&site.ask("/headers", headers).await?.body)?)
}

fn pairs(seen: &Value) -> impl Iterator<Item = &Value> {
    seen.as_array().into_iter().flatten()
}

fn values<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    pairs(seen).filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect()
}
