//! What visitors get when something is not there: a module, sound rules at the start, a version's cluster.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Ask, Crowd};
use serin_planes::istio::{Module, Place, Proxy};

use crate::people::{People, assert_share, count};
use crate::site::{CALLERS, Control, Entry, Site, VISITORS, WEIGHT, resources, set, set_rules, until_true};

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

    // Without the Gateway's ClientTrafficPolicy nobody does.
    let mut open = resources(&ENVOY_GATEWAY)?;
    open.delete("ClientTrafficPolicy", "shop");
    let site = Site::with(Control::EnvoyGatewayWithoutModule, open).await?;
    assert_eq!("v2", site.ask(VISITORS, &FORGED).await?.text());
    Ok(())
}

/// Envoy Gateway has the module, and its proxy does not get it.
#[tokio::test]
async fn a_module_that_the_proxy_cannot_fetch_means_stable() -> Result<()> {
    let control = Control::envoy_gateway().await?;
    let Control::EnvoyGateway(store, _) = control else { anyhow::bail!("there is a store") };
    store.set_down(true);
    // As before Envoy Gateway 1.8.3, and not ten retries with their pauses.
    let mut site = Site::start(Control::EnvoyGateway(store, None), &ENVOY_GATEWAY).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    assert_eq!("v1", site.ask(VISITORS, &FORGED).await?.text());
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "v2")]).await?.text());

    // Until the next change.
    let Control::EnvoyGateway(store, _) = &site.control else { anyhow::bail!("there is a store") };
    assert_eq!(2, store.requests(), "Envoy's own single retry");
    store.set_down(false);
    site.rules(WEIGHT, json!(50)).await?;
    assert_share(&site.draw(200, VISITORS).await?, 0.5);
    Ok(())
}

/// The module is there, cannot be fetched for a while, and is there again, while people keep coming.
async fn check_interruption(control: Control, missing: Control, files: &[&str]) -> Result<()> {
    let mut site = Site::start(control, files).await?;
    site.rules(WEIGHT, json!(50)).await?;
    let mut people = People::new(100, VISITORS)?;
    let before = people.visit(site.address()).await?;
    assert_share(&before, 0.5);
    let crowd = Crowd::new(site.address(), VISITORS.host, 30, 4)?;
    let traffic = crowd.keep_visiting_as(Ask::path(VISITORS.path));
    traffic.round().await?;

    let held = std::mem::replace(&mut site.control, missing);
    site.send().await?;
    traffic.round().await?;
    assert_eq!(100, count(&people.visit(site.address()).await?, "v1"));
    site.control = held;
    site.send().await?;
    traffic.round().await?;
    assert_eq!(before, people.visit(site.address()).await?, "everybody is back");
    traffic.stop().await?;
    let report = crowd.take_report();
    assert_eq!(0, report.failed, "{report:?}");
    Ok(())
}

#[tokio::test]
async fn a_fetch_of_istios_agent_that_fails_later_means_stable_meanwhile() -> Result<()> {
    let missing = Control::Istio(Proxy::gateway(), Module::Missing);
    check_interruption(Control::istio(Proxy::gateway())?, missing, &ISTIO).await
}

#[tokio::test]
async fn a_fetch_of_envoy_gateway_that_fails_later_means_stable_meanwhile() -> Result<()> {
    let control = Control::envoy_gateway().await?;
    check_interruption(control, Control::EnvoyGatewayWithoutModule, &ENVOY_GATEWAY).await
}

/// A proxy that starts with rules that are no good has none: stable, until good ones come.
async fn check_cold(control: impl AsyncFn() -> Result<Control>, files: &[&str], entry: Entry) -> Result<()> {
    let kinds: [(&str, Value); 2] = [(WEIGHT, json!("many")), ("/rollout", json!({}))];
    for (pointer, mistake) in kinds {
        let mut bad = resources(files)?;
        set_rules(&mut bad, pointer, &mistake)?;
        let mut site = Site::with(control().await?, bad).await?;
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

/// Nothing behind a version: Envoy answers 503 to its first visitors, and then stable serves in its place.
async fn check_gone(proxy: Proxy, files: &[&str], entry: Entry, take: impl Fn(&mut Site) -> Result<()>) -> Result<()> {
    let mut site = Site::start(Control::istio(proxy)?, files).await?;
    site.rules(WEIGHT, json!(50)).await?;
    take(&mut site)?;
    site.send().await?;
    let mut people = People::new(100, entry)?;
    let first = people.visit(site.address()).await?;
    let failed = first.iter().filter(|answer| answer.starts_with("503")).count();
    assert_eq!(first.len(), failed + count(&first, "v1"), "{first:?}");
    assert!(failed > 0, "{first:?}");
    // Now and then somebody is sent to see whether it has come back.
    until_true(async || {
        let answers = people.visit(site.address()).await?;
        let failed = answers.iter().filter(|answer| answer.starts_with("503")).count();
        Ok(failed <= 2 && failed + count(&answers, "v1") == answers.len())
    })
    .await
}

#[tokio::test]
async fn a_subset_that_is_gone_is_replaced_by_stable() -> Result<()> {
    let files = ["istio/gateway/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"];
    let take = |site: &mut Site| {
        site.resources.edit("DestinationRule", "reviews", |rule| {
            let subsets = rule.pointer_mut("/spec/subsets").and_then(Value::as_array_mut);
            subsets.context("there are subsets")?.truncate(1);
            Ok(())
        })
    };
    check_gone(Proxy::gateway(), &files, VISITORS, take).await
}

#[tokio::test]
async fn a_subset_without_pods_is_replaced_by_stable() -> Result<()> {
    let files = ["istio/sidecar/wasm-plugin.yaml", "istio/sidecar/virtual-service.yaml"];
    let take = |site: &mut Site| {
        site.gone = vec!["v2"];
        Ok(())
    };
    check_gone(Proxy::sidecar(Place::Outbound, "productpage"), &files, CALLERS, take).await
}

#[tokio::test]
async fn a_service_without_pods_is_replaced_by_stable() -> Result<()> {
    let take = |site: &mut Site| {
        site.gone = vec!["v2"];
        Ok(())
    };
    check_gone(Proxy::gateway(), &ISTIO, VISITORS, take).await
}

/// An `HTTPRoute` of Istio whose Service is gone answers with 500, until a guard takes the version out.
#[tokio::test]
async fn a_service_that_is_gone_needs_a_guard() -> Result<()> {
    let mut site = Site::start(Control::istio(Proxy::gateway())?, &ISTIO).await?;
    site.rules(WEIGHT, json!(50)).await?;
    site.resources.delete("Service", "reviews-v2");
    site.send().await?;
    for _ in 0..2 {
        let answers = site.draw(100, VISITORS).await?;
        let failed = answers.iter().filter(|answer| answer.starts_with("500")).count();
        assert!((20..80).contains(&failed), "as many as before: {answers:?}");
    }
    let mut people = People::new(100, VISITORS)?;
    site.rules("/rollouts/reviews/guard", json!({"max_percent": 20, "for": "1m"})).await?;
    until_true(async || Ok(count(&people.visit(site.address()).await?, "v1") == 100)).await
}
