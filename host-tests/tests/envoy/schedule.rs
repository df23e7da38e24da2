//! A real Envoy whose weights follow the clock, with traffic all the time.

#![allow(clippy::print_stdout, reason = "the shares that were measured are worth reading")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Crowd, Setup, Traffic};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use crate::support::{self, HOST, Site, assert_share, eventually};

const VISITORS: u32 = 500;

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// A moment as RFC 3339 has it.
fn moment(seconds: u64) -> Result<String> {
    Ok(OffsetDateTime::from_unix_timestamp(seconds.try_into()?)?.format(&Rfc3339)?)
}

fn scheduled(start: u64, steps: &Value, pauses: &Value) -> Result<Value> {
    let mut document = support::with_v2(&json!({}))?;
    let shop = &mut document["rollouts"]["shop"];
    shop["versions"]["v2"] = json!({"cluster": "v2"});
    shop["schedule"] = json!({"version": "v2", "start": moment(start)?, "steps": steps, "pauses": pauses});
    Ok(document)
}

/// Waits until the gauge of the step shows this, and one tick more, so that every worker has had its own. Until then a visitor
/// at the edge gets what the worker at hand has.
async fn in_step(site: &Site, step: u64) -> Result<()> {
    eventually(vec![step], async || site.envoy.values(r"^wasmcustom\.serin_schedule_step\.").await).await?;
    sleep(Duration::from_millis(1_100)).await;
    Ok(())
}

/// The share of v2 from now on, over a whole round; nobody has moved back and nothing failed.
async fn measured(crowd: &Crowd, traffic: &Traffic) -> Result<f64> {
    traffic.round().await?;
    let seen = crowd.take_report();
    assert_eq!((0, 0), (seen.resettled("v2", "v1"), seen.failed), "{seen:?}");
    traffic.round().await?;
    assert_eq!(0, crowd.take_report().moves(), "everybody stays");
    Ok(seen.visitor_share("v2"))
}

#[tokio::test]
async fn steps_run_through_pause_and_go_on() -> Result<()> {
    let steps = json!([{"weight": 30, "for": "8s"}, {"weight": 60, "for": "8s"}, {"weight": 100}]);
    let mut site = Site::start(&Setup::from_env()?, scheduled(now()? + 86_400, &steps, &json!([]))?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    let traffic = crowd.keep_visiting();
    traffic.round().await?;
    let start = now()? + 4;
    site.envoy.push(scheduled(start, &steps, &json!([]))?).await?;
    traffic.round().await?;
    assert_eq!(u64::from(VISITORS), crowd.take_report().visitors_on("v1"), "before the start");
    in_step(&site, 1).await?;
    let first = measured(&crowd, &traffic).await?;
    assert_share(first, 0.3, VISITORS);
    // Paused by hand in the first step, for longer than it lasts.
    let paused = now()?;
    site.envoy.push(scheduled(start, &steps, &json!([{"from": moment(paused)?}]))?).await?;
    sleep(Duration::from_secs(9)).await;
    assert!((measured(&crowd, &traffic).await? - first).abs() < f64::EPSILON, "nobody moves in a pause");
    let pause = json!([{"from": moment(paused)?, "to": moment(now()?)?}]);
    site.envoy.push(scheduled(start, &steps, &pause)?).await?;
    for (step, share) in [(2, 0.6), (3, 1.0)] {
        in_step(&site, step).await?;
        let found = measured(&crowd, &traffic).await?;
        println!("step {step}: {:.1} % of {VISITORS} visitors, {:.0} % meant", found * 100.0, share * 100.0);
        assert_share(found, share, VISITORS);
    }
    traffic.stop().await?;
    let log = site.envoy.log()?;
    let said: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("rollouts.shop.schedule: ")).map(|(_, what)| what).collect();
    let begin = |part: &str| said.iter().filter(|line| line.starts_with(part)).count();
    let once = ["before step 1 of 3", "paused in step 1 of 3", "in step 2 of 3", "in step 3 of 3"].map(begin);
    assert_eq!(([1; 4], 2), (once, begin("in step 1 of 3")), "one line an Envoy at every change: {said:#?}");
    Ok(())
}

#[tokio::test]
async fn a_ramp_moves_visitors_one_way_only() -> Result<()> {
    let start = now()? + 2;
    let steps = json!([{"weight": 0, "to": 100, "for": "10s"}]);
    // Two workers may be a second apart.
    let setup = Setup::from_env()?.workers(1);
    let site = Site::start(&setup, scheduled(start, &steps, &json!([]))?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    let traffic = crowd.keep_visiting();
    let mut shares = Vec::new();
    while now()? < start + 12 {
        traffic.round().await?;
        let seen = crowd.take_report();
        assert_eq!((0, 0), (seen.moved("v2", "v1"), seen.failed), "{seen:?}");
        shares.push(seen.visitor_share("v2"));
        sleep(Duration::from_millis(500)).await;
    }
    traffic.stop().await?;
    let between = shares.iter().filter(|share| (0.05..0.95).contains(*share)).count();
    assert!(shares.is_sorted() && between > 5, "{shares:?}");
    assert!((shares.last().context("nothing was measured")? - 1.0).abs() < f64::EPSILON, "{shares:?}");
    Ok(())
}
