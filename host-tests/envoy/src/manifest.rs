//! The shipped Envoy configuration, and the few replacements that let it run on free ports in a folder of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};

/// The route table that carries a decision out.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Routes {
    /// The table of `manifests/envoy`: a present `x-canary-cluster` names the cluster, all else is stable.
    #[default]
    FailSafe,
    /// One route per version that matches `x-canary-version`, all else is stable: the portable table.
    HeaderMatch,
    /// The table of `manifests/envoy` with these fields of its virtual host replaced, such as `{"routes": […]}`. Envoy
    /// reads it from a file, so that it can be replaced while Envoy runs.
    Table(Value),
}

/// What is handed to the filter, in the form that it travels in.
#[derive(Clone, Debug, PartialEq)]
pub enum Configuration {
    /// A `google.protobuf.Struct`, as in `manifests/envoy`.
    Struct(Value),
    /// A `google.protobuf.StringValue`, as Istio and Envoy Gateway send it; any text, JSON or not.
    Text(String),
    /// A `google.protobuf.BytesValue`: what no text can hold.
    Bytes(Vec<u8>),
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
            Self::Bytes(bytes) => {
                let value = Base64::encode_string(bytes);
                json!({"@type": "type.googleapis.com/google.protobuf.BytesValue", "value": value})
            }
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

/// Where the files of one running Envoy are. It watches the folders of the first two.
pub(crate) struct Places<'a> {
    pub(crate) resource: &'a Path,
    pub(crate) routes: &'a Path,
    pub(crate) access_log: &'a Path,
}

/// What is to be different from the manifest.
pub(crate) struct Shape<'a> {
    pub(crate) clusters: &'a [(&'a str, SocketAddr)],
    pub(crate) routes: &'a Routes,
    /// Fields of the listener.
    pub(crate) listener: &'a Value,
    /// Fields of the connection manager.
    pub(crate) manager: &'a Value,
    /// If false, nothing but the filter removes a client's copy of our headers.
    pub(crate) strip_early: bool,
}

/// What the filter is made of, but its rules.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    pub(crate) module: PathBuf,
    /// The environment of its VM.
    pub(crate) variables: BTreeMap<String, String>,
    /// What its VM may call and be called for; everything if there is none.
    pub(crate) capabilities: Vec<String>,
}

/// The bootstrap with free ports and of this shape.
pub(crate) fn bootstrap(places: &Places, shape: &Shape) -> Result<Value> {
    let mut root = parse("envoy.yaml", BOOTSTRAP)?;
    *at(&mut root, "/admin/address/socket_address/port_value")? = json!(0);
    *at(&mut root, "/static_resources/listeners/0/address/socket_address/port_value")? = json!(0);
    let template = at(&mut root, "/static_resources/clusters/0")?.take();
    let clusters = shape.clusters.iter().map(|(name, address)| cluster(&template, name, *address));
    *at(&mut root, "/static_resources/clusters")? = Value::Array(clusters.collect::<Result<_>>()?);

    replace(at(&mut root, "/static_resources/listeners/0")?, shape.listener);
    let manager = at(&mut root, MANAGER)?;
    replace(manager, shape.manager);
    let log = at(manager, "/access_log/0/typed_config")?;
    log["@type"] = json!("type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog");
    log["path"] = json!(places.access_log);
    *at(manager, "/http_filters/0/config_discovery/config_source/path_config_source")? = watched(places.resource);
    if !shape.strip_early {
        *at(manager, "/early_header_mutation_extensions")? = json!([]);
    }
    match shape.routes {
        Routes::FailSafe => {}
        Routes::HeaderMatch => *at(manager, ROUTE_LIST)? = header_match(shape.clusters)?,
        Routes::Table(_) => {
            at(manager, "/route_config")?.take();
            let source = json!({"path_config_source": watched(places.routes), "resource_api_version": "V3"});
            manager["rds"] = json!({"route_config_name": "main", "config_source": source});
        }
    }
    Ok(root)
}

/// The file that holds the route table with these fields of the virtual host.
pub(crate) fn routes(fields: &Value) -> Result<Value> {
    let mut root = parse("envoy.yaml", BOOTSTRAP)?;
    let mut table = at(at(&mut root, MANAGER)?, "/route_config")?.take();
    replace(at(&mut table, "/virtual_hosts/0")?, fields);
    table["@type"] = json!("type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
    Ok(json!({"resources": [table]}))
}

/// Takes a cluster out of a bootstrap, which discovers clusters from this file from then on.
pub(crate) fn discover(bootstrap: &mut Value, name: &str, file: &Path) -> Result<Value> {
    let clusters = at(bootstrap, "/static_resources/clusters")?.as_array_mut().context("clusters are a list")?;
    let found = clusters.iter().position(|cluster| cluster["name"] == name);
    let mut cluster = clusters.remove(found.with_context(|| format!("there is no cluster {name}"))?);
    cluster["@type"] = json!("type.googleapis.com/envoy.config.cluster.v3.Cluster");
    let source = json!({"path_config_source": watched(file), "resource_api_version": "V3"});
    bootstrap["dynamic_resources"] = json!({"cds_config": source});
    Ok(cluster)
}

/// The file of the clusters that Envoy discovers.
pub(crate) fn clusters(clusters: &[Value]) -> Value {
    json!({"resources": clusters})
}

/// The discovery resource with this plugin and configuration.
pub(crate) fn resource(parts: &Plugin, configuration: &Configuration) -> Result<Value> {
    let mut resource = parse("serin.yaml", RESOURCE)?;
    let plugin = at(&mut resource, "/resources/0/typed_config/config")?;
    *at(plugin, "/vm_config/code/local/filename")? = json!(parts.module);
    if !parts.variables.is_empty() {
        at(plugin, "/vm_config")?["environment_variables"] = json!({"key_values": parts.variables});
    }
    if !parts.capabilities.is_empty() {
        let allowed: Map<_, _> = parts.capabilities.iter().map(|name| (name.clone(), json!({}))).collect();
        plugin["capability_restriction_config"] = json!({"allowed_capabilities": allowed});
    }
    *at(plugin, "/configuration")? = configuration.to_any();
    Ok(resource)
}

/// The name of the listener in the bootstrap.
pub(crate) const LISTENER: &str = "main";

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const ROUTE_LIST: &str = "/route_config/virtual_hosts/0/routes";

const BOOTSTRAP: &str = include_str!("../../../manifests/envoy/envoy.yaml");
const RESOURCE: &str = include_str!("../../../manifests/envoy/serin.yaml");

fn parse(name: &str, text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).with_context(|| format!("manifests/envoy/{name} is not valid YAML"))
}

fn at<'a>(root: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    root.pointer_mut(pointer).with_context(|| format!("the manifest in manifests/envoy has no {pointer}"))
}

fn replace(target: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
}

fn watched(file: &Path) -> Value {
    json!({"path": file, "watched_directory": {"path": file.parent()}})
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
fn header_match(clusters: &[(&str, SocketAddr)]) -> Result<Value> {
    let Some(((stable, _), canaries)) = clusters.split_first() else {
        bail!("a route table needs at least one upstream")
    };
    let canary = |(name, _): &(&str, SocketAddr)| {
        let header = json!({"name": "x-canary-version", "string_match": {"exact": name}});
        json!({"match": {"prefix": "/", "headers": [header]}, "route": {"cluster": name}})
    };
    let fallback = json!({"match": {"prefix": "/"}, "route": {"cluster": stable}});
    Ok(canaries.iter().map(canary).chain([fallback]).collect())
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
            (Configuration::Bytes(vec![0xff]), "type.googleapis.com/google.protobuf.BytesValue"),
        ] {
            let parts = Plugin {
                module: "/module.wasm".into(),
                variables: BTreeMap::new(),
                capabilities: vec!["proxy_log".into()],
            };
            let resource = resource(&parts, &rules).unwrap();
            let plugin = &resource["resources"][0]["typed_config"]["config"];
            assert_eq!("/module.wasm", plugin["vm_config"]["code"]["local"]["filename"]);
            assert_eq!(kind, plugin["configuration"]["@type"]);
            assert_eq!(json!({"proxy_log": {}}), plugin["capability_restriction_config"]["allowed_capabilities"]);
        }
    }

    #[test]
    fn a_bootstrap_binds_loopback_and_free_ports_only() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let places = Places { resource: Path::new("/w/r"), routes: Path::new("/x/r"), access_log: Path::new("/l") };
        let clusters = [("a", address), ("b", address), ("c", address)];
        for routes in [Routes::FailSafe, Routes::HeaderMatch, Routes::Table(json!({"routes": []}))] {
            let none = json!({});
            let shape =
                Shape { clusters: &clusters, routes: &routes, listener: &none, manager: &none, strip_early: false };
            let root = bootstrap(&places, &shape).unwrap();
            let resources = &root["static_resources"];
            for bound in [&root["admin"]["address"], &resources["listeners"][0]["address"]] {
                assert_eq!(&json!({"address": "127.0.0.1", "port_value": 0}), &bound["socket_address"]);
            }
            let names: Vec<_> =
                resources["clusters"].as_array().unwrap().iter().map(|cluster| &cluster["name"]).collect();
            assert_eq!(["a", "b", "c"], *names);
        }
    }

    #[test]
    fn fields_of_listener_manager_and_virtual_host_replace_the_manifests() {
        let places = Places { resource: Path::new("/w/r"), routes: Path::new("/x/r"), access_log: Path::new("/l") };
        let manager = json!({"merge_slashes": true, "stat_prefix": "other"});
        let listener = json!({"traffic_direction": "INBOUND"});
        let shape = Shape {
            clusters: &[],
            routes: &Routes::FailSafe,
            listener: &listener,
            manager: &manager,
            strip_early: true,
        };
        let root = bootstrap(&places, &shape).unwrap();
        let found = &root["static_resources"]["listeners"][0];
        assert_eq!((&json!("INBOUND"), &json!("main")), (&found["traffic_direction"], &found["name"]));
        let manager = root.pointer(MANAGER).unwrap();
        assert_eq!((&json!(true), &json!("other")), (&manager["merge_slashes"], &manager["stat_prefix"]));

        let table = routes(&json!({"routes": [1], "include_request_attempt_count": true})).unwrap();
        let host = &table["resources"][0]["virtual_hosts"][0];
        assert_eq!((&json!([1]), &json!(["*"])), (&host["routes"], &host["domains"]));
    }
}
