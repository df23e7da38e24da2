//! A real Envoy that denies the filter some of the host calls that it makes (`capability_restriction_config`).

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serin_envoy::{Reply, Routes, Setup};
use serin_host::Module;

use crate::support::{self, Site, counts, decisions, eventually};

/// So many are started side by side where each host call gets one of its own.
const ENVOYS_AT_ONCE: usize = 3;

/// What a visitor of a site gets with one host call denied.
struct Expected {
    version: &'static str,
    reason: &'static str,
    cookies: usize,
}

/// The module is compiled for them, so once for all tests.
static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let path = std::env::var_os("SERIN_WASM").expect("SERIN_WASM names no module");
    Module::open(Path::new(&path)).expect("a module that an Envoy can load")
});

/// A site without this host call, at this weight of v2.
async fn site_without(denied: &str, weight: u32) -> Result<Site> {
    let names = [MODULE.exports(), MODULE.imports()].concat();
    let allowed: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != denied).collect();
    // The filter alone keeps clients from saying where they belong.
    let setup = Setup::from_env()?.capabilities(&allowed).strip_early(false);
    Site::start(&setup.routes(Routes::HeaderMatch), support::weight(weight)?).await
}

/// What a visitor gets who says that it is v2's.
async fn ask(site: &Site) -> Result<Reply> {
    site.ask("/", &[("x-canary-version", "v2")]).await
}

/// What visitors get who say that they are v2's, at this weight of v2.
async fn check(denied: &str, weight: u32, expected: Expected) -> Result<()> {
    let Expected { version, reason, cookies } = expected;
    let site = site_without(denied, weight).await?;
    for _ in 0..10 {
        let reply = ask(&site).await?;
        let found = (reply.status.to_string(), reply.text(), reply.values("set-cookie").len());
        assert_eq!(found, ("200".to_owned(), version.to_owned(), cookies), "without {denied}, at {weight} %");
    }
    let decision = format!("shop/{version}/{reason}");
    eventually(counts([(decision.as_str(), 10)]), async || decisions(&site.envoy).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stable_serves_where_the_host_denies_what_a_decision_needs() -> Result<()> {
    for denied in ["proxy_get_header_map_value", "proxy_replace_header_map_value"] {
        check(denied, 100, Expected { version: "v1", reason: "broken", cookies: 0 }).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_decision_needs_may_be_denied() -> Result<()> {
    for denied in ["environ_sizes_get", "proxy_remove_header_map_value"] {
        check(denied, 100, Expected { version: "v2", reason: "slot", cookies: 1 }).await?;
        // What a client says of itself counts no more than where nothing is denied.
        check(denied, 0, Expected { version: "v1", reason: "slot", cookies: 1 }).await?;
    }
    Ok(())
}

/// The calls without which everybody gets stable.
const NEEDED: [&str; 6] = [
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_replace_header_map_value",
    "proxy_set_tick_period_milliseconds",
];
/// Without it some newcomers do, since it is tried once a second.
const ADD_HEADER: &str = "proxy_add_header_map_value";

/// What visitors get who say that they are v2's: stable where v2 has no weight, v2 where it has all and nothing is missing.
async fn check_answers(denied: &str) -> Result<()> {
    let mut site = site_without(denied, 0).await?;
    let of_all = if NEEDED.contains(&denied) { "v1" } else { "v2" };
    for (weight, version) in [(0, "v1"), (100, of_all)] {
        site.envoy.push(support::weight(weight)?).await?;
        for _ in 0..10 {
            let reply = ask(&site).await?;
            let may_be_tried = denied == ADD_HEADER && weight > 0 && reply.text() == "v1";
            let is_expected = reply.status == 200 && (reply.text() == version || may_be_tried);
            assert!(is_expected, "without {denied}, at {weight} %: {} {}", reply.status, reply.text());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_whatever_call_the_host_denies() -> Result<()> {
    let check = async |denied: String| check_answers(&denied).await.with_context(|| format!("without {denied}"));
    stream::iter(MODULE.imports()).map(Ok).try_for_each_concurrent(ENVOYS_AT_ONCE, check).await
}
