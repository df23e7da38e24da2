//! The app through Envoy, without a browser.

use std::time::Duration;

use anyhow::{Result, ensure};
use serin_envoy::{Connection, Visitor};
use serin_trial::{Programs, Trial};
use tokio::time::{Instant, sleep};

const PAGE: (&str, &str) = ("sec-fetch-dest", "document");

#[tokio::test]
async fn pages_follow_the_weight_and_assets_their_page() -> Result<()> {
    let Some(programs) = Programs::from_env()? else { return Ok(()) };
    let mut trial = Trial::start(&programs).await?;
    let mut connection = Connection::to(trial.address());
    trial.set_weight(0).await?;
    let mut visitor = Visitor::of("localhost")?;
    let page = visitor.get(&mut connection, "/", &[PAGE]).await?;
    assert!(page.text().contains("data-version=\"v1\""), "{}", page.text());
    trial.set_weight(100).await?;
    for path in ["/assets/shop-v1.css", "/assets/shop-v1.js", "/assets/details-v1.js", "/api/stock"] {
        let reply = visitor.get(&mut connection, path, &[("sec-fetch-dest", "script")]).await?;
        assert_eq!(200, reply.status, "{path}");
    }
    let page = visitor.get(&mut connection, "/", &[PAGE]).await?;
    assert!(page.text().contains("data-version=\"v2\""), "{}", page.text());
    assert_eq!(404, visitor.get(&mut connection, "/assets/shop-v1.css", &[]).await?.status);
    Ok(())
}

#[tokio::test]
async fn a_broken_version_is_taken_out_by_its_guard() -> Result<()> {
    let Some(programs) = Programs::from_env()? else { return Ok(()) };
    let mut trial = Trial::start(&programs).await?;
    trial.set_weight(50).await?;
    trial.set_broken("v2", true)?;
    let _visitors = trial.visitors(20, Duration::ZERO)?;
    let end = Instant::now() + Duration::from_secs(30);
    let state = r"^wasmcustom\.serin_guard_state\.rollout\.shop\.version\.v2$";
    while trial.envoy().sum(state).await? != 2 {
        ensure!(Instant::now() < end, "the guard does not trip");
        sleep(Duration::from_millis(100)).await;
    }
    // The other worker knows within two seconds.
    sleep(Duration::from_secs(2)).await;
    let mut connection = Connection::to(trial.address());
    for _ in 0..20 {
        assert_eq!(200, Visitor::of("localhost")?.get(&mut connection, "/api/stock", &[PAGE]).await?.status);
    }
    Ok(())
}

#[tokio::test]
async fn stable_serves_in_the_place_of_a_version_that_is_gone() -> Result<()> {
    let Some(programs) = Programs::from_env()? else { return Ok(()) };
    let mut trial = Trial::start(&programs).await?;
    trial.set_weight(100).await?;
    trial.stop("v2")?;
    let end = Instant::now() + Duration::from_secs(30);
    let mut served = 0;
    // Each worker finds out by itself; thirty visitors in a row on connections of their own meet both.
    while served < 30 {
        let mut connection = Connection::to(trial.address());
        let page = Visitor::of("localhost")?.get(&mut connection, "/", &[PAGE]).await?;
        let found = page.status == 200 && page.text().contains("data-version=\"v1\"");
        served = if found { served + 1 } else { 0 };
        ensure!(Instant::now() < end, "still {}: {}", page.status, page.text());
    }
    Ok(())
}
