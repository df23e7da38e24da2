//! What istiod and istio-agent make of resources, for one proxy.

mod bootstrap;
mod clusters;
mod environment;
mod envoy_filter;
mod gateway;
mod listener;
mod plugin;
mod resources;
mod routes;

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::draft::{Configuration, Draft};
use crate::environment::Variable;
use crate::resources::Resources;
use crate::services::{Labels, Pod, Service, labels};

/// A proxy of the mesh.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Which of its listeners is meant.
    pub place: Place,
    /// Its namespace.
    pub namespace: String,
    /// The labels of its pod.
    pub labels: Labels,
    /// What it has in its environment by the values of a chart.
    values: Vec<Variable>,
    has_istios_statistics: bool,
}

/// Where requests come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An ingress gateway.
    Gateway,
    /// A sidecar, for what its application sends.
    Outbound,
    /// A sidecar, for what its application gets.
    Inbound,
    /// The waypoint of the Service `reviews`.
    Waypoint,
}

impl Proxy {
    /// The ingress gateway.
    pub fn gateway() -> Self {
        let labels = labels([("istio", "ingressgateway")]);
        Self {
            place: Place::Gateway,
            namespace: "istio-ingress".to_owned(),
            labels,
            values: Vec::new(),
            has_istios_statistics: false,
        }
    }

    /// As the chart `gateway` makes it with the values in this file of `manifests`.
    ///
    /// # Errors
    /// If the file cannot be read, or has a value that is not rendered here.
    pub fn with_values(mut self, file: &str) -> Result<Self> {
        self.values = environment::of_values(file)?;
        Ok(self)
    }

    /// With the settings of Istio's bootstrap for statistics. They leave out what [`Plane`](crate::Plane) needs to send anything later.
    #[must_use]
    pub fn with_istios_statistics(mut self) -> Self {
        self.has_istios_statistics = true;
        self
    }

    /// The sidecar of an application of the namespace `shop`.
    pub fn sidecar(place: Place, app: &str) -> Self {
        Self {
            place,
            namespace: "shop".to_owned(),
            labels: labels([("app", app)]),
            values: Vec::new(),
            has_istios_statistics: false,
        }
    }

    /// The waypoint of the namespace `shop`.
    pub fn waypoint() -> Self {
        let labels = labels([(GATEWAY_NAME, "waypoint")]);
        Self {
            place: Place::Waypoint,
            namespace: "shop".to_owned(),
            labels,
            values: Vec::new(),
            has_istios_statistics: false,
        }
    }
}

/// What the module of every plugin is for this proxy's agent.
#[derive(Clone, Debug)]
pub enum Module {
    /// Here, after it has been fetched.
    Fetched(PathBuf),
    /// It could not be fetched.
    Missing,
}

/// The configuration of `proxy`, with these pods behind the Services.
///
/// # Errors
/// If a resource has something that is not rendered here.
pub fn render(resources: &Resources, proxy: &Proxy, pods: &[Pod], module: &Module) -> Result<Configuration> {
    let mut draft = Draft::default();
    let services = Service::all(resources)?;
    let filters = plugin::filters(resources, proxy, module, &mut draft)?;
    clusters::add(resources, proxy, &services, pods, &mut draft)?;
    let patches = envoy_filter::Patches::of(resources, proxy)?;
    let hosts = routes::hosts(resources, proxy, &services)?;
    let listener = listener::listener(proxy, hosts, filters, &patches, &mut draft)?;
    draft.listener(listener);
    let statistics = proxy.has_istios_statistics.then(|| json!({"stats_config": bootstrap::statistics()}));
    Ok(draft.finish(&OPTIONS, environment::of(resources, proxy)?, &statistics.unwrap_or_else(|| json!({}))))
}

/// The label of pods that are made of a Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// The port of every Service here.
const PORT: u16 = 9080;

/// What istio-agent starts Envoy with.
const OPTIONS: [&str; 4] = ["--drain-time-s", "45", "--drain-strategy", "immediate"];
