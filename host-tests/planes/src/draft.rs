//! What both control planes send: listeners, routes, clusters and endpoints, each in a file that Envoy watches.
//!
//! The one thing that differs from the control planes is that resources come from files and not over a stream.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::environment::Variable;

/// What one Envoy runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Options of Envoy's command line.
    pub(crate) options: Vec<&'static str>,
    /// Of its environment.
    pub(crate) variables: Vec<Variable>,
    pub(crate) bootstrap: Value,
    pub(crate) files: BTreeMap<String, File>,
}

/// A file with discovered resources, and the counters that tell what Envoy thinks of it, as regular expressions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) taken: String,
    pub(crate) refused: String,
}

/// A configuration in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    files: BTreeMap<String, File>,
}

/// The places that share the requests to a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Locality {
    pub(crate) addresses: Vec<SocketAddr>,
    /// What Envoy is told beside the addresses: weight, region, metadata.
    pub(crate) fields: Value,
}

impl Draft {
    pub(crate) fn listener(&mut self, mut listener: Value) {
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        self.listeners.push(listener);
    }

    /// A route table, and the part of a connection manager that finds it.
    pub(crate) fn routes(&mut self, stat_prefix: &str, mut table: Value) -> Value {
        let name = table["name"].as_str().unwrap_or_default().to_owned();
        let file = format!("routes/{}.json", name.replace(['|', '/'], "-"));
        table["@type"] = json!("type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
        let counters = format!("http.{stat_prefix}.rds.{name}.");
        self.file(&file, &[table], &counters, ("config_reload", "update_rejected"));
        json!({"route_config_name": name, "config_source": source(&file)})
    }

    /// A filter, and the entry of a connection manager that finds it.
    pub(crate) fn extension(&mut self, name: &str, typed_config: &Value) -> Value {
        let file = format!("extensions/{}.json", name.replace('/', "-"));
        let kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
        let resource = json!({"@type": kind, "name": name, "typed_config": typed_config});
        let counters = format!("extension_config_discovery.http_filter.{name}.");
        self.file(&file, &[resource], &counters, ("config_reload", "config_fail"));
        let mut found = source(&file);
        found["initial_fetch_timeout"] = json!("0s");
        json!({"name": name, "config_discovery": {"config_source": found, "type_urls": [WASM, RBAC]}})
    }

    /// A cluster whose endpoints are discovered.
    pub(crate) fn cluster(&mut self, name: &str, localities: &[Locality], fields: &Value) {
        if self.clusters.iter().any(|known| known["name"] == name) {
            return;
        }
        let file = format!("endpoints/{}.json", name.replace(['|', '/'], "-"));
        let endpoints: Vec<Value> = localities.iter().map(Locality::to_envoy).collect();
        let kind = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
        let assignment = json!({"@type": kind, "cluster_name": name, "endpoints": endpoints});
        self.file(&file, &[assignment], &format!("cluster.{name}."), ("update_success", "update_rejected"));
        let mut cluster = json!({
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": name,
            "type": "EDS",
            "eds_cluster_config": {"eds_config": source(&file)},
            "connect_timeout": "10s",
        });
        set(&mut cluster, fields);
        self.clusters.push(cluster);
    }

    /// A cluster as it is.
    pub(crate) fn own_cluster(&mut self, mut cluster: Value) {
        cluster["@type"] = json!("type.googleapis.com/envoy.config.cluster.v3.Cluster");
        self.clusters.push(cluster);
    }

    /// The whole, with options, variables and further fields of the bootstrap.
    pub(crate) fn finish(
        mut self,
        options: &[&'static str],
        variables: Vec<Variable>,
        fields: &Value,
    ) -> Configuration {
        let (listeners, clusters) = (std::mem::take(&mut self.listeners), std::mem::take(&mut self.clusters));
        let counters = ("update_success", "update_rejected");
        self.file(LISTENERS, &listeners, "listener_manager.lds.", counters);
        self.file(CLUSTERS, &clusters, "cluster_manager.cds.", counters);
        let mut bootstrap = json!({
            "node": {"id": "serin", "cluster": "serin"},
            "admin": {"address": free_port()},
            "dynamic_resources": {"cds_config": source(CLUSTERS), "lds_config": source(LISTENERS)},
        });
        set(&mut bootstrap, fields);
        Configuration { options: options.into(), variables, bootstrap, files: self.files }
    }

    fn file(&mut self, name: &str, resources: &[Value], counters: &str, (taken, refused): (&str, &str)) {
        let text = json!({ "resources": resources }).to_string();
        let counter = |counter: &str| format!("{}{counter}", pattern(counters));
        let file = File { text, taken: counter(taken), refused: counter(refused) };
        self.files.insert(name.to_owned(), file);
    }
}

impl Locality {
    fn to_envoy(&self) -> Value {
        let endpoint = |address: &SocketAddr| {
            let socket = json!({"address": address.ip(), "port_value": address.port()});
            json!({"endpoint": {"address": {"socket_address": socket}}, "load_balancing_weight": 1})
        };
        let mut locality = json!({"lb_endpoints": self.addresses.iter().map(endpoint).collect::<Vec<_>>()});
        set(&mut locality, &self.fields);
        locality
    }
}

/// The HTTP connection manager with these fields, as the only filter of a chain.
pub(crate) fn chain(manager: &Value) -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let mut typed = json!({ "@type": kind });
    set(&mut typed, manager);
    json!({"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": typed}]})
}

/// The filter that ends every chain.
pub(crate) fn router() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    json!({"name": "envoy.filters.http.router", "typed_config": {"@type": kind}})
}

/// A free port of loopback.
pub(crate) fn free_port() -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}})
}

/// Sets these fields.
pub(crate) fn set(target: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
}

fn source(file: &str) -> Value {
    let folder = file.split('/').next();
    let path = json!({"path": file, "watched_directory": {"path": folder}});
    json!({"path_config_source": path, "resource_api_version": "V3"})
}

/// The name of a counter as a regular expression: Envoy writes `_` for a colon.
fn pattern(name: &str) -> String {
    let escaped = |letter: char| match letter {
        ':' => "_".to_owned(),
        _ if letter.is_ascii_alphanumeric() || letter == '_' => letter.to_string(),
        _ => format!("\\{letter}"),
    };
    name.chars().map(escaped).collect()
}

pub(crate) const LISTENERS: &str = "listeners/all.json";
pub(crate) const CLUSTERS: &str = "clusters/all.json";

/// The filter of a plugin.
pub(crate) const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
/// The filter that istio-agent puts in its place.
pub(crate) const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
