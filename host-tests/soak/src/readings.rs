//! What an Envoy has used at a moment.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use serin_envoy::Envoy;

use crate::load::Load;
use crate::plan::Kind;

/// What an Envoy has used at a moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reading {
    /// What was pushed right before.
    pub(crate) push: Kind,
    /// When, in milliseconds.
    pub(crate) at: u64,
    /// Requests until then.
    pub(crate) requests: u64,
    /// Resident memory, in KiB.
    pub(crate) resident: u64,
    /// What Envoy's own allocator has given out, in KiB; V8's memory is not among it. Envoy works it out every few seconds.
    pub(crate) allocated: u64,
    /// Metrics that the filter has defined.
    pub(crate) metrics: u64,
    /// VMs that live.
    pub(crate) vms: u64,
    /// VMs that were started anew, or should have been, after one had died.
    pub(crate) reloads: u64,
}

impl Reading {
    /// Takes one.
    ///
    /// # Errors
    /// If Envoy has ended.
    pub(crate) async fn take(envoy: &Envoy, load: &Load, started: Instant, push: Kind) -> Result<Self> {
        Ok(Self {
            push,
            at: started.elapsed().as_millis().try_into()?,
            requests: load.requests(),
            resident: resident(envoy.id())?,
            allocated: envoy.sum(r"^server\.memory_allocated$").await? / 1024,
            metrics: envoy.values(r"^wasmcustom\.").await?.len() as u64,
            vms: envoy.sum(r"^wasm\.envoy\.wasm\.runtime\.v8\.active$").await?,
            reloads: envoy.sum(r"^wasm\..*\.vm_reload_").await?,
        })
    }
}

/// Resident memory of a process in KiB.
fn resident(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).with_context(|| format!("{path} has no VmRSS"))
}
