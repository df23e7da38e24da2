//! What Envoy Gateway makes of resources, for the proxies of one Gateway.

mod backends;
mod listener;
mod policy;
mod resources;
mod routes;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::resources::{Bootstrap, EnvoyProxy, Only};
use crate::Store;
use crate::draft::{Configuration, Draft};
use crate::gateway_api::{Gateway, Listener};
use crate::merge::merge;
use crate::resources::{Resource, Resources};
use crate::services::{Pod, Service};

/// How the proxies get the module.
#[derive(Clone, Debug)]
pub enum Module {
    /// Envoy Gateway could not fetch it.
    Missing,
    /// Envoy Gateway has it, and proxies fetch it from there.
    Held {
        /// Where from.
        address: std::net::SocketAddr,
        /// Its digest.
        sha256: String,
        /// How often they try again: ten times from 1.8.3 on. Before, nothing is said.
        retries: Option<u32>,
    },
}

impl Module {
    /// As this store has it, with so many retries.
    pub fn from_store(store: &Store, retries: Option<u32>) -> Self {
        Self::Held { address: store.address, sha256: store.sha256.clone(), retries }
    }
}

/// The configuration of the Gateway's proxies, with these pods behind the Services.
///
/// # Errors
/// If a resource has something that is not rendered here.
pub fn render(resources: &Resources, pods: &[Pod], module: &Module) -> Result<Configuration> {
    let mut gateways = resources.all::<Gateway>("gateway.networking.k8s.io/v1/Gateway")?;
    let gateway = gateways.pop().context("there is no Gateway")?;
    ensure!(gateways.is_empty() && gateway.spec.gateway_class_name == "envoy-gateway", "there is another Gateway");
    let [Listener { name, port: 80, protocol, .. }] = &gateway.spec.listeners[..] else {
        anyhow::bail!("one listener on port 80 is rendered")
    };
    ensure!(protocol == "HTTP", "only HTTP is rendered");
    let proxy = proxy(resources, &gateway)?;
    let mut draft = Draft::default();
    let plan = policy::Plan::of(resources, &gateway, module)?;
    let backends = backends::Backends { services: Service::all(resources)?, pods };
    let table = routes::table(
        resources,
        &gateway,
        &format!("{}/{}/{name}", gateway.namespace, gateway.name),
        &plan,
        &backends,
        &mut draft,
    )?;
    let filters = plan.filters(&table, &mut draft);
    let listener = listener::listener(resources, &gateway, proxy.as_ref(), table, filters, &mut draft)?;
    draft.listener(listener);
    let provider = proxy.as_ref().and_then(|proxy| proxy.provider.as_ref());
    let variables = provider.map(|provider| provider.kubernetes.envoy_deployment.container.env.clone());
    Ok(draft.finish(&OPTIONS, variables.unwrap_or_default(), &bootstrap(proxy.as_ref())?))
}

/// The `EnvoyProxy` of the Gateway.
fn proxy(resources: &Resources, gateway: &Resource<Gateway>) -> Result<Option<EnvoyProxy>> {
    let Some(reference) = &gateway.spec.infrastructure.parameters_ref else { return Ok(None) };
    let all = resources.all::<EnvoyProxy>("gateway.envoyproxy.io/v1alpha1/EnvoyProxy")?;
    let found = all.into_iter().find(|proxy| proxy.name == reference.name && proxy.namespace == gateway.namespace);
    Ok(Some(found.with_context(|| format!("there is no EnvoyProxy {}", reference.name))?.spec))
}

/// What the bootstrap has beside what Envoy Gateway sends later.
fn bootstrap(proxy: Option<&EnvoyProxy>) -> Result<Value> {
    let mut bootstrap = json!({"stats_config": {"use_all_default_tags": true}});
    if let Some(Bootstrap { r#type: Only::Merge, value }) = proxy.and_then(|proxy| proxy.bootstrap.as_ref()) {
        merge(&mut bootstrap, &serde_saphyr::from_str(value).context("the bootstrap is no YAML")?)?;
    }
    Ok(bootstrap)
}

/// What Envoy Gateway starts its proxies with.
const OPTIONS: [&str; 4] = ["--drain-time-s", "60", "--drain-strategy", "immediate"];
