//! Weights in the route (`split: route`): the route draws, and the filter holds.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_planes::istio::Proxy;

use crate::people::{People, assert_moves, assert_share, count};
use crate::site::{Control, Site, VISITORS, resources, set, until_true, virtual_service};

const PEOPLE: usize = 400;
const README: &str = "envoy-gateway/route-weights/README.md";

/// What the two planes have in common, with the weights 90 and 10 at first. `raise` makes them 50 and 50, `zero` 100 and 0.
async fn journey(
    site: &mut Site,
    raise: impl AsyncFn(&mut Site) -> Result<()>,
    zero: impl AsyncFn(&mut Site) -> Result<()>,
) -> Result<(People, Vec<String>)> {
    let mut people = People::new(PEOPLE, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    assert_eq!(first, people.visit(site.address()).await?, "everybody is held where the route has sent them");
    for version in ["v1", "v2"] {
        assert_eq!(version, site.ask(VISITORS, &[("x-canary", version)]).await?.text());
    }
    let forged = people.visit_with(site.address(), &[("x-canary-version", "v2")]).await?;
    assert_eq!(first, forged, "a client's own header chooses nothing");

    raise(site).await?;
    assert_eq!(first, people.visit(site.address()).await?, "a weight is for those who hold nothing");
    assert_share(&site.draw(PEOPLE, VISITORS).await?, 0.5);

    zero(site).await?;
    assert_eq!(first, people.visit(site.address()).await?, "weight 0 alone leaves those who hold it");
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"), "and nobody new comes in");
    assert_eq!("v2", site.ask(VISITORS, &[("x-canary", "v2")]).await?.text());
    Ok((people, first))
}

fn set_weights(route: &mut Value, place: &str, weights: [u32; 2]) -> Result<()> {
    weights
        .into_iter()
        .enumerate()
        .try_for_each(|(number, weight)| set(route, &format!("{place}/{number}/weight"), json!(weight)))
}

async fn started() -> Result<Site> {
    let files = ["gateway", "route-weights/http-route", "route-weights/policy"]
        .map(|name| format!("envoy-gateway/{name}.yaml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut site = Site::start(Control::envoy_gateway().await?, &files).await?;
    assert_eq!("v1", site.ask(VISITORS, &[]).await?.text());
    site.follow(README, "httproute", "\"value\":10").await?;
    Ok(site)
}

async fn set_route(site: &mut Site, weights: [u32; 2]) -> Result<()> {
    site.resources.edit("HTTPRoute", "reviews", |route| set_weights(route, "/spec/rules/2/backendRefs", weights))?;
    site.send().await
}

#[tokio::test]
async fn in_envoy_gateway_and_back_by_the_route() -> Result<()> {
    let mut site = started().await?;
    let weights = |weights: [u32; 2]| async move |site: &mut Site| set_route(site, weights).await;
    let (mut people, first) = journey(&mut site, weights([50, 50]), weights([100, 0])).await?;
    site.follow(README, "httproute", "reviews-v1").await?;
    assert_eq!(PEOPLE, count(&people.visit(site.address()).await?, "v1"), "the rule of v2 goes to v1");
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));

    // The next attempt: another release, so that nobody is held from before.
    set_route(&mut site, [90, 10]).await?;
    site.resources
        .edit("HTTPRoute", "reviews", |route| set(route, "/spec/rules/1/backendRefs/0/name", json!("reviews-v2")))?;
    site.rules("/rollouts/reviews/release", json!("second")).await?;
    let second = people.visit(site.address()).await?;
    assert_share(&second, 0.1);
    assert_ne!(first, second, "drawn anew");
    Ok(())
}

#[tokio::test]
async fn in_envoy_gateway_and_back_by_the_policy() -> Result<()> {
    let mut site = started().await?;
    let mut people = People::new(PEOPLE, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    site.follow(README, "envoyextensionpolicy", "/v2/off").await?;
    let back = people.visit(site.address()).await?;
    assert_eq!(PEOPLE, count(&back, "v1"), "{first:?} {back:?}");
    assert_moves(&first, &back, "v2", "v1");
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "v2")]).await?.text());
    Ok(())
}

/// Envoy Gateway writes a 503 into the rule of v2 and into its share of the weights. The guard takes those back who hold v2; of
/// newcomers the share fails until its weight is 0.
#[tokio::test]
async fn in_envoy_gateway_without_a_ready_pod() -> Result<()> {
    let mut site = started().await?;
    set_route(&mut site, [50, 50]).await?;
    let mut people = People::new(100, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.5);
    site.gone = vec!["v2"];
    site.send().await?;

    let mut has_failed = false;
    until_true(async || {
        let answers = people.visit(site.address()).await?;
        for (before, now) in first.iter().zip(&answers) {
            let allowed: &[&str] = if before == "v1" { &["v1"] } else { &["v1", "503 "] };
            ensure!(allowed.contains(&now.as_str()), "who held {before} got {now}");
        }
        let back = count(&answers, "v1");
        has_failed |= back < answers.len();
        Ok(back == answers.len())
    })
    .await?;
    assert!(has_failed, "before the guard has tripped");

    let new = site.draw(PEOPLE, VISITORS).await?;
    let failed = new.iter().filter(|answer| answer.starts_with("503")).count();
    assert_eq!(PEOPLE, failed + count(&new, "v1"), "{new:?}");
    assert!((PEOPLE * 2 / 5..PEOPLE * 3 / 5).contains(&failed), "half of the newcomers, not {failed}");
    assert_eq!(100, count(&people.visit(site.address()).await?, "v1"), "nobody who held v2 fails any more");

    set_route(&mut site, [100, 0]).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    assert_eq!(100, count(&people.visit(site.address()).await?, "v1"));
    Ok(())
}

/// Routes of Istio for `split: route`: a header match for every version, and the weights.
const ROUTES: &str = r"
  - name: v1
    match: [{headers: {x-canary-version: {exact: v1}}}]
    route: [{destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v1}}]
  - name: v2
    match: [{headers: {x-canary-version: {exact: v2}}}]
    route: [{destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v2}}]
  - name: weights
    route:
    - {destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v1}, weight: 90}
    - {destination: {host: reviews.shop.svc.cluster.local, port: {number: 9080}, subset: v2}, weight: 10}
";

#[tokio::test]
async fn in_istio_and_back() -> Result<()> {
    let mut resources = resources(&["istio/gateway/virtual-service.yaml", "istio/gateway/wasm-plugin.yaml"])?;
    resources.apply(&virtual_service(ROUTES))?;
    resources.edit("WasmPlugin", "serin", |plugin| {
        let versions = json!({
            "v1": {"cluster": "outbound|9080|v1|reviews.shop.svc.cluster.local"},
            "v2": {"cluster": "outbound|9080|v2|reviews.shop.svc.cluster.local"},
        });
        for (field, value) in
            [("versions", versions), ("sticky", json!({"hold": "version"})), ("split", json!("route"))]
        {
            set(plugin, &format!("/spec/pluginConfig/rollouts/reviews/{field}"), value)?;
        }
        Ok(())
    })?;
    let mut site = Site::with(Control::istio(Proxy::gateway())?, resources).await?;
    let weights = |weights: [u32; 2]| {
        async move |site: &mut Site| {
            site.resources
                .edit("VirtualService", "reviews", |route| set_weights(route, "/spec/http/2/route", weights))?;
            site.send().await
        }
    };
    let (mut people, first) = journey(&mut site, weights([50, 50]), weights([100, 0])).await?;
    site.follow("istio/gateway/README.md", "wasmplugin", "off").await?;
    let back = people.visit(site.address()).await?;
    assert_eq!(PEOPLE, count(&back, "v1"));
    assert_moves(&first, &back, "v2", "v1");
    Ok(())
}
