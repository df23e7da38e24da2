//! Pages that are opened while a schedule takes v2 from a tenth of the visitors to all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serin_browser::{Browser, Chromium};
use serin_trial::Trial;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{become_one_of, page, start, whole};

#[tokio::test]
async fn every_page_of_a_ramp_has_all_its_parts_from_its_own_version() -> Result<()> {
    let Some((mut trial, chromium)) = start(10).await? else { return Ok(()) };
    let address = page(&trial, "");
    let browsers = tokio::try_join!(on_v1(&chromium, &address), on_v1(&chromium, &address))?;
    let browsers = [browsers.0, browsers.1];
    begin(&mut trial).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut all = JoinSet::new();
    for browser in browsers {
        all.spawn(come_again_and_again(browser, address.clone(), Arc::clone(&is_over)));
    }
    until_over(&trial).await?;
    is_over.store(true, Ordering::Relaxed);
    let mut changes = 0;
    while let Some(visitors) = all.join_next().await {
        for visits in visitors?? {
            changes += changes_of(&visits)?;
        }
    }
    ensure!(changes >= 2, "only {changes} visitors have changed");
    Ok(())
}

/// A browser whose visitor is on v1, so that there is somebody who changes.
async fn on_v1(chromium: &Chromium, address: &str) -> Result<Browser> {
    let browser = chromium.start().await?;
    browser.disable_cache().await?;
    become_one_of(&browser, address, "v1").await?;
    Ok(browser)
}

/// A page that a visitor has opened.
#[derive(Debug)]
struct Visit {
    version: String,
    asked: Instant,
    there: Instant,
}

/// Opens the page over and over, as another visitor after each that has seen v2 some times. Every visitor's pages.
async fn come_again_and_again(browser: Browser, address: String, is_over: Arc<AtomicBool>) -> Result<Vec<Vec<Visit>>> {
    let mut visitors = vec![Vec::new()];
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        let asked = Instant::now();
        browser.open(&address).await?;
        let page = whole(browser.more().await?)?;
        let loaded = page.loaded.iter().filter(|loaded| !loaded.cached).count();
        ensure!(loaded >= PARTS, "the browser has asked for {loaded} parts only: {page:?}");
        let version = page.version().to_owned();
        let visits = visitors.last_mut().context("there is a visitor")?;
        visits.push(Visit { version, asked, there: Instant::now() });
        if is_last {
            ensure!(page.version() == "v2", "a page of {} after the ramp", page.version());
            return browser.quit().await.map(|()| visitors);
        }
        if visits.iter().filter(|visit| visit.version == "v2").count() == 4 {
            browser.become_new().await?;
            visitors.push(Vec::new());
        }
    }
}

/// 1 if the visitor has changed from v1 to v2, else 0; an error if from v2 to v1. Two workers are up to a second apart in a
/// schedule, and for so long (twice that here) a visitor between two weights gets either version.
fn changes_of(visits: &[Visit]) -> Result<usize> {
    let Some(first) = visits.iter().position(|visit| visit.version == "v2") else { return Ok(0) };
    let late = visits[first].there + Duration::from_secs(2);
    let back = visits[first..].iter().find(|visit| visit.version == "v1" && visit.asked > late);
    ensure!(back.is_none(), "a visitor went back to v1: {visits:?}");
    Ok(usize::from(first > 0))
}

/// Begins the trial's schedule, shortened.
async fn begin(trial: &mut Trial) -> Result<()> {
    trial.edit("{weight: 10, to: 50, for: 2m}", "{weight: 10, to: 100, for: 10s}").await?;
    trial.edit("{weight: 50, for: 1m}", "{weight: 100, for: 1s}").await?;
    // Later than the first pages, which are to be of v1.
    let start = (OffsetDateTime::now_utc() + Duration::from_secs(5)).format(&Rfc3339)?;
    trial.edit("2100-01-01T00:00:00Z", &start).await
}

/// Waits until the last step has begun in every worker.
async fn until_over(trial: &Trial) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(40);
    while trial.envoy().values(r"^wasmcustom\.serin_schedule_step\.rollout\.shop$").await? != [3] {
        ensure!(Instant::now() < end, "the schedule does not come to its last step");
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Style, script, picture, stock and details.
const PARTS: usize = 5;
