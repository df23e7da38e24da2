//! Listeners: the one by which the requests come that the filter is there for.

use anyhow::Result;
use serde_json::{Value, json};

use super::envoy_filter::Patches;
use super::routes::Hosts;
use super::{PORT, Place, Proxy};
use crate::draft::{Draft, chain, free_port, router, set};

/// The listener with these filters before Istio's own, and these routes.
pub(super) fn listener(
    proxy: &Proxy,
    mut hosts: Hosts,
    filters: Vec<Value>,
    patches: &Patches,
    draft: &mut Draft,
) -> Result<Value> {
    let (name, direction, stat_prefix) = names(proxy.place);
    patches.patch_hosts(&mut hosts.all)?;
    let mut manager = json!({
        "stat_prefix": stat_prefix,
        "use_remote_address": proxy.place == Place::Gateway,
        "normalize_path": true,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": in_order(proxy.place, filters),
    });
    if proxy.place == Place::Gateway {
        manager["server_name"] = json!("istio-envoy");
    }
    let mut table = json!({"name": hosts.table, "virtual_hosts": hosts.all, "validate_clusters": false});
    let routes = match proxy.place {
        Place::Inbound | Place::Waypoint => json!({"route_config": table}),
        Place::Gateway | Place::Outbound => {
            table["ignore_port_in_host_matching"] = json!(true);
            json!({"rds": draft.routes(&stat_prefix, table)})
        }
    };
    set(&mut manager, &routes);
    patches.patch_manager(&mut manager)?;
    Ok(json!({
        "name": name,
        "address": free_port(),
        "traffic_direction": direction,
        "filter_chains": [chain(&manager)],
    }))
}

/// The name, the direction, and what statistics begin with.
fn names(place: Place) -> (String, &'static str, String) {
    let inbound = format!("inbound_0.0.0.0_{PORT};");
    match place {
        Place::Gateway => ("0.0.0.0_80".to_owned(), "OUTBOUND", "outbound_0.0.0.0_80;".to_owned()),
        Place::Outbound => (format!("0.0.0.0_{PORT}"), "OUTBOUND", format!("outbound_0.0.0.0_{PORT};")),
        Place::Inbound => ("virtualInbound".to_owned(), "INBOUND", inbound),
        Place::Waypoint => ("main_internal".to_owned(), "INBOUND", inbound),
    }
}

/// Plugins come before Istio's own filters, but in a waypoint behind them.
fn in_order(place: Place, plugins: Vec<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = of_istio().into();
    let at = if place == Place::Waypoint { all.len() } else { 0 };
    all.splice(at..at, plugins);
    all.push(router());
    all
}

/// The filters of Istio that are in every Envoy, in their order.
fn of_istio() -> [Value; 3] {
    [("grpc_stats.v3.FilterConfig", "grpc_stats"), ("fault.v3.HTTPFault", "fault"), ("cors.v3.Cors", "cors")].map(
        |(kind, name)| {
            let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
            json!({"name": format!("envoy.filters.http.{name}"), "typed_config": {"@type": kind}})
        },
    )
}
