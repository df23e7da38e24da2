//! Listeners: the one by which the requests come that the filter is there for.

use serde_json::{Value, json};

use super::routes::Hosts;
use super::{PORT, Place, Proxy};
use crate::draft::{Draft, chain, free_port, router, set};

/// The listener with these filters before Istio's own, and these routes.
pub(super) fn listener(proxy: &Proxy, hosts: Hosts, filters: Vec<Value>, draft: &mut Draft) -> Value {
    let (name, direction) = match proxy.place {
        Place::Gateway => ("0.0.0.0_80".to_owned(), "OUTBOUND"),
        Place::Outbound => (format!("0.0.0.0_{PORT}"), "OUTBOUND"),
        Place::Inbound => ("virtualInbound".to_owned(), "INBOUND"),
        Place::Waypoint => ("main_internal".to_owned(), "INBOUND"),
    };
    let stat_prefix = match proxy.place {
        Place::Gateway | Place::Outbound => format!("outbound_{name}"),
        Place::Inbound | Place::Waypoint => format!("inbound_0.0.0.0_{PORT}"),
    };
    let mut manager = json!({
        "stat_prefix": stat_prefix,
        "server_name": "istio-envoy",
        "use_remote_address": proxy.place == Place::Gateway,
        "normalize_path": true,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": filters.into_iter().chain(of_istio()).chain([router()]).collect::<Vec<_>>(),
    });
    let table = json!({
        "name": hosts.table,
        "virtual_hosts": hosts.all,
        "validate_clusters": false,
        "ignore_port_in_host_matching": true,
    });
    let routes = match proxy.place {
        Place::Gateway | Place::Outbound => json!({"rds": draft.routes(&stat_prefix, table)}),
        Place::Inbound | Place::Waypoint => json!({"route_config": table}),
    };
    set(&mut manager, &routes);
    json!({
        "name": name,
        "address": free_port(),
        "traffic_direction": direction,
        "filter_chains": [chain(manager)],
    })
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
