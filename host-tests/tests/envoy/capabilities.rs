//! A real Envoy that denies the filter some of the host calls that it makes (`capability_restriction_config`).

use std::path::Path;

use anyhow::{Context, Result};
use serin_envoy::{Routes, Setup};
use serin_host::Module;

use crate::support::{self, Site, counts, decisions, eventually};

/// What a visitor of a site gets with one host call denied.
struct Expected {
    version: &'static str,
    reason: &'static str,
    cookies: usize,
}

/// What visitors get who say that they are v2's, at this weight of v2.
async fn check(denied: &str, weight: u32, expected: Expected) -> Result<()> {
    let Expected { version, reason, cookies } = expected;
    let path = std::env::var_os("SERIN_WASM").context("SERIN_WASM names no module")?;
    let module = Module::open(Path::new(&path))?;
    let names = [module.exports(), module.imports()].concat();
    let allowed: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != denied).collect();
    // The filter alone keeps clients from saying where they belong.
    let setup = Setup::from_env()?.capabilities(&allowed).strip_early(false);
    let setup = setup.routes(Routes::HeaderMatch);
    let site = Site::start(&setup, support::weight(weight)?).await?;
    for _ in 0..10 {
        let reply = site.ask("/", &[("x-canary-version", "v2")]).await?;
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
