//! Routes: those of every `HTTPRoute` of the Gateway, in the order of Gateway API.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::backends::Backends;
use super::policy::Plan;
use crate::draft::{Draft, set};
use crate::gateway_api::{self, Gateway, HttpRoute, Rank, Rule};
use crate::resources::{Resource, Resources};

/// The route table of a listener. Its clusters go into the draft.
pub(super) fn table(
    resources: &Resources,
    gateway: &Resource<Gateway>,
    name: &str,
    plan: &Plan,
    backends: &Backends,
    draft: &mut Draft,
) -> Result<Value> {
    let mut by_host: BTreeMap<String, Vec<(Rank, Value)>> = BTreeMap::new();
    for route in resources.all::<HttpRoute>("gateway.networking.k8s.io/v1/HTTPRoute")? {
        if !gateway_api::is_attached(gateway, &gateway.spec.listeners[0], &route) {
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
    let section = gateway.spec.listeners[0].name.as_str();
    let resource =
        json!({"kind": "Gateway", "name": gateway.name, "namespace": gateway.namespace, "sectionName": section});
    let hosts = by_host.into_iter().map(|(host, routes)| virtual_host(name, &host, routes, &resource));
    let hosts: Vec<Value> = hosts.collect();
    Ok(json!({"name": name, "virtual_hosts": hosts, "ignore_port_in_host_matching": true}))
}

/// A virtual host with its routes, in the order of Gateway API.
fn virtual_host(table: &str, host: &str, mut routes: Vec<(Rank, Value)>, gateway: &Value) -> Value {
    routes.sort_by_key(|(rank, _)| *rank);
    let routes: Vec<Value> = routes.into_iter().map(|(_, route)| route).collect();
    let metadata = json!({"filter_metadata": {"envoy-gateway": {"resources": [gateway]}}});
    let name = format!("{table}/{}", host.replace('.', "_"));
    json!({"name": name, "domains": [host], "routes": routes, "metadata": metadata})
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
    set(&mut fields, &backends.action(route, rule, place, draft)?);
    Ok(fields)
}
