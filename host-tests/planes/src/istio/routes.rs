//! Routes: what a `VirtualService` or an `HTTPRoute` says, in the virtual hosts of a proxy.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::resources::{Destination, Http, VirtualService, Weighted};
use super::{PORT, Place, Proxy, clusters, gateway};
use crate::gateway_api::{self, Backend, HttpRoute, Modifier};
use crate::resources::{Resource, Resources};
use crate::services::Service;

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
pub(super) struct Lookup<'a> {
    place: Place,
    services: &'a [Service],
}

/// The virtual hosts of the proxy.
pub(super) fn hosts(resources: &Resources, proxy: &Proxy, services: &[Service]) -> Result<Hosts> {
    let lookup = Lookup { place: proxy.place, services };
    match proxy.place {
        Place::Gateway => gateway::hosts(resources, proxy, &lookup),
        Place::Outbound => of_sidecar(resources, &lookup),
        Place::Waypoint => of_waypoint(resources, proxy, &lookup),
        Place::Inbound => {
            let table = format!("inbound|{PORT}||");
            let host = host(format!("inbound|http|{PORT}"), &["*".to_owned()], vec![fallback(&table)]);
            Ok(Hosts { table, all: vec![host] })
        }
    }
}

fn of_sidecar(resources: &Resources, lookup: &Lookup) -> Result<Hosts> {
    let mut all = Vec::new();
    for service in lookup.services {
        let mut routes = lookup.for_service(resources, service)?;
        if routes.is_empty() {
            routes.push(fallback(&clusters::name(lookup.place, service, "")));
        }
        let (name, namespace) = (&service.name, &service.namespace);
        let host = service.host();
        let domains =
            [format!("{host}."), host, name.clone(), format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")];
        all.push(outbound_host(format!("{}:{PORT}", service.host()), &domains, routes));
    }
    Ok(Hosts { table: PORT.to_string(), all })
}

fn of_waypoint(resources: &Resources, proxy: &Proxy, lookup: &Lookup) -> Result<Hosts> {
    gateway::ensure_waypoint(resources, proxy)?;
    let service = lookup.services.iter().find(|service| service.name == "reviews").context("no Service reviews")?;
    let routes = lookup.for_service(resources, service)?;
    let all = vec![host(format!("inbound|http|{PORT}"), &["*".to_owned()], routes)];
    Ok(Hosts { table: clusters::name(lookup.place, service, ""), all })
}

pub(super) fn virtual_services(resources: &Resources) -> Result<Vec<Resource<VirtualService>>> {
    resources.all("networking.istio.io/v1/VirtualService")
}

pub(super) fn http_routes(resources: &Resources) -> Result<Vec<Resource<HttpRoute>>> {
    resources.all("gateway.networking.k8s.io/v1/HTTPRoute")
}

/// A virtual host of requests that go out, as those of gateways do.
pub(super) fn outbound_host(name: String, domains: &[String], routes: Vec<Value>) -> Value {
    let mut host = host(name, domains, routes);
    host["include_request_attempt_count"] = json!(true);
    host
}

fn host(name: String, domains: &[String], routes: Vec<Value>) -> Value {
    json!({"name": name, "domains": domains, "routes": routes})
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
                routes.extend(self.of_http_route(&found));
            }
        }
        Ok(routes)
    }

    pub(super) fn of_virtual_service(&self, spec: &VirtualService) -> Result<Vec<Value>> {
        let mut routes = Vec::new();
        for Http { name, r#match, route } in &spec.http {
            let target = |Weighted { destination, weight }: &Weighted| {
                let Destination { host, port, subset } = destination;
                let cluster = self.cluster(host, port.number, subset);
                let cluster = cluster.with_context(|| format!("there is no Service {host}:{}", port.number))?;
                Ok(Target { cluster, weight: *weight, set: None })
            };
            let targets = route.iter().map(target).collect::<Result<Vec<_>>>()?;
            if r#match.is_empty() {
                routes.push(json!({"name": name, "match": {"prefix": "/"}, "route": action(&targets)}));
            }
            routes.extend(r#match.iter().map(|found| matched(name, found.to_envoy(), &action(&targets))));
        }
        Ok(routes)
    }

    /// In the order of Gateway API.
    pub(super) fn of_http_route(&self, route: &Resource<HttpRoute>) -> Vec<Value> {
        let mut all = Vec::new();
        for (number, rule) in route.spec.rules.iter().enumerate() {
            let name = rule.name.clone().unwrap_or_else(|| format!("{}.{}.{number}", route.namespace, route.name));
            let target = |backend: &Backend| {
                let host = format!("{}.{}.svc.cluster.local", backend.name, route.namespace);
                let cluster = self.cluster(&host, backend.port, "").unwrap_or_else(|| "UnknownService".to_owned());
                let set = backend.filters.first().map(|filter| filter.response_header_modifier.clone());
                Target { cluster, weight: backend.weight, set }
            };
            // A weight of 0 is gone before anything else.
            let targets = rule.backend_refs.iter().filter(|backend| backend.weight > 0).map(target);
            let mut action = action(&targets.collect::<Vec<_>>());
            action["cluster_not_found_response_code"] = json!("INTERNAL_SERVER_ERROR");
            for found in &rule.matches {
                all.push((found.rank(), matched(&name, found.to_envoy(), &action)));
            }
        }
        all.sort_by_key(|(rank, _)| *rank);
        all.into_iter().map(|(_, route)| route).collect()
    }

    fn cluster(&self, host: &str, port: u16, subset: &str) -> Option<String> {
        let found = self.services.iter().find(|service| service.host() == host && service.port == port);
        found.map(|service| clusters::name(self.place, service, subset))
    }
}

fn matched(name: &str, mut found: Value, action: &Value) -> Value {
    found["case_sensitive"] = json!(true);
    json!({"name": name, "match": found, "route": action})
}

/// One destination is a cluster; of several, those with a weight of 0 are left out.
fn action(targets: &[Target]) -> Value {
    let kind = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
    let others = json!({"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": kind}});
    let retry_policy = json!({
        "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        "num_retries": 2,
        "retry_host_predicate": [others],
        "host_selection_retry_max_attempts": 5,
    });
    let mut action = json!({"timeout": "0s", "max_grpc_timeout": "0s", "retry_policy": retry_policy});
    if let [target] = targets {
        action["cluster"] = json!(target.cluster);
        return action;
    }
    let weighted = targets.iter().filter(|target| target.weight > 0).map(|target| {
        let mut weighted = json!({"name": target.cluster, "weight": target.weight});
        if let Some(set) = &target.set {
            weighted["response_headers_to_add"] = set.to_envoy();
        }
        weighted
    });
    action["weighted_clusters"] = json!({"clusters": weighted.collect::<Vec<_>>()});
    action
}
