//! Connections that stay open while rules change.

use anyhow::Result;
use serde_json::json;
use serin_envoy::{Connection, Crowd, Visitor};
use serin_planes::istio::Proxy;

use crate::site::{Control, Site, VISITORS, WEIGHT};

const ISTIO: [&str; 2] = ["istio/gateway/wasm-plugin.yaml", "istio/gateway/virtual-service.yaml"];
const ENVOY_GATEWAY: [&str; 3] =
    ["envoy-gateway/gateway.yaml", "envoy-gateway/http-route.yaml", "envoy-gateway/policy-on-gateway.yaml"];

/// What new visitors get on a connection, and whether Envoy asks for its end.
async fn on(connection: &mut Connection) -> Result<(String, bool)> {
    let reply = Visitor::of(VISITORS.host)?.get(connection, VISITORS.path, &[]).await?;
    Ok((reply.text(), reply.values("connection").contains(&"close".to_owned())))
}

#[tokio::test]
async fn in_istio_the_next_request_follows_the_new_rules() -> Result<()> {
    let mut site = Site::start(Control::istio(Proxy::gateway())?, &ISTIO).await?;
    site.rules(WEIGHT, json!(0)).await?;
    let mut connection = Connection::to(site.address());
    let mut expected = "v1";
    for weight in [0, 100, 0] {
        if weight != 0 || expected == "v2" {
            site.rules(WEIGHT, json!(weight)).await?;
            expected = if weight == 100 { "v2" } else { "v1" };
        }
        assert_eq!((expected.to_owned(), false), on(&mut connection).await?);
    }
    let opened = site.plane.running().sum(r"^http\.outbound_0\.0\.0\.0_80;\.downstream_cx_total$").await?;
    assert_eq!(1, opened, "all over the one connection");
    Ok(())
}

#[tokio::test]
async fn in_envoy_gateway_a_connection_ends_with_the_old_rules() -> Result<()> {
    let mut site = Site::start(Control::envoy_gateway().await?, &ENVOY_GATEWAY).await?;
    site.rules(WEIGHT, json!(0)).await?;
    let mut connection = Connection::to(site.address());
    assert_eq!(("v1".to_owned(), false), on(&mut connection).await?);
    site.rules(WEIGHT, json!(100)).await?;
    assert_eq!(("v2".to_owned(), false), on(&mut Connection::to(site.address())).await?);
    assert_eq!(("v1".to_owned(), true), on(&mut connection).await?);
    assert_eq!(("v2".to_owned(), false), on(&mut connection).await?, "the client has opened another");
    let running = site.plane.running();
    // A listener that has nothing but a default filter chain, as that for HTTP, is replaced as a whole.
    assert_eq!(2, running.sum(r"^listener_manager\.listener_modified$").await?);
    Ok(())
}

/// Weights in the route are no matter of the listener.
#[tokio::test]
async fn in_envoy_gateway_weights_in_the_route_close_nothing() -> Result<()> {
    let files = ["gateway", "route-weights/http-route", "route-weights/policy"]
        .map(|name| format!("envoy-gateway/{name}.yaml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut site = Site::start(Control::envoy_gateway().await?, &files).await?;
    let mut connection = Connection::to(site.address());
    for (weights, expected) in [([100, 0], "v1"), ([0, 100], "v2"), ([100, 0], "v1")] {
        site.resources.edit("HTTPRoute", "reviews", |route| {
            for (number, weight) in weights.into_iter().enumerate() {
                crate::site::set(route, &format!("/spec/rules/2/backendRefs/{number}/weight"), json!(weight))?;
            }
            Ok(())
        })?;
        site.send().await?;
        assert_eq!((expected.to_owned(), false), on(&mut connection).await?);
    }
    let opened = site.plane.running().sum(r"^http\.http-10080\.downstream_cx_total$").await?;
    assert_eq!(1, opened, "all over the one connection");
    Ok(())
}

/// Rules change again and again while people come: no request fails.
async fn check(control: Control, files: &[&str]) -> Result<()> {
    let mut site = Site::start(control, files).await?;
    let crowd = Crowd::new(site.address(), VISITORS.host, 50, 6)?;
    let traffic = crowd.keep_visiting_as(serin_envoy::Ask::path(VISITORS.path));
    for weight in [json!(30), json!("many"), json!(100), json!(60), json!(0)] {
        site.rules(WEIGHT, weight).await?;
        traffic.round().await?;
    }
    traffic.stop().await?;
    let report = crowd.take_report();
    assert_eq!((0, 50), (report.failed, report.visitors_on("v1")), "{report:?}");
    Ok(())
}

#[tokio::test]
async fn no_request_fails_while_istio_sends_new_rules() -> Result<()> {
    check(Control::istio(Proxy::gateway())?, &ISTIO).await
}

#[tokio::test]
async fn no_request_fails_while_envoy_gateway_sends_new_rules() -> Result<()> {
    check(Control::envoy_gateway().await?, &ENVOY_GATEWAY).await
}
