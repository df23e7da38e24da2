//! `manifests/argo-rollouts/istio`, with what Argo Rollouts writes into the routes at each step.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_planes::istio::Proxy;

use crate::people::{People, assert_share, count};
use crate::site::{Control, Site, VISITORS, set};

const PEOPLE: usize = 400;

/// `setHeaderRoute` and `setWeight`; without a share what is left of them after an abort or the end.
async fn step(site: &mut Site, share: Option<u32>) -> Result<()> {
    site.resources.edit("VirtualService", "reviews", |service| {
        let routes = service.pointer_mut("/spec/http").and_then(Value::as_array_mut).context("there are routes")?;
        routes.retain(|route| route["name"] != "held-canary");
        let weighted = routes.last_mut().context("the last one has the weights")?;
        set(weighted, "/route/0/weight", json!(100 - share.unwrap_or(0)))?;
        set(weighted, "/route/1/weight", json!(share.unwrap_or(0)))?;
        if share.is_some() {
            let to = weighted["route"][1]["destination"].clone();
            let header = json!({"headers": {"x-canary-version": {"exact": "canary"}}});
            routes.insert(0, json!({"name": "held-canary", "match": [header], "route": [{"destination": to}]}));
        }
        Ok(())
    })?;
    site.send().await
}

/// The versions behind the two subsets, for which Argo Rollouts writes the hashes of pods.
fn set_subsets(resources: &mut serin_planes::Resources, versions: [&str; 2]) -> Result<()> {
    resources.edit("DestinationRule", "reviews", |rule| {
        versions.iter().enumerate().try_for_each(|(number, version)| {
            set(rule, &format!("/spec/subsets/{number}/labels/version"), json!(version))
        })
    })
}

#[tokio::test]
async fn a_rollout_that_is_aborted_and_one_that_is_not() -> Result<()> {
    let files =
        ["argo-rollouts/services.yaml", "argo-rollouts/istio/routes.yaml", "argo-rollouts/istio/wasm-plugin.yaml"];
    let mut resources = crate::site::resources(&files)?;
    set_subsets(&mut resources, ["v1", "v2"])?;
    let mut site = Site::with(Control::istio(Proxy::gateway())?, resources).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"), "before the first step");

    let mut people = People::new(PEOPLE, VISITORS)?;
    step(&mut site, Some(20)).await?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.2);
    step(&mut site, Some(50)).await?;
    assert_eq!(first, people.visit(site.address()).await?, "who was drawn is held");
    assert_share(&site.draw(PEOPLE, VISITORS).await?, 0.5);
    assert_eq!("v2", site.ask(VISITORS, &[("x-canary", "always")]).await?.text());

    step(&mut site, None).await?;
    assert_eq!(PEOPLE, count(&people.visit(site.address()).await?, "v1"), "an abort takes everybody back");
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "always")]).await?.text());

    site.set_rules("/rollouts/reviews/release", json!("reviews-2"))?;
    step(&mut site, Some(20)).await?;
    let second = people.visit(site.address()).await?;
    assert_share(&second, 0.2);
    assert_ne!(first, second, "the next attempt draws anew");

    set_subsets(&mut site.resources, ["v2", "v2"])?;
    step(&mut site, None).await?;
    assert_eq!(PEOPLE, count(&people.visit(site.address()).await?, "v2"), "the canary is stable now");
    Ok(())
}
