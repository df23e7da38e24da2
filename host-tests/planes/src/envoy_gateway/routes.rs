//! Routes and clusters: those of every `HTTPRoute` of the Gateway, in the order of Gateway API.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::policy::Plan;
use crate::draft::{Draft, Locality, set};
use crate::gateway_api::{self, Backend, Gateway, HttpRoute, Rule};
use crate::resources::{Resource, Resources};
use crate::services::{Labels, Pod, Service};

/// What stands behind the routes.
pub(super) struct Backends<'a> {
    pub(super) services: Vec<Service>,
    pub(super) pods: &'a [Pod],
}

/// The route table of a listener. Its clusters go into the draft.
pub(super) fn table(
    resources: &Resources,
    gateway: &Resource<Gateway>,
    name: &str,
    plan: &Plan,
    backends: &Backends,
    draft: &mut Draft,
) -> Result<Value> {
    let mut by_host: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for route in resources.all::<HttpRoute>("gateway.networking.k8s.io/v1/HTTPRoute")? {
        let to_us = route.spec.parent_refs.iter().any(|parent| {
            parent.name == gateway.name && parent.namespace.as_ref().unwrap_or(&route.namespace) == &gateway.namespace
        });
        if !to_us {
            continue;
        }
        for (number, rule) in route.spec.rules.iter().enumerate() {
            let place = format!("httproute/{}/{}/rule/{number}", route.namespace, route.name);
            let action = of_rule(&route, rule, &place, plan, backends, draft)?;
            for host in gateway_api::hosts(&gateway.spec.listeners[0], &route.spec) {
                for (index, found) in rule.matches.iter().enumerate() {
                    let suffix = host.replace('.', "_");
                    let mut whole =
                        json!({"name": format!("{place}/match/{index}/{suffix}"), "match": found.to_envoy()});
                    set(&mut whole, &action);
                    by_host.entry(host.to_owned()).or_default().push((found.rank(), whole));
                }
            }
        }
    }
    ensure!(!by_host.is_empty(), "the Gateway has no routes");
    let host = |(host, mut routes): (String, Vec<(_, Value)>)| {
        routes.sort_by(|(one, _), (other, _)| std::cmp::Ord::cmp(one, other));
        let routes: Vec<Value> = routes.into_iter().map(|(_, route)| route).collect();
        json!({"name": format!("{name}/{}", host.replace('.', "_")), "domains": [host], "routes": routes})
    };
    let hosts: Vec<Value> = by_host.into_iter().map(host).collect();
    Ok(json!({"name": name, "virtual_hosts": hosts, "ignore_port_in_host_matching": true}))
}

/// Everything of a rule's routes but names and matches.
fn of_rule(
    route: &Resource<HttpRoute>,
    rule: &Rule,
    place: &str,
    plan: &Plan,
    backends: &Backends,
    draft: &mut Draft,
) -> Result<Value> {
    let mut fields = match plan.of_rule(route, rule.name.as_deref()) {
        Err(answer) => return Ok(json!({ "direct_response": answer })),
        Ok(filters) => {
            let enabled = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
            let of_route = filters.into_iter().map(|filter| (filter, enabled.clone()));
            json!({"typed_per_filter_config": of_route.collect::<serde_json::Map<_, _>>()})
        }
    };
    let resource = json!([{"kind": "HTTPRoute", "name": route.name, "namespace": route.namespace}]);
    fields["metadata"] = json!({"filter_metadata": {"envoy-gateway": {"resources": resource}}});
    set(&mut fields, &action(route, rule, place, backends, draft)?);
    Ok(fields)
}

/// Where a rule leads to. A backend of weight 0 is not there, and the others keep their numbers.
fn action(
    route: &Resource<HttpRoute>,
    rule: &Rule,
    place: &str,
    backends: &Backends,
    draft: &mut Draft,
) -> Result<Value> {
    let some = rule.backend_refs.iter().enumerate().filter(|(_, backend)| backend.weight > 0);
    let found = some.map(|(number, backend)| Ok((backend, backends.locality(route, backend, place, number)?)));
    let found = found.collect::<Result<Vec<_>>>()?;
    if found.is_empty() {
        return Ok(json!({"direct_response": {"status": 500}}));
    }
    if found.iter().all(|(_, locality)| locality.addresses.is_empty()) {
        return Ok(json!({"direct_response": {"status": 503}}));
    }
    ensure!(found.iter().all(|(_, locality)| !locality.addresses.is_empty()), "some backends have no pods");
    let upgrades = json!([{"upgrade_type": "websocket"}]);
    if found.iter().all(|(backend, _)| backend.filters.is_empty()) {
        let localities: Vec<Locality> = found.into_iter().map(|(_, locality)| locality).collect();
        draft.cluster(place, &localities, &cluster_fields());
        return Ok(json!({"route": {"cluster": place, "upgrade_configs": upgrades}}));
    }
    let mut weighted = Vec::new();
    for (backend, locality) in found {
        let name = locality.fields["locality"]["region"].as_str().context("a place has a region")?.to_owned();
        let mut entry = json!({"name": name, "weight": backend.weight});
        for filter in &backend.filters {
            entry["response_headers_to_add"] = filter.response_header_modifier.to_envoy();
        }
        weighted.push(entry);
        draft.cluster(&name, &[locality], &cluster_fields());
    }
    let code = "INTERNAL_SERVER_ERROR";
    let action = json!({"weighted_clusters": {"clusters": weighted}, "cluster_not_found_response_code": code, "upgrade_configs": upgrades});
    Ok(json!({ "route": action }))
}

impl Backends<'_> {
    fn locality(&self, route: &Resource<HttpRoute>, backend: &Backend, place: &str, number: usize) -> Result<Locality> {
        let Backend { name, port, weight, .. } = backend;
        let service = self
            .services
            .iter()
            .find(|service| (&service.name, &service.namespace, service.port) == (name, &route.namespace, *port));
        let service = service.with_context(|| format!("there is no Service {name}:{port}"))?;
        let resource =
            json!([{"kind": "Service", "name": name, "namespace": route.namespace, "sectionName": port.to_string()}]);
        let fields = json!({
            "load_balancing_weight": weight,
            "locality": {"region": format!("{place}/backend/{number}")},
            "metadata": {"filter_metadata": {"envoy-gateway": {"resources": resource}}},
        });
        Ok(Locality { addresses: service.addresses(self.pods, &Labels::new()), fields })
    }
}

fn cluster_fields() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest";
    let weighted = json!({"locality_weighted_lb_config": {}});
    let typed = json!({"@type": kind, "locality_lb_config": weighted});
    let policy = json!({"typed_extension_config": {"name": "envoy.load_balancing_policies.least_request", "typed_config": typed}});
    json!({
        "load_balancing_policy": {"policies": [policy]},
        "common_lb_config": {},
        "ignore_health_on_host_removal": true,
        "circuit_breakers": {"thresholds": [{"max_retries": 1024}]},
    })
}
