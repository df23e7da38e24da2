//! Clusters: where the rules of routes lead to.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::draft::{Draft, Locality};
use crate::gateway_api::{Backend, HttpRoute, Rule};
use crate::resources::Resource;
use crate::services::{Labels, Pod, Service};

/// What stands behind the routes.
pub(super) struct Backends<'a> {
    pub(super) services: Vec<Service>,
    pub(super) pods: &'a [Pod],
}

/// One backend of a rule.
struct Target<'a> {
    backend: &'a Backend,
    /// Its number among the backends of its rule, those of weight 0 included, in the name of its place.
    region: String,
    /// `None` without its Service.
    addresses: Option<Vec<SocketAddr>>,
}

impl Backends<'_> {
    /// What a rule's routes do. A backend of weight 0 is not there, and the others keep their numbers.
    pub(super) fn action(
        &self,
        route: &Resource<HttpRoute>,
        rule: &Rule,
        place: &str,
        draft: &mut Draft,
    ) -> Result<Value> {
        let some = rule.backend_refs.iter().enumerate().filter(|(_, backend)| backend.weight > 0);
        let targets: Vec<Target> = some.map(|(number, backend)| self.target(route, backend, place, number)).collect();
        if targets.iter().all(|target| target.addresses.is_none()) {
            return Ok(json!({"direct_response": {"status": 500}}));
        }
        if targets.iter().all(|target| target.addresses.as_ref().is_some_and(Vec::is_empty)) {
            return Ok(json!({"direct_response": {"status": 503}}));
        }
        let upgrades = json!([{"upgrade_type": "websocket"}]);
        if targets.iter().all(|target| target.backend.filters.is_empty()) {
            ensure!(
                targets.iter().all(Target::is_there),
                "{place}: one backend of several is not there, which is not rendered here"
            );
            let localities: Vec<Locality> = targets.iter().map(|target| target.locality(&route.namespace)).collect();
            draft.cluster(place, &localities, &fields());
            return Ok(json!({"route": {"cluster": place, "upgrade_configs": upgrades}}));
        }
        for target in &targets {
            draft.cluster(&target.region, &[target.locality(&route.namespace)], &fields());
        }
        let mut action = weighted_clusters(&targets, place)?;
        action["upgrade_configs"] = upgrades;
        Ok(json!({ "route": action }))
    }

    fn target<'a>(&self, route: &Resource<HttpRoute>, backend: &'a Backend, place: &str, number: usize) -> Target<'a> {
        let wanted = (&backend.name, &route.namespace, backend.port);
        let mut services = self.services.iter();
        let service = services.find(|service| (&service.name, &service.namespace, service.port) == wanted);
        let addresses = service.map(|service| service.addresses(self.pods, &Labels::new()));
        Target { backend, region: format!("{place}/backend/{number}"), addresses }
    }
}

/// A cluster for each backend. The share of those without a ready pod goes to one that is not there.
fn weighted_clusters(targets: &[Target], place: &str) -> Result<Value> {
    let (there, empty): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(|target| target.is_there());
    let mut weighted: Vec<Value> = there.into_iter().map(Target::weighted).collect();
    if empty.is_empty() {
        let clusters = json!({ "clusters": weighted });
        return Ok(json!({"weighted_clusters": clusters, "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}));
    }
    let has_service = |target: &&Target| target.addresses.is_some();
    ensure!(empty.iter().all(has_service), "{place}: one Service of several is not there, which is not rendered here");
    let weight: u32 = empty.iter().map(|target| target.backend.weight).sum();
    weighted.insert(0, json!({"name": NOWHERE, "weight": weight}));
    Ok(json!({"weighted_clusters": {"clusters": weighted}}))
}

/// No cluster has this name, so that Envoy answers with 503.
const NOWHERE: &str = "invalid-backend-cluster";

impl Target<'_> {
    fn is_there(&self) -> bool {
        self.addresses.as_ref().is_some_and(|addresses| !addresses.is_empty())
    }

    /// Its pods as a place of a cluster.
    fn locality(&self, namespace: &str) -> Locality {
        let Backend { name, port, weight, .. } = self.backend;
        let resource =
            json!([{"kind": "Service", "name": name, "namespace": namespace, "sectionName": port.to_string()}]);
        let fields = json!({
            "load_balancing_weight": weight,
            "locality": {"region": self.region},
            "metadata": {"filter_metadata": {"envoy-gateway": {"resources": resource}}},
        });
        Locality { addresses: self.addresses.clone().unwrap_or_default(), fields }
    }

    /// Its entry where each backend has a cluster of its own.
    fn weighted(&self) -> Value {
        let mut entry = json!({"name": self.region, "weight": self.backend.weight});
        if let Some(filter) = self.backend.filters.first() {
            entry["response_headers_to_add"] = filter.response_header_modifier.to_envoy();
        }
        entry
    }
}

/// What every cluster has.
fn fields() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest";
    let typed = json!({"@type": kind, "locality_lb_config": {"locality_weighted_lb_config": {}}});
    let name = "envoy.load_balancing_policies.least_request";
    json!({
        "load_balancing_policy": {"policies": [{"typed_extension_config": {"name": name, "typed_config": typed}}]},
        "common_lb_config": {},
        "ignore_health_on_host_removal": true,
        "circuit_breakers": {"thresholds": [{"max_retries": 1024}]},
    })
}
