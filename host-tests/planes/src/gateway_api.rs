//! What the manifests use of Gateway API, and the order of its routes.

use std::cmp::Reverse;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::resources::Resource;
use crate::services::Labels;

/// A Gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) gateway_class_name: String,
    #[serde(default)]
    pub(crate) infrastructure: Infrastructure,
    pub(crate) listeners: Vec<Listener>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Infrastructure {
    #[serde(default)]
    pub(crate) labels: Labels,
    pub(crate) parameters_ref: Option<Reference>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    pub(crate) hostname: Option<String>,
    #[serde(default)]
    pub(crate) allowed_routes: AllowedRoutes,
}

/// Which routes a listener takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowedRoutes {
    #[serde(default)]
    namespaces: Namespaces,
}

/// From which namespaces: from its Gateway's, where nothing is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Namespaces {
    #[serde(default)]
    from: From,
    selector: Option<Selector>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum From {
    #[default]
    Same,
    All,
    Selector,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: NamespaceLabels,
}

/// The label that every namespace has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceLabels {
    #[serde(rename = "kubernetes.io/metadata.name")]
    name: String,
}

/// A reference to another resource, or to a part of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Reference {
    pub(crate) group: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) section_name: Option<String>,
}

/// An `HTTPRoute`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HttpRoute {
    pub(crate) parent_refs: Vec<Reference>,
    #[serde(default)]
    pub(crate) hostnames: Vec<String>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) matches: Vec<Match>,
    pub(crate) backend_refs: Vec<Backend>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    pub(crate) path: Path,
    #[serde(default)]
    pub(crate) headers: Vec<Header>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Path {
    pub(crate) r#type: PathType,
    pub(crate) value: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PathType {
    PathPrefix,
    Exact,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backend {
    pub(crate) name: String,
    pub(crate) port: u16,
    #[serde(default = "one")]
    pub(crate) weight: u32,
    #[serde(default)]
    pub(crate) filters: Vec<Filter>,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Filter {
    #[serde(rename = "type")]
    _type: HeaderModifier,
    pub(crate) response_header_modifier: Modifier,
}

#[derive(Clone, Debug, Deserialize)]
enum HeaderModifier {
    #[serde(rename = "ResponseHeaderModifier")]
    Response,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Modifier {
    pub(crate) set: Vec<Header>,
}

/// What sorts routes.
pub(crate) type Rank = Reverse<(PathType, usize, usize)>;

impl Match {
    /// The `match` of Envoy's route.
    pub(crate) fn to_envoy(&self) -> Value {
        let path = &self.path.value;
        let mut found = match self.path.r#type {
            PathType::Exact => json!({ "path": path }),
            PathType::PathPrefix if path == "/" => json!({ "prefix": path }),
            PathType::PathPrefix => json!({"path_separated_prefix": path.trim_end_matches('/')}),
        };
        let header = |header: &Header| json!({"name": header.name, "string_match": {"exact": header.value}});
        if !self.headers.is_empty() {
            found["headers"] = self.headers.iter().map(header).collect();
        }
        found
    }

    /// What comes first is looked at first: exact paths, long paths, many headers.
    pub(crate) fn rank(&self) -> Rank {
        Reverse((self.path.r#type, self.path.value.len(), self.headers.len()))
    }
}

impl Modifier {
    /// The headers as an Envoy route adds them.
    pub(crate) fn to_envoy(&self) -> Value {
        let set = |header: &Header| json!({"header": {"key": header.name, "value": header.value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
        self.set.iter().map(set).collect()
    }
}

/// Whether the listener of a Gateway takes the route: one of the route's parents is this listener, and it allows the namespace.
pub(crate) fn is_attached(gateway: &Resource<Gateway>, listener: &Listener, route: &Resource<HttpRoute>) -> bool {
    let names_it = |parent: &Reference| {
        let (group, kind) = (parent.group.as_deref(), parent.kind.as_deref());
        (group.unwrap_or(GROUP), kind.unwrap_or("Gateway")) == (GROUP, "Gateway")
            && parent.name == gateway.name
            && *parent.namespace.as_ref().unwrap_or(&route.namespace) == gateway.namespace
            && parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
            && parent.port.is_none_or(|port| port == listener.port)
    };
    let Namespaces { from, selector } = &listener.allowed_routes.namespaces;
    let is_allowed = match from {
        From::Same => route.namespace == gateway.namespace,
        From::All => true,
        From::Selector => selector.as_ref().is_some_and(|wanted| wanted.match_labels.name == route.namespace),
    };
    is_allowed && route.spec.parent_refs.iter().any(names_it)
}

const GROUP: &str = "gateway.networking.k8s.io";

/// The hosts that both the listener and the route take.
pub(crate) fn hosts<'a>(listener: &'a Listener, route: &'a HttpRoute) -> Vec<&'a str> {
    let of_listener = listener.hostname.as_deref();
    match (of_listener, route.hostnames.is_empty()) {
        (None, true) => vec!["*"],
        (Some(host), true) => vec![host],
        (None, false) => route.hostnames.iter().map(String::as_str).collect(),
        (Some(host), false) => route.hostnames.iter().map(String::as_str).filter(|name| *name == host).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource<T: serde::de::DeserializeOwned>(name: &str, namespace: &str, spec: Value) -> Resource<T> {
        let spec = serde_json::from_value(spec).unwrap();
        Resource { name: name.to_owned(), namespace: namespace.to_owned(), spec }
    }

    /// A Gateway in the namespace `ingress` with these `allowedRoutes`, and a route in `shop` with this parent.
    #[track_caller]
    fn check(expected: bool, allowed: &Value, parent: &Value) {
        let listener = json!({"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed});
        let gateway = json!({"gatewayClassName": "class", "listeners": [listener]});
        let gateway: Resource<Gateway> = resource("gateway", "ingress", gateway);
        let route = resource("route", "shop", json!({"parentRefs": [parent], "rules": []}));
        assert_eq!(expected, is_attached(&gateway, &gateway.spec.listeners[0], &route), "{allowed} {parent}");
    }

    #[test]
    fn a_listener_takes_the_routes_that_name_it_from_namespaces_that_it_allows() {
        let parent = |more: Value| {
            let mut parent = json!({"name": "gateway", "namespace": "ingress"});
            crate::draft::set(&mut parent, &more);
            parent
        };
        let selector = |name: &str| {
            let labels = json!({"kubernetes.io/metadata.name": name});
            json!({"namespaces": {"from": "Selector", "selector": {"matchLabels": labels}}})
        };
        let all = json!({"namespaces": {"from": "All"}});
        check(false, &json!({}), &parent(json!({})));
        check(false, &json!({"namespaces": {"from": "Same"}}), &parent(json!({})));
        check(true, &all, &parent(json!({})));
        check(true, &selector("shop"), &parent(json!({})));
        check(false, &selector("other"), &parent(json!({})));
        check(true, &all, &parent(json!({"sectionName": "http", "port": 80})));
        check(false, &all, &parent(json!({"sectionName": "https"})));
        check(false, &all, &parent(json!({"port": 443})));
        check(false, &all, &parent(json!({"kind": "Service"})));
        check(false, &all, &json!({"name": "gateway"}));
    }
}
