//! The listener of a Gateway, with every filter in it.

use anyhow::Result;
use serde_json::{Value, json};

use super::resources::{ClientTrafficPolicy, EnvoyProxy};
use crate::draft::{Draft, chain, free_port, router, set};
use crate::gateway_api::Gateway;
use crate::resources::{Resource, Resources};

pub(super) fn listener(
    resources: &Resources,
    gateway: &Resource<Gateway>,
    proxy: Option<&EnvoyProxy>,
    table: Value,
    mut filters: Vec<Value>,
    draft: &mut Draft,
) -> Result<Value> {
    let name = table["name"].clone();
    let mut last = router();
    last["typed_config"]["suppress_envoy_headers"] = json!(true);
    filters.push(last);
    let mut manager = json!({
        "stat_prefix": STAT_PREFIX,
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "server_header_transformation": "PASS_THROUGH",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http_filters": filters,
        "rds": draft.routes(STAT_PREFIX, table),
        "access_log": access_log(proxy),
    });
    set(&mut manager, &early_headers(resources, gateway)?);
    let mut chain = chain(&manager);
    chain["name"] = name.clone();
    Ok(json!({"name": name, "address": free_port(), "default_filter_chain": chain}))
}

/// Headers that are gone before routing.
fn early_headers(resources: &Resources, gateway: &Resource<Gateway>) -> Result<Value> {
    let policies = resources.all::<ClientTrafficPolicy>("gateway.envoyproxy.io/v1alpha1/ClientTrafficPolicy")?;
    let meant = policies.into_iter().filter(|policy| policy.spec.target_refs.iter().any(|to| to.name == gateway.name));
    let names = meant.flat_map(|policy| policy.spec.headers.early_request_headers.remove);
    let mutations: Vec<Value> = names.map(|name| json!({ "remove": name })).collect();
    if mutations.is_empty() {
        return Ok(json!({}));
    }
    let kind = "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";
    let name = "envoy.http.early_header_mutation.header_mutation";
    let extension = json!({"name": name, "typed_config": {"@type": kind, "mutations": mutations}});
    Ok(json!({"early_header_mutation_extensions": [extension]}))
}

/// The access log, which here goes to a file of its own.
fn access_log(proxy: Option<&EnvoyProxy>) -> Vec<Value> {
    let settings = proxy.and_then(|proxy| proxy.telemetry.as_ref()).map(|telemetry| &telemetry.access_log.settings);
    let log = |setting: &super::resources::Setting| {
        let kind = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
        let format = json!({"json_format": setting.format.json});
        let typed = json!({"@type": kind, "path": ACCESS_LOG, "log_format": format});
        json!({"name": "envoy.access_loggers.file", "typed_config": typed})
    };
    settings.into_iter().flatten().map(log).collect()
}

/// By the port in the container.
const STAT_PREFIX: &str = "http-10080";
const ACCESS_LOG: &str = "access-log";
