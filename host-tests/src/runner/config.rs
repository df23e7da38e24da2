//! Envoy's configuration for scenarios: a listener for each, and the clusters that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};
use serin_envoy::Scripted;
use serin_host::routes::{Cluster, HeaderMatch, HeaderTest, PathMatch, Route, Target};
use serin_host::scenario::{Configuration, Direction, Form, Plugin, Scenario, Step};

/// How a configuration gets to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Discovery {
    /// With its listener.
    Lds,
    /// As a resource of its own.
    Ecds,
}

/// The file of all listeners.
pub(super) const LISTENERS: &str = "listeners/all.json";
/// How the request headers begin that carry filter state to the upstream.
pub(super) const STATE_HEADER: &str = "x-filter-state-of-this-request-";

/// The file of a scenario's filter, in a folder of its own: Envoy looks at a whole folder when one file in it changes.
pub(super) fn filter_file(name: &str) -> String {
    format!("filters/{name}/filter.json")
}

/// The clusters of a bootstrap.
///
/// # Errors
/// If one that serves has no upstream.
pub(super) fn clusters(
    clusters: &BTreeMap<String, Cluster>,
    upstreams: &BTreeMap<String, SocketAddr>,
) -> Result<Vec<Value>> {
    clusters.iter().map(|(name, kind)| cluster(name, *kind, upstreams.get(name).copied())).collect()
}

/// A bootstrap that discovers listeners and has these clusters.
pub(super) fn bootstrap(folder: &Path, clusters: Vec<Value>) -> Value {
    // All that is looked at; thousands of others would make each look slow.
    let kept = ["wasm", "extension_config_discovery.", "listener_manager."].map(|prefix| json!({"prefix": prefix}));
    json!({
        "node": {"id": "scenarios", "cluster": "scenarios"},
        "admin": {"address": loopback(0)},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": kept}}},
        "dynamic_resources": {"lds_config": {
            "path_config_source": watched(&folder.join(LISTENERS)), "resource_api_version": "V3",
        }},
        "static_resources": {"clusters": clusters, "listeners": [idle_listener()]},
    })
}

/// The listener that every Envoy has.
fn idle_listener() -> Value {
    let manager = json!({
        "@type": MANAGER, "stat_prefix": "idle", "http_filters": [router()],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": []}]},
    });
    json!({"name": "main", "address": loopback(0), "filter_chains": [{"filters": [
        {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
    ]}]})
}

/// The file of listeners.
pub(super) fn listeners<'l>(listeners: impl Iterator<Item = &'l Value>) -> String {
    json!({"resources": listeners.collect::<Vec<_>>()}).to_string()
}

/// A scenario's listener. Its filter is part of it, or discovered in the folder.
pub(super) fn listener(scenario: &Scenario, filter: &Value, folder: &Path, discovery: Discovery) -> Value {
    let name = &scenario.plugin.name;
    let filter = match discovery {
        Discovery::Lds => json!({"name": name, "typed_config": filter, "disabled": scenario.plugin.disabled}),
        Discovery::Ecds => json!({"name": name, "disabled": scenario.plugin.disabled, "config_discovery": {
            "config_source": {
                "path_config_source": watched(&folder.join(filter_file(name))), "resource_api_version": "V3",
            },
            "default_config": {"@type": HEADER_MUTATION},
            "type_urls": [WASM, HEADER_MUTATION],
        }}),
    };
    let mut listener = json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": name, "address": loopback(0), "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager(scenario, &filter),
        }]}],
    });
    if let Some(direction) = scenario.direction {
        let direction = if direction == Direction::Inbound { "INBOUND" } else { "OUTBOUND" };
        listener["traffic_direction"] = json!(direction);
    }
    listener
}

fn manager(scenario: &Scenario, filter: &Value) -> Value {
    let name = &scenario.plugin.name;
    let routes: Vec<Value> = scenario.routes.routes.iter().map(|this| route(this, name)).collect();
    let strip: Vec<Value> = scenario.strip.iter().map(|header| json!({"remove": header})).collect();
    let early = json!({"name": "strip", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        "mutations": strip,
    }});
    let early = if strip.is_empty() { json!([]) } else { json!([early]) };
    json!({
        "@type": MANAGER, "stat_prefix": name,
        "http_protocol_options": {"enable_trailers": true},
        "use_remote_address": true, "xff_num_trusted_hops": 1,
        "early_header_mutation_extensions": early,
        "http_filters": [filter, router()],
        "route_config": {
            "name": name, "request_headers_to_add": marks(scenario),
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        },
    })
}

/// What the router adds for the upstream alone: whose request it is, and the filter state that the scenario asks for.
fn marks(scenario: &Scenario) -> Value {
    let mark = |name: &str, value: &str| json!({"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
    let states = filter_states(scenario);
    let states = states
        .iter()
        .enumerate()
        .map(|(number, name)| mark(&format!("{STATE_HEADER}{number}"), &format!("%FILTER_STATE(wasm.{name}:PLAIN)%")));
    std::iter::once(mark(Scripted::HEADER, &scenario.plugin.name)).chain(states).collect()
}

/// The names of filter state that the scenario asks for, in order.
pub(super) fn filter_states(scenario: &Scenario) -> Vec<String> {
    let expectations = scenario.steps.iter().map(Step::expectation);
    let named = expectations.flat_map(|expectation| expectation.0.into_keys());
    let names: BTreeSet<String> =
        named.filter_map(|fact| fact.strip_prefix("filter_state.").map(str::to_owned)).collect();
    names.into_iter().collect()
}

/// The filter with a configuration.
pub(super) fn filter(scenario: &Scenario, module: &Path, configuration: &Configuration, form: Form) -> Value {
    let plugin = &scenario.plugin;
    let mut vm = json!({
        "vm_id": vm_id(plugin), "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": module}},
    });
    if !plugin.environment.is_empty() {
        vm["environment_variables"] = json!({"key_values": plugin.environment});
    }
    let mut config =
        json!({"name": plugin.name, "root_id": plugin.root_id, "failure_policy": "FAIL_RELOAD", "vm_config": vm});
    if let Some(any) = any(configuration, form) {
        config["configuration"] = any;
    }
    json!({"@type": WASM, "config": config})
}

/// The VM of a plugin: that of its file, or one of its own where it needs that, or the one of all others.
pub(super) fn vm_id(plugin: &Plugin) -> String {
    let own = !plugin.environment.is_empty() || plugin.root_id.is_empty();
    plugin
        .vm_id
        .clone()
        .unwrap_or_else(|| if own { format!("scenario-{}", plugin.name) } else { "scenarios".to_owned() })
}

fn any(configuration: &Configuration, form: Form) -> Option<Value> {
    let text = |text: &str| json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
    match (configuration, form) {
        (Configuration::None, _) => None,
        (Configuration::Text(value), _) => Some(text(value)),
        (Configuration::Bytes(bytes), _) => Some(json!({
            "@type": "type.googleapis.com/google.protobuf.BytesValue",
            "value": Base64::encode_string(&bytes.0),
        })),
        (Configuration::Mapping(mapping), Form::Text) => Some(text(&mapping.to_string())),
        (Configuration::Mapping(mapping), Form::Struct) => {
            Some(json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": mapping}))
        }
    }
}

/// The file of a filter that is discovered.
pub(super) fn resource(name: &str, filter: &Value) -> String {
    json!({"resources": [{
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": name, "typed_config": filter,
    }]})
    .to_string()
}

fn route(route: &Route, filter: &str) -> Value {
    let mut matches = match &route.matches.path {
        PathMatch::Prefix(prefix) => json!({"prefix": prefix}),
        PathMatch::Exact(path) => json!({"path": path}),
    };
    matches["headers"] = route.matches.headers.iter().map(header).collect();
    let mut out = json!({"match": matches, "request_headers_to_remove": route.remove});
    match &route.target {
        Target::Cluster(cluster) => out["route"] = json!({"cluster": cluster}),
        Target::ClusterHeader(header) => out["route"] = json!({"cluster_header": header}),
        Target::Respond(status) => out["direct_response"] = json!({"status": status}),
        Target::Weighted(weighted) => {
            let share = |(name, weight): &(String, u32)| json!({"name": name, "weight": weight});
            let mut clusters = json!({"clusters": weighted.clusters.iter().map(share).collect::<Vec<_>>()});
            if let Some(header) = &weighted.by_header {
                clusters["header_name"] = json!(header);
            }
            out["route"] = json!({"weighted_clusters": clusters});
        }
    }
    if let Some(switch) = route.filter {
        let mut switched = Map::new();
        let config = if switch.disabled { json!({"disabled": true}) } else { json!({"config": {}}) };
        switched.insert(filter.to_owned(), config);
        switched[filter]["@type"] = json!("type.googleapis.com/envoy.config.route.v3.FilterConfig");
        out["typed_per_filter_config"] = Value::Object(switched);
    }
    out
}

fn header(header: &HeaderMatch) -> Value {
    let mut out = json!({"name": header.name, "invert_match": header.invert});
    match &header.test {
        HeaderTest::Present(present) => out["present_match"] = json!(present),
        HeaderTest::Exact(exact) => out["string_match"] = json!({"exact": exact}),
        HeaderTest::Prefix(prefix) => out["string_match"] = json!({"prefix": prefix}),
    }
    out
}

fn cluster(name: &str, kind: Cluster, upstream: Option<SocketAddr>) -> Result<Value> {
    let at = |port: u16| json!([{"lb_endpoints": [{"endpoint": {"address": loopback(port)}}]}]);
    let endpoints = match kind {
        Cluster::Serves => at(upstream.with_context(|| format!("the cluster {name} has no upstream"))?.port()),
        Cluster::Empty => json!([]),
        // Nothing listens on port 1, which is reserved for a service that is no longer in use.
        Cluster::Refuses => at(1),
    };
    Ok(json!({
        "name": name, "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
    }))
}

fn router() -> Value {
    json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    }})
}

fn loopback(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn watched(file: &Path) -> Value {
    json!({"path": file, "watched_directory": {"path": file.parent()}})
}

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const HEADER_MUTATION: &str = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
