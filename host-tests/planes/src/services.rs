//! Services, and the pods behind them, for which upstreams stand.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde::Deserialize;
use serin_envoy::Upstreams;

use crate::resources::Resources;

/// Labels of pods.
pub type Labels = BTreeMap<String, String>;

/// Labels out of pairs.
pub fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Whether these labels have all that is wanted.
pub(crate) fn selected(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// A running pod.
#[derive(Clone, Debug)]
pub struct Pod {
    labels: Labels,
    address: SocketAddr,
}

/// One pod of `reviews` for each upstream, whose name is its version, but for those versions that have no pod.
pub fn pods(upstreams: &Upstreams, gone: &[&str]) -> Vec<Pod> {
    let there = upstreams.addresses().filter(|(version, _)| !gone.contains(version));
    there
        .map(|(version, address)| Pod { labels: labels([("app", "reviews"), ("version", version)]), address })
        .collect()
}

/// A Service with its pods.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) port: u16,
    selector: Labels,
}

impl Service {
    /// All Services of the manifests.
    pub(crate) fn all(resources: &Resources) -> Result<Vec<Self>> {
        let service = |resource: crate::resources::Resource<Spec>| {
            let port = resource.spec.ports.first().context("a Service without a port")?.port;
            let (name, namespace) = (resource.name, resource.namespace);
            Ok(Self { name, namespace, port, selector: resource.spec.selector })
        };
        resources.all::<Spec>("v1/Service")?.into_iter().map(service).collect()
    }

    /// Its name in the cluster's DNS.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }

    /// Where its pods with these labels are.
    pub(crate) fn addresses(&self, pods: &[Pod], subset: &Labels) -> Vec<SocketAddr> {
        let meant = |pod: &&Pod| selected(&pod.labels, &self.selector) && selected(&pod.labels, subset);
        pods.iter().filter(meant).map(|pod| pod.address).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    selector: Labels,
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    #[serde(rename = "name")]
    _name: String,
    port: u16,
}
