//! A real Envoy with `manifests/envoy/regions`: the filter chooses the version, Envoy the region, with traffic all the time.

#![allow(
    clippy::print_stdout,
    reason = "how many requests fail until it is known that a region is down is worth reading"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_core::{Rules, Surroundings};
use serin_envoy::{Crowd, RULES, Report, Running, Traffic, Upstreams};
use tokio::time::{Instant, sleep};

use crate::support::{assert_share, eventually};

const BOOTSTRAP: &str = include_str!("../../../manifests/envoy/regions/envoy.yaml");
const RESOURCE: &str = include_str!("../../../manifests/envoy/regions/serin.yaml");

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const SOURCE: &str = "/http_filters/0/config_discovery/config_source/path_config_source";
const PLUGIN: &str = "/resources/0/typed_config/config";

const VISITORS: u32 = 300;
const WORKERS: u32 = 2;
/// So many that each worker has some of them.
const CONNECTIONS: u32 = 16;
/// At most so many requests fail when a server stops: each connection has one on its way, and may meet another connection
/// that has gone and is not known to.
const CUT_OFF: u64 = 2 * CONNECTIONS as u64;

#[tokio::test]
async fn a_version_without_a_healthy_region_is_served_by_stable() -> Result<()> {
    let mut site = Site::start().await?;
    let locality = site.visitors("locality.example.com").await?;
    let fail_over = site.visitors("failover.example.com").await?;
    for visitors in [&locality, &fail_over] {
        assert_eq!(["v1-near", "v2-near"], *names(&visitors.at_first));
        assert_share(visitors.at_first.visitor_share("v2-near"), 0.5, VISITORS);
    }
    site.stop("v2-near").await?;
    site.until_missing("locality").await?;
    assert_eq!(["v1-near"], *names(&locality.settled("Locality, v2-near down", 2 * CUT_OFF).await?));
    assert_eq!(["v1-near", "v2-far"], *names(&fail_over.settled("FailOver, v2-near down", CUT_OFF).await?));
    site.stop("v2-far").await?;
    site.until_missing("failover").await?;
    assert_eq!(["v1-near"], *names(&fail_over.settled("FailOver, all of v2 down", 2 * CUT_OFF).await?));
    for region in ["v2-near", "v2-far"] {
        site.start_again(region).await?;
    }
    // A version is missing for ten seconds at a time; a worker that tried it just before finds it a little later.
    sleep(Duration::from_secs(12)).await;
    for (policy, visitors) in [("Locality", locality), ("FailOver", fail_over)] {
        let seen = visitors.settled(&format!("{policy}, v2 back"), CUT_OFF).await?;
        assert_eq!(visitors.at_first.serving, seen.serving);
        visitors.traffic.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn active_active_keeps_visitors_in_their_region_while_it_is_up() -> Result<()> {
    let mut site = Site::start().await?;
    let visitors = site.visitors("active.example.com").await?;
    assert_eq!(["v1-far", "v1-near"], *names(&visitors.at_first));
    assert_share(visitors.at_first.visitor_share("v1-far"), 0.4, VISITORS);
    for _ in 0..5 {
        assert_eq!(visitors.at_first.serving, visitors.settled("ActiveActive", 0).await?.serving);
    }
    for (down, other) in [("v1-far", "v1-near"), ("v1-near", "v1-far")] {
        site.stop(down).await?;
        let seen = visitors.settled(&format!("ActiveActive, {down} down"), CUT_OFF).await?;
        assert_eq!([other], *names(&seen));
        site.start_again(down).await?;
        let seen = visitors.settled(&format!("ActiveActive, {down} back"), 0).await?;
        assert_eq!(visitors.at_first.serving, seen.serving);
    }
    visitors.traffic.stop().await
}

#[tokio::test]
async fn fail_over_goes_to_the_far_region_while_the_near_one_is_down() -> Result<()> {
    let mut site = Site::start().await?;
    let visitors = site.visitors("failover.example.com").await?;
    assert_eq!(["v1-near", "v2-near"], *names(&visitors.at_first));
    for version in ["v2", "v1"] {
        let (near, far) = (format!("{version}-near"), format!("{version}-far"));
        site.stop(&near).await?;
        let seen = visitors.settled(&format!("FailOver, {near} down"), CUT_OFF).await?;
        assert_eq!(with_renamed(&visitors.at_first, &near, &far), seen.serving);
        site.start_again(&near).await?;
        let seen = visitors.settled(&format!("FailOver, {near} back"), 0).await?;
        assert_eq!(visitors.at_first.serving, seen.serving);
    }
    visitors.traffic.stop().await
}

#[test]
fn nothing_is_wrong_or_doubtful_in_the_rules() -> Result<()> {
    let mut resource: Value = serde_saphyr::from_str(RESOURCE)?;
    let document = at(&mut resource, &format!("{PLUGIN}/configuration/value"))?.to_string();
    let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
    assert!(parsed.errors.is_empty() && parsed.warnings.is_empty(), "{:?}, {:?}", parsed.errors, parsed.warnings);
    Ok(())
}

#[test]
fn nothing_but_clusters_retries_and_the_log_differs_from_the_plain_manifest() -> Result<()> {
    let common = |text: &str| {
        let mut root: Value = serde_saphyr::from_str(text)?;
        at(&mut root, "/static_resources/clusters")?.take();
        at(&mut root, &format!("{MANAGER}/access_log"))?.take();
        let host = at(&mut root, &format!("{MANAGER}/route_config/virtual_hosts/0"))?.as_object_mut();
        host.context("this is no virtual host")?.remove("retry_policy");
        anyhow::Ok(root)
    };
    assert_eq!(common(include_str!("../../../manifests/envoy/envoy.yaml"))?, common(BOOTSTRAP)?);
    Ok(())
}

/// A running site: two versions in two regions each, with Envoy in front of them.
struct Site {
    envoy: Running,
    upstreams: Upstreams,
}

impl Site {
    async fn start() -> Result<Self> {
        let path = |name| std::env::var_os(name).with_context(|| format!("{name} is not set: run `cargo xtask test`"));
        let (binary, module) = (PathBuf::from(path("ENVOY")?), PathBuf::from(path("SERIN_WASM")?));
        let upstreams = Upstreams::start(&["v1-near", "v1-far", "v2-near", "v2-far"]).await?;
        let mut resource: Value = serde_saphyr::from_str(RESOURCE)?;
        *at(&mut resource, &format!("{PLUGIN}/vm_config/code/local/filename"))? = json!(module.canonicalize()?);
        let mut bootstrap = bootstrap(&upstreams)?;
        let in_folder = |folder: &Path| {
            let file = folder.join(RULES);
            if let Some(source) = bootstrap.pointer_mut(&format!("{MANAGER}{SOURCE}")) {
                *source = json!({"path": file, "watched_directory": {"path": file.parent()}});
            }
            bootstrap
        };
        let files = [(RULES, &*resource.to_string())];
        let site = Self { envoy: Running::start(&binary, WORKERS, &files, in_folder).await?, upstreams };
        for (name, _) in site.upstreams.addresses() {
            site.until_healthy(name, 1).await?;
        }
        Ok(site)
    }

    /// Traffic on a host, once everybody was there.
    async fn visitors(&self, host: &str) -> Result<Visitors> {
        let crowd = Crowd::new(self.envoy.address(), host, VISITORS.try_into()?, CONNECTIONS.try_into()?)?;
        let traffic = crowd.keep_visiting();
        traffic.round().await?;
        let at_first = crowd.take_report();
        assert_eq!((0, 0), (at_first.moves(), at_first.failed), "{host}: {at_first:?}");
        Ok(Visitors { crowd, traffic, at_first })
    }

    /// Stops a version in a region and waits until the health checks have told the workers.
    async fn stop(&self, name: &str) -> Result<()> {
        self.upstreams.stop(name)?;
        self.until_known(name, 0).await
    }

    /// As [`Site::stop`], for the way back.
    async fn start_again(&mut self, name: &str) -> Result<()> {
        self.upstreams.start_again(name).await?;
        self.until_known(name, 1).await
    }

    async fn until_known(&self, name: &str, healthy: u64) -> Result<()> {
        let begin = Instant::now();
        self.until_healthy(name, healthy).await?;
        println!("{name}: {healthy} of 1 host healthy after {} ms", begin.elapsed().as_millis());
        // Envoy hands its workers the changes of a second together (`update_merge_window`).
        sleep(Duration::from_millis(1_100)).await;
        Ok(())
    }

    async fn until_healthy(&self, name: &str, hosts: u64) -> Result<()> {
        let gauge = format!(r"^cluster\.{name}\.membership_healthy$");
        eventually(hosts, async || self.envoy.sum(&gauge).await).await
    }

    /// Waits until every worker takes v2 of a rollout for missing and has stable serve in its place.
    async fn until_missing(&self, rollout: &str) -> Result<()> {
        let losses = format!(r"^wasmcustom\.serin_missing\.rollout\.{rollout}\.version\.v2$");
        let by_reason = format!(r"^wasmcustom\.serin_decisions\.rollout\.{rollout}\.version\.v1\.reason\.missing$");
        eventually(true, async || {
            Ok(self.envoy.sum(&losses).await? >= WORKERS.into() && self.envoy.sum(&by_reason).await? > 0)
        })
        .await
    }
}

/// Visitors of one host who keep coming.
struct Visitors {
    crowd: Crowd,
    traffic: Traffic,
    /// What they saw at first.
    at_first: Report,
}

impl Visitors {
    /// What is seen once everybody has come again, after at most so many failures on the way there.
    async fn settled(&self, what: &str, most: u64) -> Result<Report> {
        self.traffic.round().await?;
        let change = self.crowd.take_report();
        println!("{what}: {} of {} requests failed on the way", change.failed, change.answered() + change.failed);
        assert!(change.failed <= most, "{what}: {change:?}");
        self.traffic.round().await?;
        let seen = self.crowd.take_report();
        assert_eq!((0, 0), (seen.moves(), seen.failed), "{what}: {seen:?}");
        Ok(seen)
    }
}

/// The manifest on free ports, before these upstreams.
fn bootstrap(upstreams: &Upstreams) -> Result<Value> {
    let mut root: Value = serde_saphyr::from_str(BOOTSTRAP)?;
    for bound in ["/admin", "/static_resources/listeners/0"] {
        *at(&mut root, &format!("{bound}/address/socket_address/port_value"))? = json!(0);
    }
    // One line per request would be all that the log has.
    *at(&mut root, &format!("{MANAGER}/access_log"))? = json!([]);
    let clusters = at(&mut root, "/static_resources/clusters")?.as_array_mut().context("there are no clusters")?;
    for (name, address) in upstreams.addresses() {
        let cluster = clusters.iter_mut().find(|cluster| cluster["name"] == name);
        let cluster = cluster.with_context(|| format!("there is no cluster {name}"))?;
        *at(cluster, "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address")? =
            json!({"address": address.ip(), "port_value": address.port()});
    }
    Ok(root)
}

fn at<'a>(root: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    root.pointer_mut(pointer).with_context(|| format!("the manifest has no {pointer}"))
}

/// Who serves.
fn names(report: &Report) -> Vec<&str> {
    report.serving.keys().map(String::as_str).collect()
}

/// Visitors by who serves them, if `to` does so in the place of `from`.
fn with_renamed(report: &Report, from: &str, to: &str) -> BTreeMap<String, u64> {
    let rename = |name: &String| if name == from { to.to_owned() } else { name.clone() };
    report.serving.iter().map(|(name, count)| (rename(name), *count)).collect()
}
