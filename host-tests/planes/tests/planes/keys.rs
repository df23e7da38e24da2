//! Signed cookies and tokens, with a key out of the proxy's environment.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::json;
use serin_core::{Rules, Surroundings, Time};
use serin_planes::Resources;
use serin_planes::istio::{Place, Proxy};

use crate::people::{People, assert_share, count};
use crate::site::{CALLERS, Control, KEY, Site, VISITORS, WEIGHT, resources, set};

const PEOPLE: usize = 300;

/// The share, the stickiness, a token, and what has none.
pub(crate) async fn journey(site: &mut Site) -> Result<()> {
    let mut people = People::new(PEOPLE, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    assert_eq!(first, people.visit(site.address()).await?);
    assert_eq!(Vec::<String>::new(), site.mistakes()?);
    assert_eq!(PEOPLE - count(&first, "v1"), count(&first, "v2"));
    let cookie = site.ask(VISITORS, &[]).await?.values("set-cookie").join("\n");
    assert!(cookie.starts_with("canary=") && cookie.contains("k1"), "signed by k1: {cookie}");

    let plain = people.visit_with(site.address(), &[("x-canary", "v2")]).await?;
    assert_eq!(first, plain, "an override without a token changes nothing");
    let token = token()?;
    assert_eq!("v2", site.ask(VISITORS, &[("x-canary", &token)]).await?.text());
    Ok(())
}

/// As `serin token` makes it: for v2 of reviews, for long enough.
fn token() -> Result<String> {
    let document = json!({
        "rollouts": {"reviews": {"stable": "v1", "versions": {"v1": {}, "v2": {}}}},
        "keys": [{"id": "k1", "env": KEY.0}],
    });
    let env = |name: &str| (name == KEY.0).then(|| KEY.1.to_owned());
    let surroundings = Surroundings { last_good: None, env: &env };
    let rules = Rules::parse(document.to_string().as_bytes(), &surroundings).rules.context("the document is sound")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = rules.keys().and_then(|keys| keys.token("reviews", "v2", Time::from_unix_seconds(now + 3600)));
    token.context("there is a key that signs")
}

const GATEWAY_VALUES: &str = "istio/keys/gateway-values.yaml";

/// The gateway, with the key by the values of its chart.
pub(crate) fn gateway() -> Result<Proxy> {
    Proxy::gateway().with_values(GATEWAY_VALUES)
}

async fn check(control: Control, files: &[&str]) -> Result<()> {
    journey(&mut Site::start(control, files).await?).await
}

#[tokio::test]
async fn in_a_gateway_of_a_chart() -> Result<()> {
    let files = ["istio/keys/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"];
    check(Control::istio(gateway()?)?, &files).await
}

#[tokio::test]
async fn in_a_gateway_that_istio_makes() -> Result<()> {
    let files =
        ["istio/keys/traffic-extension.yaml", "istio/gateway/http-route.yaml", "istio/keys/gateway-parameters.yaml"];
    check(Control::istio(Proxy::gateway())?, &files).await
}

/// With the key in one of the places that the README has for it, overrides are taken by token alone.
async fn check_tokens(proxy: Proxy, mut resources: Resources) -> Result<()> {
    resources.edit("WasmPlugin", "serin", |plugin| {
        set(plugin, "/spec/vmConfig", json!({"env": [{"name": KEY.0, "valueFrom": "HOST"}]}))?;
        set(plugin, "/spec/pluginConfig/keys", json!([{"id": "k1", "env": KEY.0}]))?;
        set(plugin, "/spec/pluginConfig/rollouts/reviews/override/trust", json!("signed"))
    })?;
    let mut site = Site::with(Control::istio(proxy)?, resources).await?;
    site.rules(WEIGHT, json!(0)).await?;
    assert_eq!("v1", site.ask(CALLERS, &[("x-canary", "v2")]).await?.text());
    assert_eq!("v2", site.ask(CALLERS, &[("x-canary", &token()?)]).await?.text());
    assert_eq!(Vec::<String>::new(), site.mistakes()?);
    Ok(())
}

#[tokio::test]
async fn in_a_sidecar() -> Result<()> {
    let files =
        ["istio/sidecar/wasm-plugin.yaml", "istio/sidecar/virtual-service.yaml", "istio/keys/sidecar-deployment.yaml"];
    check_tokens(Proxy::sidecar(Place::Outbound, "productpage"), resources(&files)?).await
}

#[tokio::test]
async fn in_a_waypoint() -> Result<()> {
    let files = ["waypoint/wasm-plugin", "waypoint/http-route", "waypoint/waypoint", "keys/gateway-parameters"];
    let files = files.map(|name| format!("istio/{name}.yaml"));
    let mut resources = resources(&files.each_ref().map(String::as_str))?;
    resources.edit("ConfigMap", "serin-keys", |map| set(map, "/metadata/namespace", json!("shop")))?;
    let parameters = json!({"parametersRef": {"group": "", "kind": "ConfigMap", "name": "serin-keys"}});
    resources.edit("Gateway", "waypoint", |gateway| set(gateway, "/spec/infrastructure", parameters))?;
    resources.delete("Gateway", "shop");
    check_tokens(Proxy::waypoint(), resources).await
}

/// The order of the READMEs, where the filter runs already: the plugin asks for the variable, then a proxy starts that has it, then
/// come the keys. Nobody gets an error on the way, nor another version before the keys are there.
async fn check_order(
    mut site: Site,
    (readme, kind, asks): (&str, &str, &str),
    give: impl FnOnce(&mut Site) -> Result<()>,
) -> Result<()> {
    let mut people = People::new(PEOPLE, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    site.follow(readme, kind, asks).await?;
    assert_eq!(first, people.visit(site.address()).await?, "the plugin asks for a variable that is not there");
    give(&mut site)?;
    site.restart().await?;
    assert_eq!(first, people.visit(site.address()).await?, "the proxy has the variable");
    site.follow(readme, kind, r#"[{"env":"SERIN_KEY_1","id":"k1"}]"#).await?;
    assert_share(&people.visit(site.address()).await?, 0.1);
    site.follow(readme, kind, "signed").await?;
    journey(&mut site).await
}

#[tokio::test]
async fn in_the_order_of_istios_readme() -> Result<()> {
    let files = ["istio/gateway/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"];
    let site = Site::start(Control::istio(Proxy::gateway())?, &files).await?;
    let give = |site: &mut Site| {
        site.control = Control::istio(gateway()?)?;
        Ok(())
    };
    check_order(site, ("istio/keys/README.md", "wasmplugin", "vmConfig"), give).await
}

#[tokio::test]
async fn in_the_order_of_envoy_gateways_readme() -> Result<()> {
    let files = ["gateway", "http-route", "policy-on-gateway"].map(|name| format!("envoy-gateway/{name}.yaml"));
    let site = Site::start(Control::envoy_gateway().await?, &files.each_ref().map(String::as_str)).await?;
    let readme = "envoy-gateway/keys/README.md";
    let give = |site: &mut Site| site.patch(readme, "envoyproxy", "serin-keys");
    check_order(site, (readme, "envoyextensionpolicy", "hostKeys"), give).await
}
