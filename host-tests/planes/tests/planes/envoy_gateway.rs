//! `manifests/envoy-gateway` with the weights in the policy.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::istio::journey;
use crate::people::{People, assert_share, count};
use crate::site::{Control, Site, VISITORS, WEIGHT};

const PEOPLE: usize = 400;
const GATEWAY: &str = "envoy-gateway/gateway.yaml";
const ROUTE: &str = "envoy-gateway/http-route.yaml";

async fn check(policy: &str) -> Result<()> {
    let mut site = Site::start(Control::envoy_gateway().await?, &[GATEWAY, ROUTE, policy]).await?;
    journey(&mut site, VISITORS).await?;
    site.follow("envoy-gateway/README.md", "envoyextensionpolicy", "/v2/off").await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "v2")]).await?.text(), "overrides are back as well");
    Ok(())
}

#[tokio::test]
async fn a_policy_on_the_gateway() -> Result<()> {
    check("envoy-gateway/policy-on-gateway.yaml").await
}

#[tokio::test]
async fn a_policy_on_a_route() -> Result<()> {
    check("envoy-gateway/policy-on-route.yaml").await
}

/// A longer or exact path is looked at before any header, so the rule of the canary repeats each.
#[tokio::test]
async fn each_path_of_stable_has_its_canary() -> Result<()> {
    let files = [GATEWAY, ROUTE, "envoy-gateway/policy-on-gateway.yaml"];
    let mut site = Site::start(Control::envoy_gateway().await?, &files).await?;
    for path in ["/reviews", "/reviews/", "/reviews/7", "/reviews/top"] {
        for version in ["v1", "v2"] {
            assert_eq!(version, site.ask_for(VISITORS.host, path, &[("x-canary", version)]).await?.text(), "{path}");
        }
    }
    // What goes wrong otherwise: the exact path without a header is before the prefix with one.
    site.resources.edit("HTTPRoute", "reviews", |route| {
        let matches = route.pointer_mut("/spec/rules/0/matches").and_then(Value::as_array_mut);
        matches.context("the first rule is the canary's")?.truncate(1);
        Ok(())
    })?;
    site.send().await?;
    assert_eq!("v1", site.ask_for(VISITORS.host, "/reviews/top", &[("x-canary", "v2")]).await?.text());
    assert_eq!("v2", site.ask_for(VISITORS.host, "/reviews/7", &[("x-canary", "v2")]).await?.text());
    Ok(())
}

/// Another route of the same Gateway.
const OTHER: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ratings, namespace: shop}
spec:
  parentRefs: [{name: shop}]
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /ratings}, headers: [{name: x-canary-version, value: v2}]}]
    backendRefs: [{name: reviews-v2, port: 9080}]
  - matches: [{path: {type: PathPrefix, value: /ratings}}]
    backendRefs: [{name: reviews-v1, port: 9080}]
";

/// The filter is in the chain for every route, and runs for those that a policy is meant for.
#[tokio::test]
async fn a_route_without_a_policy_is_untouched() -> Result<()> {
    for (policy, is_touched) in [("policy-on-route", false), ("policy-on-gateway", true)] {
        let mut resources = crate::site::resources(&[GATEWAY, ROUTE, &format!("envoy-gateway/{policy}.yaml")])?;
        resources.apply(OTHER)?;
        let mut site = Site::with(Control::envoy_gateway().await?, resources).await?;
        site.rules(WEIGHT, json!(100)).await?;
        let reply = site.ask_for(VISITORS.host, "/ratings", &[]).await?;
        assert_eq!(usize::from(is_touched), reply.values("set-cookie").len(), "{policy}: {:?}", reply.headers);
        assert_eq!(if is_touched { "v2" } else { "v1" }, reply.text(), "{policy}");
        assert_eq!("v2", site.ask(VISITORS, &[]).await?.text(), "{policy}");
    }
    Ok(())
}

/// The nearest policy counts alone: the route's rules, and not the Gateway's.
#[tokio::test]
async fn a_policy_on_a_route_takes_the_place_of_the_gateways() -> Result<()> {
    let mut resources = crate::site::resources(&[GATEWAY, ROUTE, "envoy-gateway/policy-on-gateway.yaml"])?;
    resources.edit("EnvoyExtensionPolicy", "serin", |policy| {
        policy["metadata"]["name"] = json!("whole-gateway");
        crate::site::set(policy, &format!("/spec/wasm/0/config{WEIGHT}"), json!(100))
    })?;
    resources.add(&["envoy-gateway/policy-on-route.yaml"])?;
    resources.apply(OTHER)?;
    let site = Site::with(Control::envoy_gateway().await?, resources).await?;
    assert_share(&site.draw(PEOPLE, VISITORS).await?, 0.1);
    assert_eq!("v2", site.ask_for(VISITORS.host, "/ratings", &[]).await?.text());
    Ok(())
}

/// Cookies are signed and tokens are asked for, by a key out of the environment.
#[tokio::test]
async fn keys_come_out_of_the_environment() -> Result<()> {
    let mut resources = crate::site::resources(&[GATEWAY, ROUTE, "envoy-gateway/keys/policy.yaml"])?;
    let environment = crate::readme::patch("envoy-gateway/keys/README.md", "envoyproxy", "serin-keys")?;
    resources.edit("EnvoyProxy", "shop", |proxy| environment.change(proxy))?;
    crate::keys::journey(&mut Site::with(Control::envoy_gateway().await?, resources).await?).await
}

/// The access log of the `EnvoyProxy`, and the labels of its bootstrap.
#[tokio::test]
async fn log_and_metrics_show_the_decision() -> Result<()> {
    let files = [GATEWAY, ROUTE, "envoy-gateway/policy-on-gateway.yaml"];
    let site = Site::start(Control::envoy_gateway().await?, &files).await?;
    site.ask(VISITORS, &[("x-canary", "always")]).await?;
    site.until(r"^wasmcustom\.serin_decisions\..*", 1).await?;
    let lines = site.plane.running().prometheus("serin_decisions").await?;
    let labels = r#"{serin_rollout="reviews",serin_version="v2",serin_reason="override"}"#;
    assert_eq!([format!("serin_decisions{labels} 1")], *lines);
    let ok = site.plane.running().prometheus("serin_config_ok").await?;
    assert_eq!([r#"serin_config_ok{serin_plugin="serin"} 1"#], *ok);
    let log = site.plane.running().folder().join("access-log");
    let found = crate::site::wait_for(async || Ok(fs::read_to_string(&log)?.lines().next().map(str::to_owned))).await?;
    let line: Value = serde_json::from_str(&found)?;
    assert_eq!("reviews/v2/override", line["canary_decision"], "{line}");
    assert_eq!("httproute/shop/reviews/rule/0", line["upstream_cluster"], "{line}");
    Ok(())
}

/// Envoy Gateway answers itself for a rule that has no ready pod, or no Service. The guard finds out, and stable serves.
async fn check_guard(policy: &str, status: &str, take: impl Fn(&mut Site)) -> Result<()> {
    let mut site = Site::start(Control::envoy_gateway().await?, &[GATEWAY, ROUTE, policy]).await?;
    site.set_rules(WEIGHT, json!(50))?;
    take(&mut site);
    site.send().await?;
    let mut people = People::new(100, VISITORS)?;
    let mut seen = BTreeSet::new();
    crate::site::until_true(async || {
        let answers = people.visit(site.address()).await?;
        seen.extend(answers.iter().cloned());
        Ok(count(&answers, "v1") == answers.len())
    })
    .await?;
    assert_eq!(BTreeSet::from([format!("{status} "), "v1".to_owned()]), seen);
    Ok(())
}

#[tokio::test]
async fn a_version_without_pods_is_taken_out_by_the_guard() -> Result<()> {
    check_guard("envoy-gateway/policy-on-gateway.yaml", "503", |site| site.gone = vec!["v2"]).await
}

#[tokio::test]
async fn a_version_without_a_service_is_taken_out_by_the_guard() -> Result<()> {
    let take = |site: &mut Site| site.resources.delete("Service", "reviews-v2");
    check_guard("envoy-gateway/policy-on-route.yaml", "500", take).await
}

/// Two weighted backends of a rule without filters are one cluster, whose places have the weights.
#[tokio::test]
async fn weights_without_filters_are_those_of_places() -> Result<()> {
    let mut resources = crate::site::resources(&[GATEWAY])?;
    resources.apply(&OTHER.replace(
        "name: reviews-v1, port: 9080}",
        "name: reviews-v1, port: 9080, weight: 3}, {name: reviews-v2, port: 9080}",
    ))?;
    let mut site = Site::with(Control::envoy_gateway().await?, resources).await?;
    let ratings = crate::site::Entry { path: "/ratings", ..VISITORS };
    assert_share(&site.draw(PEOPLE, ratings).await?, 0.25);
    site.resources.edit("HTTPRoute", "ratings", |route| {
        crate::site::set(route, "/spec/rules/1/backendRefs/1/weight", json!(0))
    })?;
    site.send().await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, ratings).await?, "v1"));
    Ok(())
}
