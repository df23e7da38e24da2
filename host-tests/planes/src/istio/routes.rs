//! Routes: what a VirtualService or an `HTTPRoute` says, in the virtual hosts of a proxy.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::resources::{Destination, Gateway, Http, Match, Server, VirtualService, Weighted};
use super::{PORT, Place, Proxy, clusters};
use crate::gateway_api::{self, Backend, HttpRoute, Modifier};
use crate::resources::{Resource, Resources};
use crate::services::{Service, selected};

/// The virtual hosts of a listener, and the name of their route table.
pub(super) struct Hosts {
    pub(super) table: String,
    pub(super) all: Vec<Value>,
}

/// One of the places that a route leads to.
struct Target {
    cluster: String,
    weight: u32,
    set: Option<Modifier>,
}

/// Finds the clusters of one proxy.
struct Lookup<'a> {
    place: Place,
    services: &'a [Service],
}

/// The virtual hosts of the proxy.
pub(super) fn hosts(resources: &Resources, proxy: &Proxy, services: &[Service]) -> Result<Hosts> {
    let lookup = Lookup { place: proxy.place, services };
    match proxy.place {
        Place::Gateway => of_gateway(resources, proxy, &lookup),
        Place::Outbound => of_sidecar(resources, &lookup),
        Place::Waypoint => of_waypoint(resources, &lookup),
        Place::Inbound => {
            let table = format!("inbound|{PORT}||");
            let host = host(format!("inbound|http|{PORT}"), &["*".to_owned()], vec![fallback(&table)]);
            Ok(Hosts { table, all: vec![host] })
        }
    }
}

fn of_gateway(resources: &Resources, proxy: &Proxy, lookup: &Lookup) -> Result<Hosts> {
    let mut all = Vec::new();
    for gateway in resources.all::<Gateway>("networking.istio.io/v1/Gateway")? {
        if !selected(&proxy.labels, &gateway.spec.selector) {
            continue;
        }
        let name = format!("{}/{}", gateway.namespace, gateway.name);
        for Server { port, hosts } in &gateway.spec.servers {
            ensure!((port.number, port.protocol.as_str()) == (80, "HTTP"), "only port 80 is rendered");
            for service in virtual_services(resources)? {
                let common: Vec<_> = service.spec.hosts.iter().filter(|host| hosts.contains(host)).collect();
                if service.spec.gateways.contains(&name) {
                    let routes = lookup.of_virtual_service(&service.spec)?;
                    all.extend(common.into_iter().map(|domain| vhost(domain, routes.clone())));
                }
            }
        }
    }
    for gateway in resources.all::<gateway_api::Gateway>("gateway.networking.k8s.io/v1/Gateway")? {
        ensure!(selected(&gateway.spec.infrastructure.labels, &proxy.labels), "the gateway's pods lack a label");
        for route in http_routes(resources)? {
            let parent = |parent: &gateway_api::Reference| {
                parent.name == gateway.name
                    && parent.namespace.as_ref().unwrap_or(&route.namespace) == &gateway.namespace
            };
            if gateway.spec.gateway_class_name == "istio" && route.spec.parent_refs.iter().any(parent) {
                let routes = lookup.of_http_route(&route)?;
                for listener in &gateway.spec.listeners {
                    ensure!((listener.port, listener.protocol.as_str()) == (80, "HTTP"), "only port 80 is rendered");
                    let hosts = gateway_api::hosts(listener, &route.spec);
                    all.extend(hosts.into_iter().map(|domain| vhost(domain, routes.clone())));
                }
            }
        }
    }
    ensure!(!all.is_empty(), "the gateway has no routes");
    Ok(Hosts { table: "http.80".to_owned(), all })
}

fn of_sidecar(resources: &Resources, lookup: &Lookup) -> Result<Hosts> {
    let mut all = Vec::new();
    for service in lookup.services {
        let mut routes = lookup.for_service(resources, service)?;
        if routes.is_empty() {
            routes.push(fallback(&clusters::name(lookup.place, service, "")));
        }
        let (name, namespace) = (&service.name, &service.namespace);
        let domains = [service.host(), name.clone(), format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")];
        all.push(host(format!("{}:{PORT}", service.host()), &domains, routes));
    }
    Ok(Hosts { table: PORT.to_string(), all })
}

fn of_waypoint(resources: &Resources, lookup: &Lookup) -> Result<Hosts> {
    let service = lookup.services.iter().find(|service| service.name == "reviews").context("no Service reviews")?;
    let routes = lookup.for_service(resources, service)?;
    let all = vec![host(format!("inbound|http|{PORT}"), &["*".to_owned()], routes)];
    Ok(Hosts { table: clusters::name(lookup.place, service, ""), all })
}

fn virtual_services(resources: &Resources) -> Result<Vec<Resource<VirtualService>>> {
    resources.all("networking.istio.io/v1/VirtualService")
}

fn http_routes(resources: &Resources) -> Result<Vec<Resource<HttpRoute>>> {
    resources.all("gateway.networking.k8s.io/v1/HTTPRoute")
}

fn vhost(domain: &str, routes: Vec<Value>) -> Value {
    host(format!("{domain}:80"), &[domain.to_owned()], routes)
}

fn host(name: String, domains: &[String], routes: Vec<Value>) -> Value {
    json!({"name": name, "domains": domains, "routes": routes, "include_request_attempt_count": true})
}

fn fallback(cluster: &str) -> Value {
    json!({"name": "default", "match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}})
}

impl Lookup<'_> {
    /// The routes of the mesh for a Service.
    fn for_service(&self, resources: &Resources, service: &Service) -> Result<Vec<Value>> {
        let mut routes = Vec::new();
        for found in virtual_services(resources)? {
            if found.spec.gateways.is_empty() && found.spec.hosts.contains(&service.host()) {
                routes.extend(self.of_virtual_service(&found.spec)?);
            }
        }
        for found in http_routes(resources)? {
            let parent = |parent: &gateway_api::Reference| {
                (parent.kind.as_deref(), parent.name.as_str()) == (Some("Service"), service.name.as_str())
                    && parent.port.is_none_or(|port| port == service.port)
            };
            if found.spec.parent_refs.iter().any(parent) {
                routes.extend(self.of_http_route(&found)?);
            }
        }
        Ok(routes)
    }

    fn of_virtual_service(&self, spec: &VirtualService) -> Result<Vec<Value>> {
        let mut routes = Vec::new();
        for Http { name, r#match, route } in &spec.http {
            let target = |Weighted { destination, weight }: &Weighted| {
                let Destination { host, port, subset } = destination;
                Ok(Target { cluster: self.cluster(host, port.number, subset)?, weight: *weight, set: None })
            };
            let targets = route.iter().map(target).collect::<Result<Vec<_>>>()?;
            let everything = [Match::default()];
            let matches = if r#match.is_empty() { &everything } else { &r#match[..] };
            routes.extend(
                matches.iter().map(|found| json!({"name": name, "match": found.to_envoy(), "route": action(&targets)})),
            );
        }
        Ok(routes)
    }

    /// In the order of Gateway API.
    fn of_http_route(&self, route: &Resource<HttpRoute>) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for (number, rule) in route.spec.rules.iter().enumerate() {
            let name = rule.name.clone().unwrap_or_else(|| format!("{}.{}.{number}", route.namespace, route.name));
            // A weight of 0 is gone before anything else.
            let target = |backend: &Backend| {
                let host = format!("{}.{}.svc.cluster.local", backend.name, route.namespace);
                let set = backend.filters.first().map(|filter| filter.response_header_modifier.clone());
                Ok(Target { cluster: self.cluster(&host, backend.port, "")?, weight: backend.weight, set })
            };
            let targets = rule.backend_refs.iter().filter(|backend| backend.weight > 0).map(target);
            let targets = targets.collect::<Result<Vec<_>>>()?;
            let mut action = action(&targets);
            action["cluster_not_found_response_code"] = json!("INTERNAL_SERVER_ERROR");
            for found in &rule.matches {
                all.push((found.rank(), json!({"name": name, "match": found.to_envoy(), "route": action})));
            }
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all.into_iter().map(|(_, route)| route).collect())
    }

    fn cluster(&self, host: &str, port: u16, subset: &str) -> Result<String> {
        let found = self.services.iter().find(|service| service.host() == host && service.port == port);
        Ok(clusters::name(self.place, found.with_context(|| format!("there is no Service {host}:{port}"))?, subset))
    }
}

/// One destination is a cluster; of several, those with a weight of 0 are left out.
fn action(targets: &[Target]) -> Value {
    let retry_policy = json!({
        "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        "num_retries": 2,
        "host_selection_retry_max_attempts": 5,
    });
    if let [target] = targets {
        return json!({"cluster": target.cluster, "timeout": "0s", "retry_policy": retry_policy});
    }
    let weighted = targets.iter().filter(|target| target.weight > 0).map(|target| {
        let mut weighted = json!({"name": target.cluster, "weight": target.weight});
        if let Some(set) = &target.set {
            weighted["response_headers_to_add"] = set.to_envoy();
        }
        weighted
    });
    let weighted = json!({"clusters": weighted.collect::<Vec<_>>()});
    json!({"weighted_clusters": weighted, "timeout": "0s", "retry_policy": retry_policy})
}
