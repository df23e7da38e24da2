//! Two plugins of Istio with this module in one proxy: one VM in a worker, and each follows its own rules.

use anyhow::Result;
use serde_json::json;
use serin_planes::istio::Proxy;

use crate::people::{People, assert_share, count};
use crate::site::{Control, Entry, KEY, Site, VISITORS, WEIGHT, resources, set};

/// Another team's plugin in the same gateway, with names of its own.
const OTHER: &str = r"
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: ratings, namespace: istio-ingress}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  url: oci://registry.example.com/serin@sha256:0000000000000000000000000000000000000000000000000000000000000000
  imagePullPolicy: IfNotPresent
  failStrategy: FAIL_OPEN
  pluginConfig:
    rollouts:
      ratings:
        match: [{hosts: [shop.example.com], path: {prefix: /ratings}}]
        stable: v1
        versions: {v1: {}, v2: {weight: 30}}
    headers: {version: x-ratings-version}
    cookie: {name: ratings}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: [istio-ingress/shop]
  http:
  - name: ratings-v2
    match: [{uri: {prefix: /ratings}, headers: {x-ratings-version: {exact: v2}}}]
    route: [{destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v2}}]
  - name: ratings-v1
    match: [{uri: {prefix: /ratings}}]
    route: [{destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v1}}]
";

const RATINGS: Entry = Entry { path: "/ratings", ..VISITORS };
const PEOPLE: usize = 300;
const VMS: &str = r"^wasm\.envoy\.wasm\.runtime\.v8\.active$";

#[tokio::test]
async fn two_plugins_in_one_vm_do_not_disturb_each_other() -> Result<()> {
    let mut resources = resources(&["istio/gateway/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"])?;
    resources.apply(OTHER)?;
    let mut site = Site::with(Control::istio(Proxy::gateway())?, resources).await?;
    assert_eq!(4, site.plane.running().sum(VMS).await?, "the base, the main thread's, and one for each of two workers");

    let (mut reviews, mut ratings) = (People::new(PEOPLE, VISITORS)?, People::new(PEOPLE, RATINGS)?);
    let of_reviews = reviews.visit(site.address()).await?;
    let of_ratings = ratings.visit(site.address()).await?;
    assert_share(&of_reviews, 0.1);
    assert_share(&of_ratings, 0.3);

    // One of them changes, with a mistake in between.
    for weight in [json!(50), json!("many"), json!({}), json!(50)] {
        site.rules(WEIGHT, weight).await?;
        assert_share(&reviews.visit(site.address()).await?, 0.5);
        assert_eq!(of_ratings, ratings.visit(site.address()).await?);
    }
    // And the other, which cannot be read at all then.
    site.resources.edit("WasmPlugin", "ratings", |plugin| set(plugin, "/spec/pluginConfig", json!({"rolouts": {}})))?;
    site.send().await?;
    assert_eq!(of_ratings, ratings.visit(site.address()).await?, "the rules that were in force");
    assert_share(&reviews.visit(site.address()).await?, 0.5);
    // Of the plugin's name, as istiod gives it to a WasmPlugin, the filter leaves out what metrics cannot have.
    let ok = |plugin: &str| {
        format!(r"^wasmcustom\.serin_config_ok\.plugin\.istio-ingress\.{plugin}_istio-translated-wasmplugin$")
    };
    site.until(&ok("serin"), 1).await?;
    site.until(&ok("ratings"), 0).await
}

/// Both plugins, of which the second has a key.
async fn with_keys(environment_of: &[&str]) -> Result<Site> {
    let mut resources = resources(&["istio/gateway/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"])?;
    resources.apply(OTHER)?;
    for name in environment_of {
        let environment = json!({"env": [{"name": KEY.0, "valueFrom": "HOST"}]});
        resources.edit("WasmPlugin", name, |plugin| set(plugin, "/spec/vmConfig", environment))?;
    }
    let keys = json!([{"id": "k1", "env": KEY.0}]);
    resources.edit("WasmPlugin", "ratings", |plugin| set(plugin, "/spec/pluginConfig/keys", keys))?;
    Site::with(Control::istio(crate::keys::gateway()?)?, resources).await
}

#[tokio::test]
async fn plugins_with_one_environment_share_a_vm_and_its_keys() -> Result<()> {
    let site = with_keys(&["serin", "ratings"]).await?;
    assert_eq!(4, site.plane.running().sum(VMS).await?);
    assert_eq!(Vec::<String>::new(), site.mistakes()?);
    assert_share(&site.draw(PEOPLE, VISITORS).await?, 0.1);
    assert_share(&site.draw(PEOPLE, RATINGS).await?, 0.3);
    Ok(())
}

/// An Envoy before 1.39 does not tell environments apart: both plugins get that of the first. The one whose key is missing
/// then says so, and serves stable.
#[tokio::test]
async fn a_plugin_with_another_environment_has_a_vm_of_its_own_or_no_keys() -> Result<()> {
    let site = with_keys(&["ratings"]).await?;
    assert_share(&site.draw(PEOPLE, VISITORS).await?, 0.1);
    let of_ratings = site.draw(PEOPLE, RATINGS).await?;
    if site.plane.running().sum(VMS).await? == 8 {
        assert_share(&of_ratings, 0.3);
        assert_eq!(Vec::<String>::new(), site.mistakes()?);
    } else {
        assert_eq!(PEOPLE, count(&of_ratings, "v1"));
        assert!(site.mistakes()?.iter().all(|line| line.contains("keys[0].env")), "{:?}", site.mistakes()?);
    }
    Ok(())
}
