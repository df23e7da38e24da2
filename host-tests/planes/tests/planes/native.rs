//! Why `split: native` is not shipped for Istio: what an `EnvoyFilter` that merges `header_name` into Istio's routes does.

use anyhow::Result;
use serde_json::json;
use serin_planes::istio::Proxy;

use crate::people::{People, assert_moves, assert_share, count};
use crate::site::{Control, Site, VISITORS, resources, set, virtual_service};

const MERGE: &str = r#"
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: native, namespace: istio-ingress}
spec:
  workloadSelector: {labels: {istio: ingressgateway}}
  configPatches:
  - applyTo: HTTP_ROUTE
    match: {context: GATEWAY, routeConfiguration: {vhost: {domainName: shop.example.com}}}
    patch: {operation: MERGE, value: {route: {weighted_clusters: {header_name: x-canary-slot}}}}
"#;

const ROUTES: &str = r"
  - name: weights
    route:
    - {destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v2}, weight: 10}
    - {destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v1}, weight: 90}
";

const HTTP_ROUTE: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: shop}
spec:
  parentRefs: [{name: shop, namespace: istio-ingress}]
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: reviews-v2, port: 9080, weight: 10}, {name: reviews-v1, port: 9080, weight: 90}]
";

async fn start(routes: &str, yaml: &str) -> Result<Site> {
    let mut resources = resources(&[&format!("istio/gateway/{routes}.yaml"), "istio/gateway/wasm-plugin.yaml"])?;
    resources.apply(yaml)?;
    resources.apply(MERGE)?;
    resources.edit("WasmPlugin", "serin", |plugin| {
        let rollout = json!({"stable": "v1", "versions": {"v1": {}, "v2": {}}, "split": "native"});
        let rules = json!({"rollouts": {"reviews": rollout}, "headers": {"slot": "x-canary-slot"}});
        set(plugin, "/spec/pluginConfig", rules)
    })?;
    Site::with(Control::istio(Proxy::gateway())?, resources).await
}

#[tokio::test]
async fn with_two_destinations_the_merge_works() -> Result<()> {
    let mut site = start("virtual-service", &virtual_service(ROUTES)).await?;
    let mut people = People::new(400, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    assert_eq!(first, people.visit(site.address()).await?);
    weights(&mut site, "VirtualService", "/spec/http/0/route", [50, 50])?;
    assert_eq!(None, site.offer().await?);
    let half = people.visit(site.address()).await?;
    assert_share(&half, 0.5);
    assert_moves(&first, &half, "v1", "v2");
    // A VirtualService stays a list of clusters when one of two is left.
    weights(&mut site, "VirtualService", "/spec/http/0/route", [0, 100])?;
    assert_eq!(None, site.offer().await?);
    assert_eq!(400, count(&people.visit(site.address()).await?, "v1"));
    Ok(())
}

#[tokio::test]
async fn with_one_destination_envoy_refuses_the_routes() -> Result<()> {
    let mut site = start("virtual-service", &virtual_service(ROUTES)).await?;
    let one =
        json!([{"destination": {"host": "reviews.shop.svc.cluster.local", "port": {"number": 9080}, "subset": "v1"}}]);
    site.resources.edit("VirtualService", "reviews", |route| set(route, "/spec/http/0/route", one))?;
    assert_eq!(Some("routes/http.80.json".to_owned()), site.offer().await?);
    assert_share(&site.draw(400, VISITORS).await?, 0.1);
    Ok(())
}

/// The very step to 0 never takes effect.
#[tokio::test]
async fn with_a_weight_of_0_in_an_http_route_envoy_refuses_the_routes() -> Result<()> {
    let mut site = start("http-route", HTTP_ROUTE).await?;
    let mut people = People::new(400, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    weights(&mut site, "HTTPRoute", "/spec/rules/0/backendRefs", [0, 100])?;
    assert_eq!(Some("routes/http.80.json".to_owned()), site.offer().await?);
    assert_eq!(first, people.visit(site.address()).await?, "still on the canary");
    Ok(())
}

fn weights(site: &mut Site, kind: &str, place: &str, weights: [u32; 2]) -> Result<()> {
    site.resources.edit(kind, "reviews", |route| {
        weights
            .into_iter()
            .enumerate()
            .try_for_each(|(number, weight)| set(route, &format!("{place}/{number}/weight"), json!(weight)))
    })
}
