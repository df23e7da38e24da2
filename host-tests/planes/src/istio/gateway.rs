//! The virtual hosts of an ingress gateway: one for each host, with what all resources say of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::resources::{Gateway, Server};
use super::routes::{Hosts, Lookup, http_routes, outbound_host, virtual_services};
use super::{GATEWAY_NAME, Proxy};
use crate::gateway_api::{self, Listener};
use crate::resources::Resources;
use crate::services::selected;

type ByHost = BTreeMap<String, Vec<Value>>;

pub(super) fn hosts(resources: &Resources, proxy: &Proxy, lookup: &Lookup) -> Result<Hosts> {
    let mut by_host = ByHost::new();
    of_virtual_services(resources, proxy, lookup, &mut by_host)?;
    of_http_routes(resources, proxy, lookup, &mut by_host)?;
    ensure!(!by_host.is_empty(), "the gateway has no routes");
    let whole = |(domain, routes): (String, Vec<Value>)| {
        outbound_host(format!("{domain}:80"), std::slice::from_ref(&domain), catch_all_last(routes))
    };
    Ok(Hosts { table: "http.80".to_owned(), all: by_host.into_iter().map(whole).collect() })
}

fn of_virtual_services(resources: &Resources, proxy: &Proxy, lookup: &Lookup, all: &mut ByHost) -> Result<()> {
    let gateways = resources.all::<Gateway>("networking.istio.io/v1/Gateway")?;
    for gateway in gateways.iter().filter(|gateway| selected(&proxy.labels, &gateway.spec.selector)) {
        let name = format!("{}/{}", gateway.namespace, gateway.name);
        for Server { port, hosts } in &gateway.spec.servers {
            ensure!((port.number, port.protocol.as_str()) == (80, "HTTP"), "only port 80 is rendered");
            for service in virtual_services(resources)?.iter().filter(|service| service.spec.gateways.contains(&name)) {
                let routes = lookup.of_virtual_service(&service.spec)?;
                for domain in service.spec.hosts.iter().filter(|domain| hosts.contains(domain)) {
                    all.entry(domain.clone()).or_default().extend(routes.clone());
                }
            }
        }
    }
    Ok(())
}

fn of_http_routes(resources: &Resources, proxy: &Proxy, lookup: &Lookup, all: &mut ByHost) -> Result<()> {
    for gateway in resources.all::<gateway_api::Gateway>("gateway.networking.k8s.io/v1/Gateway")? {
        let labels = &gateway.spec.infrastructure.labels;
        ensure!(selected(labels, &proxy.labels), "the pods of the Gateway lack a label");
        ensure!(gateway.spec.gateway_class_name == "istio", "the Gateway is not Istio's");
        for route in http_routes(resources)? {
            let routes = lookup.of_http_route(&route);
            let takes = |listener: &&Listener| gateway_api::is_attached(&gateway, listener, &route);
            for listener in gateway.spec.listeners.iter().filter(takes) {
                ensure!((listener.port, listener.protocol.as_str()) == (80, "HTTP"), "only port 80 is rendered");
                for domain in gateway_api::hosts(listener, &route.spec) {
                    all.entry(domain.to_owned()).or_default().extend(routes.clone());
                }
            }
        }
    }
    Ok(())
}

/// Istio makes a waypoint of a Gateway in its namespace, by whose name it finds its own plugins.
pub(super) fn ensure_waypoint(resources: &Resources, proxy: &Proxy) -> Result<()> {
    let all = resources.all::<gateway_api::Gateway>("gateway.networking.k8s.io/v1/Gateway")?;
    let name = proxy.labels.get(GATEWAY_NAME).context("a waypoint has the name of its Gateway")?;
    let found = all.iter().find(|gateway| (&gateway.name, &gateway.namespace) == (name, &proxy.namespace));
    let spec = &found.with_context(|| format!("there is no Gateway {}/{name}", proxy.namespace))?.spec;
    ensure!(spec.gateway_class_name == "istio-waypoint", "{name} is no waypoint, but {}", spec.gateway_class_name);
    let [Listener { port: 15008, protocol, .. }] = &spec.listeners[..] else {
        bail!("a waypoint has one listener, on port 15008")
    };
    ensure!(protocol == "HBONE", "a waypoint speaks HBONE, not {protocol}");
    Ok(())
}

/// As istiod puts together what several resources say of one host.
fn catch_all_last(routes: Vec<Value>) -> Vec<Value> {
    let is_catch_all = |route: &Value| route["match"]["prefix"] == "/" && route["match"]["headers"].is_null();
    let (last, mut all): (Vec<_>, Vec<_>) = routes.into_iter().partition(is_catch_all);
    all.extend(last);
    all
}
