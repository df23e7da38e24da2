//! `manifests/argo-rollouts/istio`, with what Argo Rollouts writes into the routes at each step.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_planes::istio::Proxy;

use crate::people::{People, assert_share, count};
use crate::site::{Control, Site, VISITORS, set};

const PEOPLE: usize = 400;

/// What of `rollout.yaml` Argo Rollouts writes into routes.
struct Rollout {
    /// The route whose weights it sets.
    weighted: String,
    /// The route that it puts above all others, and what it matches.
    held: String,
    header: Value,
    /// The weights of the steps.
    weights: Vec<u32>,
}

impl Rollout {
    fn read() -> Result<Self> {
        let text = std::fs::read_to_string(format!("{}/argo-rollouts/istio/rollout.yaml", serin_planes::FOLDER))?;
        let all: Value = serde_saphyr::from_str(&text)?;
        let canary = &all["spec"]["strategy"]["canary"];
        let routing = &canary["trafficRouting"];
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("{value} is no text"));
        let steps = canary["steps"].as_array().context("there are steps")?;
        let set = steps.iter().position(|step| step.get("setHeaderRoute").is_some()).context("a header route")?;
        let (name, found) = (&steps[set]["setHeaderRoute"]["name"], &steps[set]["setHeaderRoute"]["match"][0]);
        ensure!(*name == routing["managedRoutes"][0]["name"], "{name} is not managed, and would not be taken away");
        let weights =
            |steps: &[Value]| steps.iter().filter_map(|step| step.get("setWeight")?.as_u64()).collect::<Vec<_>>();
        ensure!(weights(&steps[..set]).is_empty(), "who is drawn before there is the route of the canary is not held");
        let header = json!({ text(&found["headerName"])?: found["headerValue"] });
        let weights = weights(steps).into_iter().map(u32::try_from).collect::<Result<_, _>>()?;
        let weighted = text(&routing["istio"]["virtualService"]["routes"][0])?;
        Ok(Self { weighted, held: text(name)?, header, weights })
    }

    /// A step with this weight; without one what is left after an abort or the end.
    async fn step(&self, site: &mut Site, weight: Option<u32>) -> Result<()> {
        site.resources.edit("VirtualService", "reviews", |service| {
            let routes = service.pointer_mut("/spec/http").and_then(Value::as_array_mut).context("there are routes")?;
            routes.retain(|route| route["name"] != self.held.as_str());
            let weighted = routes.iter_mut().find(|route| route["name"] == self.weighted.as_str());
            let weighted = weighted.with_context(|| format!("there is no route {}", self.weighted))?;
            set(weighted, "/route/0/weight", json!(100 - weight.unwrap_or(0)))?;
            set(weighted, "/route/1/weight", json!(weight.unwrap_or(0)))?;
            if weight.is_some() {
                let to = weighted["route"][1]["destination"].clone();
                let found = json!([{"headers": self.header}]);
                routes.insert(0, json!({"name": self.held, "match": found, "route": [{"destination": to}]}));
            }
            Ok(())
        })?;
        site.send().await
    }
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

    let rollout = Rollout::read()?;
    let [first_weight, .., last_weight] = rollout.weights[..] else { anyhow::bail!("there are several steps") };
    assert_eq!(100, last_weight);
    let mut people = People::new(PEOPLE, VISITORS)?;
    rollout.step(&mut site, Some(first_weight)).await?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, f64::from(first_weight) / 100.0);
    for weight in &rollout.weights {
        rollout.step(&mut site, Some(*weight)).await?;
        assert_eq!(first, people.visit(site.address()).await?, "who was drawn is held");
        assert_share(&site.draw(PEOPLE, VISITORS).await?, f64::from(*weight) / 100.0);
    }
    assert_eq!("v2", site.ask(VISITORS, &[("x-canary", "always")]).await?.text());

    rollout.step(&mut site, None).await?;
    assert_eq!(PEOPLE, count(&people.visit(site.address()).await?, "v1"), "an abort takes everybody back");
    assert_eq!("v1", site.ask(VISITORS, &[("x-canary", "always")]).await?.text());

    site.set_rules("/rollouts/reviews/release", json!("reviews-2"))?;
    let second_weight = rollout.weights[1];
    rollout.step(&mut site, Some(second_weight)).await?;
    let second = people.visit(site.address()).await?;
    assert_share(&second, f64::from(second_weight) / 100.0);
    assert_ne!(first, second, "the next attempt draws anew");

    set_subsets(&mut site.resources, ["v2", "v2"])?;
    rollout.step(&mut site, None).await?;
    assert_eq!(PEOPLE, count(&people.visit(site.address()).await?, "v2"), "the canary is stable now");
    Ok(())
}
