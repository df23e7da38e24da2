//! Whether the filter came through, and that it would be seen if it had not.

use std::collections::BTreeMap;

use anyhow::Result;
use serin_envoy::{Configuration, Envoy, Http, Setup, send};

use super::{BOTH, HOST, Target, VERSIONS, answer, document, message};
use crate::support::{decisions, eventually};

/// What Envoy logs of a VM that fails, and the SDK of a module that panics.
const SIGNS: [&str; 4] = ["[critical]", "Function: ", "RuntimeError", "panicked"];

impl Target {
    /// Moves other rules into place.
    pub(super) async fn push(&mut self, rules: impl Into<Configuration>) -> Result<()> {
        self.site.envoy.push(rules).await?;
        self.vms = vms(&self.site.envoy).await?;
        Ok(())
    }

    /// Sound requests are decided as ever, and nothing has happened to a VM.
    pub(super) async fn assert_unhurt(&self) -> Result<()> {
        for (http, version) in BOTH.into_iter().flat_map(|http| VERSIONS.map(|version| (http, version))) {
            let reply = self.ask(http, "/sound", &[("x-canary", version.as_bytes())]).await?;
            assert_eq!((200, format!("shop/{version}/override")), (reply.status, answer(&reply)), "{http:?}");
        }
        assert_eq!(Vec::<String>::new(), injuries(&self.site.envoy, &self.vms).await?);
        Ok(())
    }

    /// As [`Target::assert_unhurt`]; besides, everything that an upstream answered was decided and counted, once.
    pub(super) async fn assert_unhurt_and_counted(&self) -> Result<()> {
        self.assert_unhurt().await?;
        let answered: u64 = VERSIONS.iter().map(|name| self.site.upstreams.requests(name)).sum();
        eventually(answered, async || Ok(decisions(&self.site.envoy).await?.values().sum())).await
    }
}

/// What has happened to VMs since then.
pub(super) async fn injuries(envoy: &Envoy, before: &BTreeMap<String, u64>) -> Result<Vec<String>> {
    let now = envoy.stats(VMS).await?;
    let changed = now.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| format!("{name}: {value} in the place of {:?}", before.get(name)));
    let log = envoy.log()?;
    let lines = log.lines().filter(|line| SIGNS.iter().any(|sign| line.contains(sign))).map(str::to_owned);
    Ok(changed.chain(lines).collect())
}

/// How many VMs were made, how many there are, and how often one had to be made anew.
const VMS: &str = r"^wasm\.(envoy\.wasm\.runtime\.|serin\.vm_reload)";

/// Those counters, once all VMs are there: of the two workers, of the main thread and the one that others are made from.
pub(super) async fn vms(envoy: &Envoy) -> Result<BTreeMap<String, u64>> {
    eventually(4, async || envoy.sum(r"^wasm\.envoy\.wasm\.runtime\.v8\.active$").await).await?;
    envoy.stats(VMS).await
}

/// Fails at the second request to a worker: the first one finds out that it lives.
const MORTAL: &str = r#"(module
    (memory (export "memory") 1)
    (global $asked (mut i32) (i32.const 0))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        global.get $asked
        if unreachable end
        i32.const 1
        global.set $asked
        i32.const 0))"#;

#[tokio::test]
async fn a_vm_that_traps_would_be_seen() -> Result<()> {
    let module = tempfile::NamedTempFile::new()?;
    std::fs::write(module.path(), wat::parse_str(MORTAL)?)?;
    let target = Target::start(&Setup::from_env()?.module(module.path()), document()).await?;
    assert_eq!(Vec::<String>::new(), injuries(&target.site.envoy, &target.vms).await?);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let reply = send(target.address(), Http::One, &message(HOST, "/", &[])).await?;
        statuses.push(reply.map(|reply| reply.status));
    }
    assert!(statuses.contains(&Some(503)), "{statuses:?}");
    let injuries = injuries(&target.site.envoy, &target.vms).await?;
    for sign in ["Function: proxy_on_request_headers failed", "RuntimeError"] {
        assert!(injuries.iter().any(|injury| injury.contains(sign)), "{sign}: {injuries:#?}");
    }
    Ok(())
}
