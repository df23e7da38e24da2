//! `manifests/istio`, every combination of its files: weights, stickiness, overrides, a ramp, mistakes, and the way back.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_planes::istio::{Module, Place, Proxy};

use crate::people::{People, assert_moves, assert_share, count};
use crate::site::{CALLERS, Control, Entry, Site, VISITORS, WEIGHT};

const PEOPLE: usize = 400;

/// What is tried with every combination.
async fn check(folder: &str, proxy: Proxy, entry: Entry, plugin: &str, routes: &str) -> Result<()> {
    let mut files = vec![format!("istio/{folder}/{plugin}.yaml"), format!("istio/{folder}/{routes}.yaml")];
    if folder == "waypoint" {
        files.push("istio/waypoint/waypoint.yaml".to_owned());
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut site = Site::start(Control::istio(proxy)?, &files).await?;
    journey(&mut site, entry).await?;

    site.follow(&format!("istio/{folder}/README.md"), &plugin.replace('-', ""), "off").await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, entry).await?, "v1"));
    assert_eq!("v1", site.ask(entry, &[("x-canary", "v2")]).await?.text(), "overrides are back as well");
    Ok(())
}

/// From a tenth to a half, with a mistake on the way.
pub(crate) async fn journey(site: &mut Site, entry: Entry) -> Result<()> {
    let mut people = People::new(PEOPLE, entry)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    assert_eq!(first, people.visit(site.address()).await?, "nobody moves by itself");
    for version in ["v1", "v2"] {
        assert_eq!(version, site.ask(entry, &[("x-canary", version)]).await?.text());
    }
    let forged = people.visit_with(site.address(), &[("x-canary-version", "v2")]).await?;
    assert_eq!(first, forged, "a client's own header chooses nothing");

    site.rules(WEIGHT, json!(50)).await?;
    let half = people.visit(site.address()).await?;
    assert_share(&half, 0.5);
    assert_moves(&first, &half, "v1", "v2");

    site.rules(WEIGHT, json!("many")).await?;
    assert_eq!(half, people.visit(site.address()).await?, "a mistake changes nothing");
    let mistakes = site.mistakes()?;
    assert!(mistakes.iter().any(|line| line.contains("rollouts.reviews.versions.v2.weight")), "{mistakes:?}");

    site.rules(WEIGHT, json!(0)).await?;
    let none = people.visit(site.address()).await?;
    assert_eq!(PEOPLE, count(&none, "v1"), "a weight of 0 takes everybody out");
    assert_eq!("v2", site.ask(entry, &[("x-canary", "v2")]).await?.text(), "an override still gets it");
    site.rules(WEIGHT, json!(50)).await?;
    assert_eq!(half, people.visit(site.address()).await?, "and the same come in again");
    Ok(())
}

/// A test for every way to write one place down.
macro_rules! combinations {
    ($($place:ident: $proxy:expr, $entry:expr;)*) => {$(
        mod $place {
            use super::*;

            #[tokio::test]
            async fn wasm_plugin_and_virtual_service() -> Result<()> {
                check(stringify!($place), $proxy, $entry, "wasm-plugin", "virtual-service").await
            }

            #[tokio::test]
            async fn wasm_plugin_and_http_route() -> Result<()> {
                check(stringify!($place), $proxy, $entry, "wasm-plugin", "http-route").await
            }

            #[tokio::test]
            async fn traffic_extension_and_virtual_service() -> Result<()> {
                check(stringify!($place), $proxy, $entry, "traffic-extension", "virtual-service").await
            }

            #[tokio::test]
            async fn traffic_extension_and_http_route() -> Result<()> {
                check(stringify!($place), $proxy, $entry, "traffic-extension", "http-route").await
            }
        }
    )*};
}

combinations! {
    gateway: Proxy::gateway(), VISITORS;
    sidecar: Proxy::sidecar(Place::Outbound, "productpage"), CALLERS;
    waypoint: Proxy::waypoint(), CALLERS;
}

#[tokio::test]
async fn one_route_for_all_versions() -> Result<()> {
    let files =
        ["wasm-plugin", "virtual-service", "envoy-filter"].map(|name| format!("istio/presence-route/{name}.yaml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut site = Site::start(Control::istio(Proxy::gateway())?, &files).await?;
    journey(&mut site, VISITORS).await?;
    let canary = "outbound|9080|v2|reviews.shop.svc.cluster.local";
    let forged = site.ask(VISITORS, &[("x-canary-cluster", canary), ("x-canary", "never")]).await?;
    assert_eq!("v1", forged.text());
    let seen = site.ask_for(VISITORS.host, "/reviews/headers", &[("x-canary", "always")]).await?;
    assert!(!seen.text().contains("x-canary-cluster"), "the application sees {}", seen.text());
    site.follow("istio/presence-route/README.md", "wasmplugin", "off").await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    Ok(())
}

/// A client's copy of the header that names the cluster is gone before routing, also while there is no filter to take it away.
#[tokio::test]
async fn one_route_for_all_versions_is_closed_to_clients() -> Result<()> {
    let files =
        ["wasm-plugin", "virtual-service", "envoy-filter"].map(|name| format!("istio/presence-route/{name}.yaml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut site = Site::start(Control::Istio(Proxy::gateway(), Module::Missing), &files).await?;
    assert_eq!(PEOPLE, count(&site.draw(PEOPLE, VISITORS).await?, "v1"));
    let forged = [("x-canary-cluster", "outbound|9080|v2|reviews.shop.svc.cluster.local")];
    assert_eq!("v1", site.ask(VISITORS, &forged).await?.text());

    // By the first of the patches: without it the header leads to v2.
    site.resources.edit("EnvoyFilter", "serin", |filter| {
        let patches = filter.pointer_mut("/spec/configPatches").and_then(Value::as_array_mut);
        patches.context("there are patches")?.remove(0);
        Ok(())
    })?;
    site.send().await?;
    assert_eq!("v2", site.ask(VISITORS, &forged).await?.text());
    Ok(())
}

/// Every name that callers have for the Service, with its port and without; any other one gets stable. No cookie comes back.
async fn check_names(folder: &str, plugin: &str, proxy: Proxy) -> Result<Site> {
    let files = [plugin, "virtual-service", "waypoint"].map(|name| format!("istio/{folder}/{name}.yaml"));
    let all: Vec<&str> = files.iter().map(String::as_str).collect();
    let site = Site::start(Control::istio(proxy)?, if folder == "waypoint" { &all } else { &all[..2] }).await?;
    let ask = async |host: &str, override_: &str| {
        let request = hyper::Request::get("/").header("host", host).header("x-canary", override_);
        serin_envoy::Connection::to(site.address()).get(request).await
    };
    for name in ["reviews", "reviews.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local"] {
        for host in [name.to_owned(), format!("{name}:9080")] {
            let (chosen, drawn) = (ask(&host, "v2").await?, ask(&host, "").await?);
            assert_eq!("v2", chosen.text(), "{folder} {plugin} {host}");
            for reply in [chosen, drawn] {
                assert_eq!(0, reply.values("set-cookie").len(), "{folder} {plugin} {host}: {:?}", reply.headers);
            }
        }
    }
    assert_eq!("v1", ask("reviews.shop.svc.cluster.local.", "v2").await?.text(), "{folder} {plugin}");
    Ok(site)
}

#[tokio::test]
async fn a_sidecar_decides_for_every_name_of_the_service() -> Result<()> {
    for plugin in ["wasm-plugin", "traffic-extension"] {
        let site = check_names("sidecar", plugin, Proxy::sidecar(Place::Outbound, "productpage")).await?;
        // Another Service is not the rollout's, and keeps its own way.
        assert_eq!("v2", site.ask_for("reviews-v2", "/", &[("x-canary", "v1")]).await?.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_waypoint_decides_for_every_name_of_the_service() -> Result<()> {
    for plugin in ["wasm-plugin", "traffic-extension"] {
        check_names("waypoint", plugin, Proxy::waypoint()).await?;
    }
    Ok(())
}

/// Without `match` the plugin is on the inbound side of a workload as well, where there is nothing to choose.
#[tokio::test]
async fn the_inbound_side_of_a_sidecar_is_left_alone() -> Result<()> {
    let files = ["istio/sidecar/wasm-plugin.yaml"];
    let entry = Entry { by_id: false, ..CALLERS };
    let mut resources = crate::site::resources(&files)?;
    resources.edit("WasmPlugin", "serin", |plugin| {
        crate::site::set(plugin, "/spec/match", json!(null))?;
        crate::site::set(plugin, "/spec/selector/matchLabels/app", json!("reviews"))?;
        crate::site::set(plugin, "/spec/pluginConfig/cookie", json!(null))?;
        crate::site::set(plugin, &format!("/spec/pluginConfig{WEIGHT}"), json!(100))
    })?;
    let mut site = Site::with(Control::istio(Proxy::sidecar(Place::Inbound, "reviews"))?, resources).await?;
    let sent = [("x-canary", "v2"), ("x-canary-version", "v9")];
    let reply = site.ask_for(entry.host, "/headers", &sent).await?;
    assert!(reply.values("set-cookie").is_empty(), "{:?}", reply.headers);
    assert!(reply.text().contains(r#"["x-canary-version","v9"]"#), "what the caller's side wrote: {}", reply.text());

    // The same, told to decide, as a waypoint has to be.
    site.rules("/inbound", json!("decide")).await?;
    let reply = site.ask_for(entry.host, "/headers", &sent).await?;
    assert_eq!(0, reply.values("set-cookie").len(), "an override needs no number");
    assert!(reply.text().contains(r#"["x-canary-version","v2"]"#), "{}", reply.text());
    assert_eq!(1, site.ask(entry, &[]).await?.values("set-cookie").len());
    site.until(r"^wasmcustom\.serin_decisions\..*", 2).await
}

/// Behind a gateway that decides: what came in counts, and what is not listed is decided here.
#[tokio::test]
async fn a_sidecar_follows_what_an_earlier_hop_has_decided() -> Result<()> {
    let files = ["istio/sidecar/traffic-extension.yaml", "istio/sidecar/http-route.yaml"];
    let mut site = Site::start(Control::istio(Proxy::sidecar(Place::Outbound, "productpage"))?, &files).await?;
    site.rules("/rollouts/reviews/inherit", json!(true)).await?;
    let mut people = People::new(PEOPLE, CALLERS)?;
    for version in ["v1", "v2"] {
        let answers = people.visit_with(site.address(), &[("x-canary-version", version)]).await?;
        assert_eq!(PEOPLE, count(&answers, version));
    }
    assert_share(&people.visit_with(site.address(), &[("x-canary-version", "v9")]).await?, 0.1);
    assert_share(&people.visit(site.address()).await?, 0.1);
    Ok(())
}
