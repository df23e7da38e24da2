//! The shipped Envoy configuration, and the few replacements that let it run on free ports in a folder of its own.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::upstream::Upstreams;

/// The route table that carries a decision out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routes {
    /// The table of `manifests/envoy`: a present `x-canary-cluster` names the cluster, all else is stable.
    #[default]
    FailSafe,
    /// One route per version that matches `x-canary-version`, all else is stable: the portable table.
    HeaderMatch,
}

/// What is handed to the filter, in the form that it travels in.
#[derive(Clone, Debug, PartialEq)]
pub enum Configuration {
    /// A `google.protobuf.Struct`, as in `manifests/envoy`.
    Struct(Value),
    /// A `google.protobuf.StringValue`, as Istio and Envoy Gateway send it; any text, JSON or not.
    Text(String),
}

impl From<Value> for Configuration {
    fn from(document: Value) -> Self {
        Self::Struct(document)
    }
}

impl Configuration {
    fn to_any(&self) -> Value {
        match self {
            Self::Struct(document) => json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": document}),
            Self::Text(text) => json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text}),
        }
    }
}

/// The rules document of `manifests/envoy/serin.yaml`.
///
/// # Errors
/// If the manifest does not hold one where it should.
pub fn document() -> Result<Value> {
    let mut resource = parse("serin.yaml", RESOURCE)?;
    Ok(at(&mut resource, "/resources/0/typed_config/config/configuration/value")?.take())
}

/// Where the parts of one running Envoy are.
pub(crate) struct Places<'a> {
    /// The folder that Envoy watches.
    pub(crate) watched: &'a Path,
    pub(crate) resource: &'a Path,
    pub(crate) access_log: &'a Path,
}

/// The bootstrap with free ports, the upstreams as clusters, and the given table of routes. Without `strip_early`
/// nothing but the filter removes a client's copy of our headers.
pub(crate) fn bootstrap(places: &Places, upstreams: &Upstreams, routes: Routes, strip_early: bool) -> Result<Value> {
    let mut root = parse("envoy.yaml", BOOTSTRAP)?;
    *at(&mut root, "/admin/address/socket_address/port_value")? = json!(0);
    *at(&mut root, "/static_resources/listeners/0/address/socket_address/port_value")? = json!(0);
    let template = at(&mut root, "/static_resources/clusters/0")?.take();
    let clusters = upstreams.addresses().map(|(name, address)| cluster(&template, name, address));
    *at(&mut root, "/static_resources/clusters")? = Value::Array(clusters.collect::<Result<_>>()?);

    let manager = at(&mut root, "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")?;
    *at(manager, "/access_log/0/typed_config/@type")? =
        json!("type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog");
    at(manager, "/access_log/0/typed_config")?["path"] = json!(places.access_log);
    let source = at(manager, "/http_filters/0/config_discovery/config_source/path_config_source")?;
    *source = json!({"path": places.resource, "watched_directory": {"path": places.watched}});
    if !strip_early {
        *at(manager, "/early_header_mutation_extensions")? = json!([]);
    }
    if routes == Routes::HeaderMatch {
        *at(manager, "/route_config/virtual_hosts/0/routes")? = header_match(upstreams)?;
    }
    Ok(root)
}

/// The discovery resource with this module and configuration.
pub(crate) fn resource(module: &Path, configuration: &Configuration) -> Result<Value> {
    let mut resource = parse("serin.yaml", RESOURCE)?;
    let plugin = at(&mut resource, "/resources/0/typed_config/config")?;
    *at(plugin, "/vm_config/code/local/filename")? = json!(module);
    *at(plugin, "/configuration")? = configuration.to_any();
    Ok(resource)
}

/// The name of the listener in the bootstrap.
pub(crate) const LISTENER: &str = "main";

const BOOTSTRAP: &str = include_str!("../../../manifests/envoy/envoy.yaml");
const RESOURCE: &str = include_str!("../../../manifests/envoy/serin.yaml");

fn parse(name: &str, text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).with_context(|| format!("manifests/envoy/{name} is not valid YAML"))
}

fn at<'a>(root: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    root.pointer_mut(pointer).with_context(|| format!("the manifest in manifests/envoy has no {pointer}"))
}

fn cluster(template: &Value, name: &str, address: SocketAddr) -> Result<Value> {
    let mut cluster = template.clone();
    *at(&mut cluster, "/name")? = json!(name);
    *at(&mut cluster, "/load_assignment/cluster_name")? = json!(name);
    *at(&mut cluster, "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address")? =
        json!({"address": address.ip(), "port_value": address.port()});
    Ok(cluster)
}

/// The first upstream by name is stable, as it is in the manifest.
fn header_match(upstreams: &Upstreams) -> Result<Value> {
    let mut names = upstreams.addresses().map(|(name, _)| name);
    let Some(stable) = names.next() else { bail!("a route table needs at least one upstream") };
    let canary = |name| {
        let header = json!({"name": "x-canary-version", "string_match": {"exact": name}});
        json!({"match": {"prefix": "/", "headers": [header]}, "route": {"cluster": name}})
    };
    let fallback = json!({"match": {"prefix": "/"}, "route": {"cluster": stable}});
    Ok(names.map(canary).chain([fallback]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_document_is_found() {
        assert_eq!(document().unwrap()["rollouts"]["shop"]["versions"]["v2"], json!({"cluster": "v2", "weight": 10}));
    }

    #[test]
    fn a_resource_carries_the_configuration_in_its_form() {
        for (rules, kind) in [
            (Configuration::Struct(json!({"a": 1})), "type.googleapis.com/google.protobuf.Struct"),
            (Configuration::Text("{".to_owned()), "type.googleapis.com/google.protobuf.StringValue"),
        ] {
            let resource = resource(Path::new("/module.wasm"), &rules).unwrap();
            let plugin = &resource["resources"][0]["typed_config"]["config"];
            assert_eq!("/module.wasm", plugin["vm_config"]["code"]["local"]["filename"]);
            assert_eq!(kind, plugin["configuration"]["@type"]);
        }
    }

    #[tokio::test]
    async fn a_bootstrap_binds_loopback_and_free_ports_only() {
        let upstreams = Upstreams::start(&["a", "b", "c"]).await.unwrap();
        let places = Places { watched: Path::new("/w"), resource: Path::new("/w/r"), access_log: Path::new("/l") };
        let root = bootstrap(&places, &upstreams, Routes::HeaderMatch, false).unwrap();
        let resources = &root["static_resources"];
        for bound in [&root["admin"]["address"], &resources["listeners"][0]["address"]] {
            assert_eq!(&json!({"address": "127.0.0.1", "port_value": 0}), &bound["socket_address"]);
        }
        let names: Vec<_> = resources["clusters"].as_array().unwrap().iter().map(|cluster| &cluster["name"]).collect();
        assert_eq!(["a", "b", "c"], *names);
    }
}
