//! What all VMs of a proxy are given.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fault::Faults;
use crate::profile::Profile;
use crate::routes::{Cluster, RouteTable};

/// What becomes of requests once a VM has died (`envoy.extensions.wasm.v3.FailurePolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// They get a 503, for good.
    Closed,
    /// The one that was served gets a 503; later ones go past the filter, for good.
    Open,
    /// The first one after a back-off of a second starts a new VM; others get a 503.
    Reload,
}

/// How a configuration comes, which decides how long the root before it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// By extension discovery: the root before ends with its last stream.
    Ecds,
    /// With a new listener: the root before also waits, and ticks, until the old listener has drained for so long.
    Lds(Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    pub(crate) vm_id: String,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) environment: BTreeMap<String, String>,
    /// Clusters that call-outs reach.
    pub(crate) clusters: BTreeSet<String>,
    pub(crate) routes: Option<RouteTable>,
    /// Whether only routes that enable the filter have it.
    pub(crate) is_disabled: bool,
    pub(crate) failure_policy: Option<FailurePolicy>,
    pub(crate) delivery: Delivery,
    /// Of all VMs, from their start on.
    pub(crate) faults: Faults,
    pub(crate) seed: u64,
    pub(crate) same_entropy: bool,
    /// For one callback; what burns more traps.
    pub(crate) fuel: u64,
}

impl Settings {
    /// The fuel of a callback where a test sets none: some seconds.
    pub(crate) const FUEL: u64 = 5_000_000_000;

    /// Whether call-outs can name this cluster.
    pub(crate) fn knows_cluster(&self, name: &str) -> bool {
        self.clusters.contains(name) || self.cluster_of_routes(name).is_some()
    }

    /// Whether the cluster has nobody who would answer.
    pub(crate) fn is_empty_cluster(&self, name: &str) -> bool {
        self.cluster_of_routes(name) == Some(Cluster::Empty)
    }

    fn cluster_of_routes(&self, name: &str) -> Option<Cluster> {
        self.routes.as_ref()?.clusters.get(name).copied()
    }
}
