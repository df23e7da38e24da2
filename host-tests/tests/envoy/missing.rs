//! A real Envoy with a version whose upstream or cluster is gone, with traffic all the time.

#![allow(clippy::print_stdout, reason = "how many requests fail until it is known is worth reading")]

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use serin_envoy::{Crowd, Report, Setup, Traffic};
use tokio::time::sleep;

use crate::support::{self, HOST, Site, assert_share, eventually};

const VISITORS: u32 = 200;
const WORKERS: u64 = 2;

async fn losses(site: &Site) -> Result<u64> {
    site.envoy.sum(r"^wasmcustom\.serin_missing\.rollout\.shop\.version\.v2$").await
}

/// Traffic on a site, half of it on v2, once that is so.
async fn busy(site: &Site) -> Result<(Crowd, Traffic)> {
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 16)?;
    let traffic = crowd.keep_visiting();
    traffic.round().await?;
    assert_share(crowd.take_report().visitor_share("v2"), 0.5, VISITORS);
    Ok((crowd, traffic))
}

/// What is seen for a while in which v2 is gone, and longer than a version is missing at a time.
async fn without_v2(name: &str, crowd: &Crowd, traffic: &Traffic, site: &Site) -> Result<Report> {
    eventually(true, async || Ok(losses(site).await? >= WORKERS)).await?;
    let at_first = crowd.take_report().failed;
    sleep(Duration::from_secs(25)).await;
    traffic.round().await?;
    let seen = crowd.take_report();
    let lost = losses(site).await?;
    println!(
        "{name}: {at_first} requests failed until it was known, then {} of {} in 25 s; missing {lost} times on {WORKERS} workers",
        seen.failed,
        seen.answered() + seen.failed
    );
    assert_eq!(u64::from(VISITORS), seen.visitors_on("v1"), "{seen:?}");
    // However often it was tried in between, a worker has lost it once.
    assert_eq!((0, WORKERS), (seen.requests_on("v2"), lost), "{seen:?}");
    // One request a worker tries again every ten seconds, beside those that are on their way already.
    assert!(seen.failed <= 4 * WORKERS, "{seen:?}");
    Ok(seen)
}

/// Everybody is in their place again after ten seconds, and nothing fails.
async fn back(crowd: &Crowd, traffic: &Traffic) -> Result<()> {
    sleep(Duration::from_secs(12)).await;
    traffic.round().await?;
    crowd.take_report();
    traffic.round().await?;
    let seen = crowd.take_report();
    assert_eq!((0, 0), (seen.moves(), seen.failed), "{seen:?}");
    assert_share(seen.visitor_share("v2"), 0.5, VISITORS);
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_refuses_is_left_alone_for_ten_seconds_at_a_time() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, support::weight(50)?).await?;
    let (crowd, traffic) = busy(&site).await?;
    site.upstreams.stop("v2")?;
    without_v2("refused", &crowd, &traffic, &site).await?;
    site.upstreams.start_again("v2").await?;
    back(&crowd, &traffic).await?;
    traffic.stop().await
}

#[tokio::test]
async fn a_cluster_that_is_removed_is_noticed_at_the_first_request() -> Result<()> {
    let site = Site::start(&Setup::from_env()?.discover("v2"), support::weight(50)?).await?;
    let (crowd, traffic) = busy(&site).await?;
    site.envoy.push_clusters(&[]).await?;
    without_v2("no cluster", &crowd, &traffic, &site).await?;
    let (_, address) = site.upstreams.addresses().find(|(name, _)| *name == "v2").context("there is a v2")?;
    let socket = json!({"address": address.ip(), "port_value": address.port()});
    let endpoint = json!({"endpoint": {"address": {"socket_address": socket}}});
    let cluster = json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": "v2",
        "load_assignment": {"cluster_name": "v2", "endpoints": [{"lb_endpoints": [endpoint]}]},
    });
    site.envoy.push_clusters(&[cluster]).await?;
    back(&crowd, &traffic).await?;
    traffic.stop().await
}
