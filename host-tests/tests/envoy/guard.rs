//! A real Envoy whose guard takes a version out that fails, with traffic all the time.

#![allow(clippy::print_stdout, reason = "how soon, and how many requests failed until then, is worth reading")]

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Behaviour, Crowd, Setup, Visitor};
use tokio::time::{Instant, sleep};

use crate::support::{self, HOST, Site, assert_share, eventually};

const VISITORS: u32 = 300;
/// A worker looks once a second; the other one has heard of it a second later.
const TICK: Duration = Duration::from_millis(1_100);

/// Half of the visitors on v2, and this guard.
fn guarded(guard: &Value) -> Result<Value> {
    let mut document = support::weight(50)?;
    document["rollouts"]["shop"]["guard"] = guard.clone();
    Ok(document)
}

async fn count(site: &Site, what: &str) -> Result<u64> {
    site.envoy.sum(&format!(r"^wasmcustom\.serin_{what}\.rollout\.shop\.version\.v2$")).await
}

/// Waits until the guard has tripped, and tells after how long.
async fn until_out(site: &Site, times: u64) -> Result<Duration> {
    let begin = Instant::now();
    eventually(times, async || count(site, "guard_trips").await).await?;
    Ok(begin.elapsed())
}

#[tokio::test]
async fn a_version_that_fails_is_taken_out() -> Result<()> {
    let guard = json!({"max_percent": 5, "failures": {"slower_than": "800ms"}});
    for behaviour in [
        Behaviour::Status(500),
        Behaviour::Fails(20),
        Behaviour::Late(Duration::from_millis(900)),
        Behaviour::Never,
        Behaviour::Resets,
    ] {
        let site = Site::start(&Setup::from_env()?, guarded(&guard)?).await?;
        let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 32)?;
        crowd.visit(1).await?;
        assert_share(crowd.take_report().visitor_share("v2"), 0.5, VISITORS);
        sleep(2 * TICK).await;
        site.upstreams.set("v2", behaviour)?;
        let traffic = crowd.keep_visiting();
        let out_after = until_out(&site, 1).await?;
        // Evidence is there at once, or as soon as an answer is known to be late; then two ticks.
        assert!(out_after < Duration::from_millis(800) + 2 * TICK, "{behaviour:?}: {out_after:?}");
        sleep(TICK).await;
        let failed = crowd.take_report().failed;
        traffic.round().await?;
        crowd.take_report();
        // A new round has no stragglers of before.
        traffic.round().await?;
        let seen = crowd.take_report();
        assert_eq!((u64::from(VISITORS), 0), (seen.visitors_on("v1"), seen.failed), "{behaviour:?}: {seen:?}");
        traffic.stop().await?;
        let (requests, failures) = (count(&site, "guard_requests").await?, count(&site, "guard_failures").await?);
        println!(
            "{behaviour:?}: out after {out_after:?}; {failed} failed responses to visitors; the guard saw {failures} of {requests}"
        );
        let log = site.envoy.log()?;
        assert_eq!(1, log.matches("rollouts.shop.versions.v2: taken out").count());
    }
    Ok(())
}

#[tokio::test]
async fn it_comes_back_through_a_tenth_with_everybody_in_their_place() -> Result<()> {
    let guard = json!({"max_percent": 5, "window": "10s", "for": "5s"});
    let site = Site::start(&Setup::from_env()?, guarded(&guard)?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 16)?;
    let traffic = crowd.keep_visiting();
    traffic.round().await?;
    let before = crowd.take_report().visitors_on("v2");
    site.upstreams.set("v2", Behaviour::Status(503))?;
    until_out(&site, 1).await?;
    site.upstreams.set("v2", Behaviour::Answers)?;
    sleep(TICK).await;
    traffic.round().await?;
    crowd.take_report();
    let state = |wanted: u64| {
        let envoy = &site.envoy;
        async move { eventually(wanted, async || envoy.sum(r"^wasmcustom\.serin_guard_state\.").await).await }
    };
    state(1).await?;
    sleep(TICK).await;
    traffic.round().await?;
    let trial = crowd.take_report();
    assert_share(trial.visitors_on("v2") as f64 / before as f64, 0.1, before.try_into()?);
    state(0).await?;
    sleep(TICK).await;
    traffic.round().await?;
    let after = crowd.take_report();
    assert_eq!((before, 0), (after.visitors_on("v2"), after.failed), "{after:?}");
    // Whoever was on v2 has left it once and come back once; nobody else has moved.
    let came_back = trial.resettled("v1", "v2") + after.resettled("v1", "v2");
    assert_eq!((before, 0), (came_back, after.resettled("v2", "v1")), "trial {trial:?}, after {after:?}");
    traffic.stop().await?;
    assert_eq!(1, count(&site, "guard_trips").await?);
    Ok(())
}

#[tokio::test]
async fn pushes_while_it_is_out_change_nothing() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, guarded(&json!({"max_percent": 5}))?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    let traffic = crowd.keep_visiting();
    site.upstreams.set("v2", Behaviour::Status(500))?;
    until_out(&site, 1).await?;
    sleep(TICK).await;
    site.upstreams.set("v2", Behaviour::Answers)?;
    traffic.round().await?;
    crowd.take_report();
    for weight in 51..81 {
        let mut document = guarded(&json!({"max_percent": 5}))?;
        document["rollouts"]["shop"]["versions"]["v2"]["weight"] = json!(weight);
        site.envoy.push(document).await?;
    }
    traffic.round().await?;
    let seen = crowd.take_report();
    assert_eq!((u64::from(VISITORS), 0, 0), (seen.visitors_on("v1"), seen.moves(), seen.failed), "{seen:?}");
    // Another release is another attempt.
    let mut next = guarded(&json!({"max_percent": 5}))?;
    next["rollouts"]["shop"]["release"] = json!("next");
    site.envoy.push(next).await?;
    traffic.round().await?;
    assert_share(crowd.take_report().visitor_share("v2"), 0.5, VISITORS);
    traffic.stop().await
}

/// A version is out, another one has a schedule, and documents come and go.
#[tokio::test]
async fn a_thousand_pushes_leave_no_memory_behind() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, guarded(&json!({"max_percent": 5}))?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, 50, 16)?;
    let traffic = crowd.keep_visiting();
    site.upstreams.set("v2", Behaviour::Status(500))?;
    until_out(&site, 1).await?;
    traffic.stop().await?;
    let mut kibibytes = Vec::new();
    for push in 1..=1_200 {
        let mut document = guarded(&json!({"max_percent": 5}))?;
        let release = format!("r{push}");
        let schedule = json!({"version": "b", "start": "2026-11-21T09:00:00Z", "steps": [{"weight": 50}]});
        document["rollouts"][format!("other-{push}")] = json!({
            "match": [{"hosts": [format!("h{push}.example.com")]}], "stable": "a", "release": release,
            "versions": {"a": {"cluster": "v1"}, "b": {"cluster": "v1"}},
            "schedule": schedule, "guard": {"max_percent": 5},
        });
        site.envoy.push(document).await?;
        let host = format!("h{push}.example.com");
        let reply = Visitor::of(HOST)?.get(&mut site.connection(), "/", &[("host", &host)]).await?;
        assert_eq!("v1", reply.text(), "{host}");
        // The first pushes have the allocator find its size.
        if push == 200 || push == 1_200 {
            kibibytes.push(resident(site.envoy.id())?);
        }
    }
    println!("{} KiB after 200 pushes, {} KiB after 1,200", kibibytes[0], kibibytes[1]);
    assert!(kibibytes[1] < kibibytes[0] + 8 * 1_024, "{kibibytes:?}");
    crowd.visit(1).await?;
    assert_eq!(50, crowd.take_report().visitors_on("v1"));
    Ok(())
}

/// The resident memory of a process, in KiB (`proc_pid_status(5)`).
fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[tokio::test]
async fn another_proxy_hears_of_it_from_the_visitor() -> Result<()> {
    let guard = json!({"max_percent": 5, "share": "cookie"});
    let here = Site::start(&Setup::from_env()?, guarded(&guard)?).await?;
    let elsewhere = Site::start(&Setup::from_env()?, guarded(&guard)?).await?;
    let mut visitor = Visitor::of(HOST)?;
    let (mut one, mut other) = (here.connection(), elsewhere.connection());
    while visitor.get(&mut one, "/", &[]).await?.text() != "v2" {
        visitor = Visitor::of(HOST)?;
    }
    assert_eq!("v2", visitor.get(&mut other, "/", &[]).await?.text());
    here.upstreams.set("v2", Behaviour::Status(500))?;
    let crowd = Crowd::new(here.envoy.address(), HOST, 50, 4)?;
    crowd.visit(2).await?;
    until_out(&here, 1).await?;
    sleep(TICK).await;
    here.upstreams.set("v2", Behaviour::Answers)?;
    for connection in [&mut one, &mut other] {
        assert_eq!("v1", visitor.get(connection, "/", &[]).await?.text());
    }
    assert_eq!(0, count(&elsewhere, "guard_trips").await?);
    Ok(())
}
