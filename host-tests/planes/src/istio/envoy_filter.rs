//! `EnvoyFilter`: as much of it as the manifests and the tests use.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{Place, Proxy};
use crate::merge::merge;
use crate::resources::Resources;
use crate::services::{Labels, selected};

/// Patches for one proxy, in their order.
pub(super) struct Patches(Vec<Patch>);

impl Patches {
    pub(super) fn of(resources: &Resources, proxy: &Proxy) -> Result<Self> {
        let all = resources.all::<EnvoyFilter>("networking.istio.io/v1alpha3/EnvoyFilter")?;
        let meant = all.into_iter().filter(|filter| {
            filter.namespace == proxy.namespace && selected(&proxy.labels, &filter.spec.workload_selector.labels)
        });
        let patches: Vec<Patch> = meant.flat_map(|filter| filter.spec.config_patches).collect();
        ensure!(patches.is_empty() || proxy.place == Place::Gateway, "only gateways are patched here");
        Ok(Self(patches))
    }

    /// Changes the connection manager.
    pub(super) fn patch_manager(&self, manager: &mut Value) -> Result<()> {
        for patch in self.0.iter().filter(|patch| patch.apply_to == ApplyTo::NetworkFilter) {
            ensure!(patch.patch.operation == Operation::Merge, "network filters are only merged here");
            let listener = patch.r#match.listener.as_ref().context("a network filter is found by its listener")?;
            ensure!(listener.filter_chain.filter.name == MANAGER, "only the connection manager is patched here");
            let mut value = patch.patch.value["typed_config"].clone();
            value.as_object_mut().context("there is no typed_config")?.remove("@type");
            merge(manager, &value)?;
        }
        Ok(())
    }

    /// Changes the routes of virtual hosts: first what is merged, then what is inserted.
    pub(super) fn patch_hosts(&self, hosts: &mut [Value]) -> Result<()> {
        for operation in [Operation::Merge, Operation::InsertFirst] {
            let routes = self.0.iter().filter(|patch| patch.apply_to == ApplyTo::HttpRoute);
            for patch in routes.filter(|patch| patch.patch.operation == operation) {
                let found = &patch.r#match.route_configuration;
                let wanted = &found.as_ref().context("a route is found by its configuration")?.vhost.domain_name;
                let fits = |host: &&mut Value| {
                    host["domains"].as_array().is_some_and(|all| all.contains(&wanted.as_str().into()))
                };
                for host in hosts.iter_mut().filter(fits) {
                    let routes = host["routes"].as_array_mut().context("routes are a list")?;
                    match operation {
                        Operation::Merge => routes.iter_mut().try_for_each(|route| merge(route, &patch.patch.value))?,
                        Operation::InsertFirst => routes.insert(0, patch.patch.value.clone()),
                    }
                }
            }
        }
        Ok(())
    }
}

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvoyFilter {
    workload_selector: WorkloadSelector,
    config_patches: Vec<Patch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadSelector {
    labels: Labels,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Patch {
    apply_to: ApplyTo,
    r#match: Match,
    patch: Change,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ApplyTo {
    NetworkFilter,
    HttpRoute,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Match {
    #[serde(rename = "context")]
    _context: OfGateways,
    listener: Option<Listener>,
    route_configuration: Option<RouteConfiguration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum OfGateways {
    Gateway,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listener {
    filter_chain: FilterChain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterChain {
    filter: Named,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteConfiguration {
    vhost: Vhost,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vhost {
    domain_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    operation: Operation,
    value: Value,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operation {
    Merge,
    InsertFirst,
}
