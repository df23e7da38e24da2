//! A site behind one of the control planes: its resources, its pods, its Envoy.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_envoy::{Connection, Reply, Upstreams, Visitor};
use serin_planes::istio::{self, Proxy};
use serin_planes::{Configuration, Plane, Resources, Secret, Store, envoy_gateway, pods};

use tokio::time::{Instant, sleep};

use crate::people::People;
use crate::readme;

/// Where people come in.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    /// Whether each sends an id, in the place of the cookies that services do not keep.
    pub(crate) by_id: bool,
}

/// From outside.
pub(crate) const VISITORS: Entry = Entry { host: "shop.example.com", path: "/reviews", by_id: false };
/// From another service.
pub(crate) const CALLERS: Entry = Entry { host: "reviews", path: "/", by_id: true };

/// Who makes Envoy's configuration.
pub(crate) enum Control {
    Istio(Proxy, istio::Module),
    /// With the module in this store, and so many retries, where it says how many.
    EnvoyGateway(Store, Option<u32>),
    /// Envoy Gateway has no module.
    EnvoyGatewayWithoutModule,
}

impl Control {
    /// Istio, with the module fetched.
    pub(crate) fn istio(proxy: Proxy) -> Result<Self> {
        Ok(Self::Istio(proxy, istio::Module::Fetched(module()?)))
    }

    /// Envoy Gateway, with the module in its store.
    pub(crate) async fn envoy_gateway() -> Result<Self> {
        Ok(Self::EnvoyGateway(Store::start(&module()?).await?, Some(10)))
    }

    fn render(&self, resources: &Resources, upstreams: &Upstreams, gone: &[&str]) -> Result<Configuration> {
        let pods = pods(upstreams, gone);
        match self {
            Self::Istio(proxy, module) => istio::render(resources, proxy, &pods, module),
            Self::EnvoyGateway(store, retries) => {
                envoy_gateway::render(resources, &pods, &envoy_gateway::Module::from_store(store, *retries))
            }
            Self::EnvoyGatewayWithoutModule => envoy_gateway::render(resources, &pods, &envoy_gateway::Module::Missing),
        }
    }
}

/// A running site.
pub(crate) struct Site {
    pub(crate) plane: Plane,
    pub(crate) resources: Resources,
    pub(crate) control: Control,
    pub(crate) upstreams: Upstreams,
    /// Versions without a pod.
    pub(crate) gone: Vec<&'static str>,
}

impl Site {
    /// With the small application, and these files of the manifests.
    pub(crate) async fn start(control: Control, files: &[&str]) -> Result<Self> {
        Self::with(control, resources(files)?).await
    }

    pub(crate) async fn with(control: Control, resources: Resources) -> Result<Self> {
        let upstreams = Upstreams::start(&["v1", "v2"]).await?;
        let configuration = control.render(&resources, &upstreams, &[])?;
        let plane = Plane::start(&envoy()?, &[SECRET], configuration).await?;
        Ok(Self { plane, resources, control, upstreams, gone: Vec::new() })
    }

    /// A new Envoy with all that there is now, in the place of the one that runs.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        let configuration = self.control.render(&self.resources, &self.upstreams, &self.gone)?;
        self.plane = Plane::start(&envoy()?, &[SECRET], configuration).await?;
        Ok(())
    }

    /// Sends what the control plane makes of the resources now.
    pub(crate) async fn send(&mut self) -> Result<()> {
        let configuration = self.control.render(&self.resources, &self.upstreams, &self.gone)?;
        self.plane.send(configuration).await
    }

    /// As [`Site::send`]; the part that Envoy refuses, if it does.
    pub(crate) async fn offer(&mut self) -> Result<Option<String>> {
        let configuration = self.control.render(&self.resources, &self.upstreams, &self.gone)?;
        self.plane.offer(configuration).await
    }

    /// Changes the rules document, and sends it.
    pub(crate) async fn rules(&mut self, pointer: &str, value: Value) -> Result<()> {
        self.set_rules(pointer, value)?;
        self.send().await
    }

    pub(crate) fn set_rules(&mut self, pointer: &str, value: Value) -> Result<()> {
        set_rules(&mut self.resources, pointer, &value)
    }

    /// Does what a README says on a line that is alike, and sends it.
    pub(crate) async fn follow(&mut self, readme: &str, kind: &str, has: &str) -> Result<()> {
        self.patch(readme, kind, has)?;
        self.send().await
    }

    /// As [`Site::follow`], with nothing sent.
    pub(crate) fn patch(&mut self, readme: &str, kind: &str, has: &str) -> Result<()> {
        let line = readme::patch(readme, kind, has)?;
        self.resources.edit(&line.kind, &line.name, |resource| line.change(resource)).with_context(|| line.to_string())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.plane.address()
    }

    /// A request of somebody who was never here before.
    pub(crate) async fn ask(&self, entry: Entry, headers: &[(&str, &str)]) -> Result<Reply> {
        self.ask_for(entry.host, entry.path, headers).await
    }

    pub(crate) async fn ask_for(&self, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        Visitor::of(host)?.get(&mut Connection::to(self.address()), path, headers).await
    }

    /// What so many new people get.
    pub(crate) async fn draw(&self, count: usize, entry: Entry) -> Result<Vec<String>> {
        People::new(count, entry)?.visit(self.address()).await
    }

    /// Waits until counters and gauges add up to this.
    pub(crate) async fn until(&self, pattern: &str, wanted: u64) -> Result<()> {
        let mut found = None;
        let is_so = until_true(async || {
            found = Some(self.plane.running().sum(pattern).await?);
            Ok(found == Some(wanted))
        });
        is_so.await.with_context(|| format!("{pattern} is {found:?}, not {wanted}"))
    }

    /// The mistakes that the filter has found.
    pub(crate) fn mistakes(&self) -> Result<Vec<String>> {
        let log = self.plane.running().log()?;
        Ok(log.lines().filter(|line| line.contains("serin: ") && line.contains("[error]")).map(str::to_owned).collect())
    }
}

/// The small application, and these files of the manifests.
pub(crate) fn resources(files: &[&str]) -> Result<Resources> {
    let mut resources = Resources::read(&["app.yaml"])?;
    resources.add(files)?;
    Ok(resources)
}

/// Changes the rules document of the plugin `serin`, whatever its kind.
pub(crate) fn set_rules(resources: &mut Resources, pointer: &str, value: &Value) -> Result<()> {
    let change = |(kind, place): (&str, &str)| {
        resources.edit(kind, "serin", |resource| {
            let rules = resource.pointer_mut(place).context("there are no rules")?;
            set(rules, pointer, value.clone())
        })
    };
    let outcomes = PLUGINS.map(change);
    ensure!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
    Ok(())
}

/// Waits until something is there.
pub(crate) async fn wait_for<T>(mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "not within {LIMIT:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until something is so.
pub(crate) async fn until_true(mut ask: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    wait_for(async || Ok(ask().await?.then_some(()))).await
}

/// Sets a field, which may be new in its object; `null` takes it away.
pub(crate) fn set(root: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let (parent, field) = pointer.rsplit_once('/').context("a pointer has a slash")?;
    let parent = root.pointer_mut(parent).with_context(|| format!("there is no {parent}"))?;
    if let Value::Array(items) = parent {
        *items.get_mut(field.parse::<usize>()?).context("the list is shorter")? = value;
    } else if value == json!(null) {
        parent.as_object_mut().context("a field is one of an object")?.remove(field);
    } else {
        parent[field] = value;
    }
    Ok(())
}

/// Where each kind of plugin has its rules.
const PLUGINS: [(&str, &str); 3] = [
    ("WasmPlugin", "/spec/pluginConfig"),
    ("TrafficExtension", "/spec/wasm/pluginConfig"),
    ("EnvoyExtensionPolicy", "/spec/wasm/0/config"),
];

/// The weight of v2 in every rules document here.
pub(crate) const WEIGHT: &str = "/rollouts/reviews/versions/v2/weight";

/// The key, and the variable that holds it.
pub(crate) const KEY: (&str, &str) = ("SERIN_KEY_1", "a key of the tests, which everybody knows");

/// Where the manifests have it from.
const SECRET: Secret = Secret { name: "serin-keys", key: "k1", value: KEY.1 };

pub(crate) fn envoy() -> Result<PathBuf> {
    variable("ENVOY")
}

pub(crate) fn module() -> Result<PathBuf> {
    let path = variable("SERIN_WASM")?;
    path.canonicalize().with_context(|| format!("there is no module at {}", path.display()))
}

const LIMIT: Duration = Duration::from_secs(15);

fn variable(name: &str) -> Result<PathBuf> {
    let found = std::env::var_os(name).filter(|path| !path.is_empty());
    found.map(PathBuf::from).with_context(|| format!("{name} is not set: run `cargo xtask test`"))
}

/// The `VirtualService` of the gateway with these routes.
pub(crate) fn virtual_service(routes: &str) -> String {
    let head = r"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: [istio-ingress/shop]
  http:
";
    format!("{}{}", head.trim_start(), routes.trim_start_matches('\n'))
}
