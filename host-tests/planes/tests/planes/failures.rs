//! What visitors get when something is not there: a module, sound rules at the start, a version's cluster.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_planes::istio::{Module, Place, Proxy};

use crate::people::{People, assert_share, count};
use crate::site::{CALLERS, Control, Entry, Site, VISITORS, WEIGHT, resources, set, until_true};

const PEOPLE: usize = 60;
const ISTIO: [&str; 2] = ["istio/gateway/wasm-plugin.yaml", "istio/gateway/http-route.yaml"];
const ENVOY_GATEWAY: [&str; 3] =
    ["envoy-gateway/gateway.yaml", "envoy-gateway/http-route.yaml", "envoy-gateway/policy-on-gateway.yaml"];

/// A header that a client writes itself.
const FORGED: [(&str, &str); 1] = [("x-canary-version", "v2")];

#[tokio::test]
async fn a_module_that_istios_agent_cannot_fetch_means_stable() -> Result<()> {
    let mut site = Site::start(Control::Istio(Proxy::gateway(), Module::Missing), &ISTIO).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "v2")]).await?.text());
    // Nobody takes the header away then.
    assert_eq!("v2", site.ask(VISITORS, &FORGED).await?.text());

    // But for an EnvoyFilter that does, before anything else.
    site.resources.add(&["istio/gateway/strip-header.yaml"])?;
    site.send().await?;
    assert_eq!("v1", site.ask(VISITORS, &FORGED).await?.text());

    site.control = Control::istio(Proxy::gateway())?;
    site.rules(WEIGHT, json!(100)).await?;
    assert_eq!("v2", site.ask(VISITORS, &[]).await?.text(), "the next change brings the module");
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "never"), FORGED[0]]).await?.text());
    Ok(())
}

#[tokio::test]
async fn without_fail_open_a_module_that_cannot_be_fetched_closes_the_gateway() -> Result<()> {
    let mut closed = resources(&ISTIO)?;
    closed.edit("WasmPlugin", "serin", |plugin| set(plugin, "/spec/failStrategy", json!(null)))?;
    let site = Site::with(Control::Istio(Proxy::gateway(), Module::Missing), closed).await?;
    assert_eq!(403, site.ask(VISITORS, &[]).await?.status);

    let mut closed = resources(&ENVOY_GATEWAY)?;
    closed.edit("EnvoyExtensionPolicy", "serin", |policy| set(policy, "/spec/wasm/0/failOpen", json!(false)))?;
    let site = Site::with(Control::EnvoyGatewayWithoutModule, closed).await?;
    assert_eq!(500, site.ask(VISITORS, &[]).await?.status);
    Ok(())
}

#[tokio::test]
async fn a_module_that_envoy_gateway_cannot_fetch_means_stable() -> Result<()> {
    let site = Site::start(Control::EnvoyGatewayWithoutModule, &ENVOY_GATEWAY).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    assert_eq!("v1", site.ask(VISITORS, &FORGED).await?.text(), "the Gateway takes the header away");

    let site = Site::start(Control::EnvoyGatewayWithoutModule, &ENVOY_GATEWAY[1..]).await;
    assert!(site.is_err(), "there is no Gateway");
    Ok(())
}

/// Envoy Gateway has the module, and its proxy does not get it.
#[tokio::test]
async fn a_module_that_the_proxy_cannot_fetch_means_stable() -> Result<()> {
    let control = Control::envoy_gateway().await?;
    let Control::EnvoyGateway(store, _) = control else { anyhow::bail!("there is a store") };
    store.set_down(true);
    // Not ten retries with their pauses.
    let mut site = Site::start(Control::EnvoyGateway(store, 0), &ENVOY_GATEWAY).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    assert_eq!("v1", site.ask(VISITORS, &FORGED).await?.text());
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "v2")]).await?.text());
    Ok(())
}

/// A proxy that starts with rules that are no good has none: stable, until good ones come.
async fn check_cold(control: impl AsyncFn() -> Result<Control>, files: &[&str], entry: Entry) -> Result<()> {
    let kinds: [(&str, Value); 2] = [(WEIGHT, json!("many")), ("/rollout", json!({}))];
    for (pointer, mistake) in kinds {
        let mut bad = Resources::new(control().await?, resources(files)?);
        bad.set(pointer, mistake)?;
        let mut site = bad.start().await?;
        assert_eq!(PEOPLE, count(&site.draw(PEOPLE, entry).await?, "v1"), "{pointer}");
        assert_eq!("v1", site.ask(entry, &[("x-canary", "v2")]).await?.text(), "{pointer}");
        assert_eq!("v1", site.ask(entry, &FORGED).await?.text(), "{pointer}");
        assert!(!site.mistakes()?.is_empty(), "{pointer}");

        if pointer == "/rollout" {
            site.set_rules(pointer, json!(null))?;
        }
        site.rules(WEIGHT, json!(50)).await?;
        assert_share(&site.draw(200, entry).await?, 0.5);
    }
    Ok(())
}

/// A site that is not started yet.
struct Resources {
    control: Control,
    resources: serin_planes::Resources,
}

impl Resources {
    fn new(control: Control, resources: serin_planes::Resources) -> Self {
        Self { control, resources }
    }

    fn set(&mut self, pointer: &str, value: Value) -> Result<()> {
        crate::site::set_rules(&mut self.resources, pointer, &value)
    }

    async fn start(self) -> Result<Site> {
        Site::with(self.control, self.resources).await
    }
}

#[tokio::test]
async fn a_gateway_that_starts_with_bad_rules_serves_stable() -> Result<()> {
    check_cold(async || Control::istio(Proxy::gateway()), &ISTIO, VISITORS).await
}

#[tokio::test]
async fn a_sidecar_that_starts_with_bad_rules_serves_stable() -> Result<()> {
    let files = ["istio/sidecar/traffic-extension.yaml", "istio/sidecar/virtual-service.yaml"];
    let control = async || Control::istio(Proxy::sidecar(Place::Outbound, "productpage"));
    check_cold(control, &files, CALLERS).await
}

#[tokio::test]
async fn a_gateway_of_envoy_gateway_that_starts_with_bad_rules_serves_stable() -> Result<()> {
    check_cold(async || Control::envoy_gateway().await, &ENVOY_GATEWAY, VISITORS).await
}

/// A mistake outside of the rollouts keeps everything as it was, in each plane.
#[tokio::test]
async fn a_mistake_outside_of_the_rollouts_changes_nothing() -> Result<()> {
    for (control, files) in
        [(Control::istio(Proxy::gateway())?, &ISTIO[..]), (Control::envoy_gateway().await?, &ENVOY_GATEWAY[..])]
    {
        let mut site = Site::start(control, files).await?;
        site.rules(WEIGHT, json!(50)).await?;
        let mut people = People::new(100, VISITORS)?;
        let before = people.visit(site.address()).await?;
        site.set_rules(WEIGHT, json!(100))?;
        site.rules("/rolouts", json!({})).await?;
        assert_eq!(before, people.visit(site.address()).await?);
        assert_eq!(before, people.visit(site.address()).await?);
    }
    Ok(())
}

/// A subset that is gone: Envoy answers 503 to the first visitors, and then stable serves in its place.
#[tokio::test]
async fn a_subset_that_is_gone_is_replaced_by_stable() -> Result<()> {
    let files = ["istio/gateway/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"];
    let mut site = Site::start(Control::istio(Proxy::gateway())?, &files).await?;
    site.rules(WEIGHT, json!(50)).await?;
    site.resources.edit("DestinationRule", "reviews", |rule| {
        let subsets = rule.pointer_mut("/spec/subsets").and_then(Value::as_array_mut);
        subsets.context("there are subsets")?.truncate(1);
        Ok(())
    })?;
    site.send().await?;
    let mut people = People::new(100, VISITORS)?;
    let first = people.visit(site.address()).await?;
    let failed = first.iter().filter(|answer| answer.starts_with("503")).count();
    assert_eq!(first.len(), failed + count(&first, "v1"), "{first:?}");
    assert!(failed > 0, "{first:?}");
    until_true(async || Ok(count(&people.visit(site.address()).await?, "v1") == 100)).await
}
