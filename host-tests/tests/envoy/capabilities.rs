//! A real Envoy that denies the filter some of the host calls that it makes (`capability_restriction_config`).

use std::path::Path;

use anyhow::{Context, Result};
use serin_envoy::Setup;
use serin_host::Module;

use crate::support::{self, Site, counts, decisions, eventually};

/// What visitors get who all belong to v2, with one host call denied.
async fn check(denied: &str, version: &str, reason: &str, cookies: usize) -> Result<()> {
    let path = std::env::var_os("SERIN_WASM").context("SERIN_WASM names no module")?;
    let module = Module::open(Path::new(&path))?;
    let names = [module.exports(), module.imports()].concat();
    let allowed: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != denied).collect();
    let site = Site::start(&Setup::from_env()?.capabilities(&allowed), support::weight(100)?).await?;
    for _ in 0..10 {
        let reply = site.ask("/", &[("x-canary-version", "spoofed")]).await?;
        let found = (reply.status.to_string(), reply.text(), reply.values("set-cookie").len());
        assert_eq!(found, ("200".to_owned(), version.to_owned(), cookies), "without {denied}");
    }
    let decision = format!("shop/{version}/{reason}");
    eventually(counts([(decision.as_str(), 10)]), async || decisions(&site.envoy).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stable_serves_where_the_host_denies_what_a_decision_needs() -> Result<()> {
    check("proxy_get_header_map_value", "v1", "broken", 0).await?;
    check("proxy_replace_header_map_value", "v1", "broken", 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_decision_needs_may_be_denied() -> Result<()> {
    check("environ_sizes_get", "v2", "slot", 1).await?;
    check("proxy_remove_header_map_value", "v2", "slot", 1).await
}
