//! Clusters: one for every Service, and one for every subset of it.

use anyhow::{Context, Result};
use serde_json::json;

use super::resources::{DestinationRule, Subset};
use super::{PORT, Place, Proxy};
use crate::draft::{Draft, Locality};
use crate::resources::Resources;
use crate::services::{Labels, Pod, Service};

/// Adds all clusters of the proxy.
pub(super) fn add(
    resources: &Resources,
    proxy: &Proxy,
    services: &[Service],
    pods: &[Pod],
    draft: &mut Draft,
) -> Result<()> {
    if proxy.place == Place::Inbound {
        let own = services.first().context("there is no Service")?;
        add_one(&format!("inbound|{PORT}||"), own, &proxy.labels, pods, draft);
        return Ok(());
    }
    let rules = resources.all::<DestinationRule>("networking.istio.io/v1/DestinationRule")?;
    for service in services {
        let host = service.host();
        add_one(&name(proxy.place, service, ""), service, &Labels::new(), pods, draft);
        let own = rules.iter().filter(|rule| rule.spec.host == host);
        for Subset { name: subset, labels } in own.flat_map(|rule| &rule.spec.subsets) {
            add_one(&name(proxy.place, service, subset), service, labels, pods, draft);
        }
    }
    Ok(())
}

/// The cluster of a Service or of its subset. A waypoint has clusters of its own for those whose waypoint it is.
pub(super) fn name(place: Place, service: &Service, subset: &str) -> String {
    let (host, port) = (service.host(), service.port);
    match (place, service.name.as_str(), subset) {
        (Place::Waypoint, OF_WAYPOINT, "") => format!("inbound-vip|{port}|http|{host}"),
        (Place::Waypoint, OF_WAYPOINT, subset) => format!("inbound-vip|{port}|http/{subset}|{host}"),
        _ => format!("outbound|{port}|{subset}|{host}"),
    }
}

fn add_one(name: &str, service: &Service, subset: &Labels, pods: &[Pod], draft: &mut Draft) {
    let locality = Locality { addresses: service.addresses(pods, subset), fields: json!({"load_balancing_weight": 1}) };
    draft.cluster(name, &[locality], &json!({"lb_policy": "LEAST_REQUEST"}));
}

const OF_WAYPOINT: &str = "reviews";
