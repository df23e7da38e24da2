//! What Envoy is started with: a listener with some filters and routes, clusters, and nothing else that would cost CPU.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

/// A bootstrap with a listener `main` whose connection manager has these filters before the router. `routes` is the field
/// of the connection manager that holds its routes, or says where they are.
pub(crate) fn bootstrap(filters: &[Value], routes: (&str, Value), clusters: &[(&str, SocketAddr)]) -> Value {
    let router =
        json!({"name": "envoy.filters.http.router", "typed_config": {"@type": kind("filters.http.router.v3.Router")}});
    let filters: Vec<&Value> = filters.iter().chain([&router]).collect();
    let mut manager = json!({
        "@type": kind("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "main",
        "http_filters": filters,
    });
    manager[routes.0] = routes.1;
    let filter = json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager});
    json!({
        // File-based discovery needs both names.
        "node": {"id": "serin-bench", "cluster": "serin"},
        "admin": {"address": free_port()},
        "static_resources": {
            "listeners": [{"name": "main", "address": free_port(), "filter_chains": [{"filters": [filter]}]}],
            "clusters": clusters.iter().map(|(name, address)| cluster(name, *address)).collect::<Vec<_>>(),
        },
    })
}

/// The routes of the only virtual host, in the bootstrap itself.
pub(crate) fn inline(routes: Vec<Value>) -> (&'static str, Value) {
    ("route_config", table("*", routes))
}

/// Routes in a file that Envoy watches.
pub(crate) fn discovered_routes(file: &Path) -> (&'static str, Value) {
    ("rds", json!({"route_config_name": "main", "config_source": watched(file)}))
}

/// What a file of discovered routes holds, with the routes of one host.
pub(crate) fn routes_file(host: &str, routes: Vec<Value>) -> String {
    let mut table = table(host, routes);
    table["@type"] = json!("type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
    json!({"resources": [table]}).to_string()
}

/// A filter that comes from a file that Envoy watches.
pub(crate) fn discovered_filter(name: &str, file: &Path) -> Value {
    json!({"name": name, "config_discovery": {
        "config_source": watched(file), "type_urls": [kind("filters.http.wasm.v3.Wasm")],
    }})
}

/// What such a file holds for a filter of [`wasm`].
pub(crate) fn filter_file(filter: &Value) -> String {
    json!({"resources": [{
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": filter["name"], "typed_config": filter["typed_config"],
    }]})
    .to_string()
}

/// A filter from a module with this configuration. All filters of one module share a VM, which may see and be called for
/// `capabilities` only, unless there are none.
pub(crate) fn wasm(name: &str, module: &Path, configuration: &str, capabilities: &[&str]) -> Value {
    restricted(wasm_from(name, &json!({"filename": module}), configuration), capabilities)
}

/// The filter of a module with a VM that may see and be called for `capabilities` only, unless there are none.
pub(crate) fn restricted(mut filter: Value, capabilities: &[&str]) -> Value {
    let allowed: serde_json::Map<_, _> = capabilities.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    filter["typed_config"]["config"]["capability_restriction_config"] = json!({"allowed_capabilities": allowed});
    filter
}

/// A filter from a module whose bytes, as base64, stand in the bootstrap, and which needs no configuration.
pub(crate) fn wasm_inline(name: &str, module: &str) -> Value {
    wasm_from(name, &json!({"inline_bytes": module}), "")
}

/// A filter from a module that is to be found there (`core.v3.DataSource`).
fn wasm_from(name: &str, source: &Value, configuration: &str) -> Value {
    json!({"name": name, "typed_config": {
        "@type": kind("filters.http.wasm.v3.Wasm"),
        "config": {
            "name": name,
            // A filter that is not there would cost nothing and be praised for it.
            "failure_policy": "FAIL_CLOSED",
            "vm_config": {"vm_id": "bench", "runtime": "envoy.wasm.runtime.v8", "code": {"local": source}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
        },
    }})
}

/// A filter from a script.
pub(crate) fn lua(name: &str, script: &str) -> Value {
    json!({"name": name, "typed_config": {
        "@type": kind("filters.http.lua.v3.Lua"),
        "default_source_code": {"inline_string": script},
    }})
}

/// A route for everything that has this header, with this value if there is one.
pub(crate) fn header_route(header: &str, value: Option<&str>, action: (&str, Value)) -> Value {
    let condition = match value {
        Some(value) => json!({"name": header, "string_match": {"exact": value}}),
        None => json!({"name": header, "present_match": true}),
    };
    json!({"match": {"prefix": "/", "headers": [condition]}, action.0: action.1})
}

/// A route for everything.
pub(crate) fn any_route(action: (&str, Value)) -> Value {
    json!({"match": {"prefix": "/"}, action.0: action.1})
}

/// The action that answers with this text.
pub(crate) fn answer(text: &str) -> (&'static str, Value) {
    ("direct_response", json!({"status": 200, "body": {"inline_string": text}}))
}

fn table(host: &str, routes: Vec<Value>) -> Value {
    json!({"name": "main", "virtual_hosts": [{"name": "all", "domains": [host], "routes": routes}]})
}

fn kind(extension: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.{extension}")
}

fn free_port() -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}})
}

fn watched(file: &Path) -> Value {
    json!({
        "path_config_source": {"path": file, "watched_directory": {"path": file.parent()}},
        "resource_api_version": "V3",
    })
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    let socket = json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
    json!({
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket}}]}],
        },
    })
}
