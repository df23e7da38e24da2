//! Plugins: a filter in the chain that is discovered apart from it, and what istio-agent makes of its module.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::resources::{FailStrategy, Mode, Port, TrafficExtension, Wasm};
use super::{GATEWAY_NAME, Module, PORT, Place, Proxy};
use crate::draft::{Draft, RBAC, WASM};
use crate::resources::{Resource, Resources};
use crate::services::selected;

/// The entries of the chain for all plugins that are meant for this listener.
pub(super) fn filters(resources: &Resources, proxy: &Proxy, module: &Module, draft: &mut Draft) -> Result<Vec<Value>> {
    let mut all: Vec<Resource<TrafficExtension>> = resources.all("extensions.istio.io/v1alpha1/TrafficExtension")?;
    for plugin in resources.all("extensions.istio.io/v1alpha1/WasmPlugin")? {
        all.push(translate(plugin)?);
    }
    let meant = all.into_iter().filter(|plugin| attached(plugin, proxy) && on_listener(&plugin.spec, proxy.place));
    meant.map(|plugin| filter(&plugin, module, draft)).collect()
}

/// A `WasmPlugin` is a `TrafficExtension` to istiod from 1.30 on.
fn translate(plugin: Resource<Value>) -> Result<Resource<TrafficExtension>> {
    let mut spec = json!({"wasm": {}});
    for (name, value) in plugin.spec.as_object().into_iter().flatten() {
        let outer = ["selector", "targetRefs", "match", "phase", "priority"].contains(&name.as_str());
        let place = if outer { &mut spec } else { &mut spec["wasm"] };
        place[name] = value.clone();
    }
    let name = format!("{}~istio-translated-wasmplugin", plugin.name);
    Ok(Resource { name, namespace: plugin.namespace, spec: serde_json::from_value(spec)? })
}

/// Whether the plugin is meant for this proxy.
fn attached(plugin: &Resource<TrafficExtension>, proxy: &Proxy) -> bool {
    let spec = &plugin.spec;
    let gateway = proxy.labels.get(GATEWAY_NAME);
    let target = spec.target_refs.iter().any(|target| {
        (target.group.as_str(), target.kind.as_str()) == ("gateway.networking.k8s.io", "Gateway")
            && gateway == Some(&target.name)
    });
    let by_selector = spec.target_refs.is_empty() && proxy.place != Place::Waypoint;
    let selected = spec.selector.as_ref().is_none_or(|wanted| selected(&proxy.labels, &wanted.match_labels));
    plugin.namespace == proxy.namespace && (target || (by_selector && selected))
}

/// Gateways count as clients. A waypoint counts as a server, without a port.
fn on_listener(spec: &TrafficExtension, place: Place) -> bool {
    let (own, port) = match place {
        Place::Gateway => (Mode::Client, 80),
        Place::Outbound => (Mode::Client, PORT),
        Place::Inbound => (Mode::Server, PORT),
        Place::Waypoint => (Mode::Server, 0),
    };
    let fits = |mode: Mode| mode == own || mode == Mode::ClientAndServer;
    let on = |ports: &[Port]| ports.is_empty() || ports.contains(&Port { number: port });
    spec.r#match.is_empty() || spec.r#match.iter().any(|selector| fits(selector.mode) && on(&selector.ports))
}

fn filter(plugin: &Resource<TrafficExtension>, module: &Module, draft: &mut Draft) -> Result<Value> {
    let name = format!("extensions.istio.io/trafficextension/{}.{}", plugin.namespace, plugin.name);
    let wasm = &plugin.spec.wasm;
    ensure!(wasm.url.starts_with("oci://") && wasm.url.contains("@sha256:"), "{} is not pinned", wasm.url);
    let typed = match module {
        Module::Fetched(path) => {
            let mut config = config(wasm, &format!("{}.{}", plugin.namespace, plugin.name));
            config["vm_config"]["code"] = json!({"local": {"filename": path}});
            json!({"@type": WASM, "config": config})
        }
        Module::Missing if wasm.fail_strategy == FailStrategy::Open => {
            json!({"@type": RBAC, "rules_stat_prefix": "wasm-default-allow"})
        }
        Module::Missing => json!({"@type": RBAC, "rules": {}, "rules_stat_prefix": "wasm-default-deny"}),
    };
    Ok(draft.extension(&name, &typed))
}

fn config(wasm: &Wasm, name: &str) -> Value {
    let policy = match wasm.fail_strategy {
        FailStrategy::Close => "FAIL_CLOSED",
        FailStrategy::Open => "FAIL_OPEN",
        FailStrategy::Reload => "FAIL_RELOAD",
    };
    let mut config = json!({
        "name": name,
        "failure_policy": policy,
        "vm_config": {"runtime": "envoy.wasm.runtime.v8"},
    });
    if !wasm.plugin_name.is_empty() {
        config["root_id"] = json!(wasm.plugin_name);
    }
    if wasm.plugin_config.as_object().is_some_and(|fields| !fields.is_empty()) {
        let text = json_of_struct(&wasm.plugin_config);
        config["configuration"] = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
    }
    let variables: Vec<&str> = wasm.vm_config.env.iter().map(|variable| variable.name.as_str()).collect();
    if !variables.is_empty() {
        config["vm_config"]["environment_variables"] = json!({ "host_env_keys": variables });
    }
    config
}

/// JSON as Go's protobuf library writes a `Struct`: sorted keys, spaces, and the characters of HTML escaped or not. Numbers are
/// doubles.
fn json_of_struct(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| format!("{}:{}", Value::from(name.as_str()), json_of_struct(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(json_of_struct).collect::<Vec<_>>().join(", ")),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |double| double.to_string()),
        other => other.to_string(),
    }
}
