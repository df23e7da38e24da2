//! The app in a real browser: its cookie, the parts of its pages while weights change, and links that let a visitor in.

mod links;
mod ramp;

use anyhow::{Context, Result, ensure};
use serin_browser::{Browser, Chromium, Cookie, Page, processes_that_name};
use serin_trial::{Programs, Trial};
use time::OffsetDateTime;

/// The trial with a weight for v2, and what starts browsers; none where a program is missing.
async fn start(weight: u32) -> Result<Option<(Trial, Chromium)>> {
    let (Some(programs), Some(chromium)) = (Programs::from_env()?, Chromium::from_env()) else { return Ok(None) };
    let mut trial = Trial::start(&programs).await?;
    trial.set_weight(weight).await?;
    Ok(Some((trial, chromium)))
}

/// The address of a page of the app.
fn page(trial: &Trial, rest: &str) -> String {
    format!("http://{}/{rest}", trial.address())
}

/// A page whose parts all came from its own version.
fn whole(page: Page) -> Result<Page> {
    let misfits = page.misfits();
    ensure!(misfits.is_empty(), "a page of {} has {misfits:?}", page.version());
    Ok(page)
}

/// Becomes one visitor after the other until it is one of this version.
async fn become_one_of(browser: &Browser, address: &str, version: &str) -> Result<()> {
    for _ in 0..40 {
        if whole(browser.open(address).await?)?.version() == version {
            return Ok(());
        }
        browser.become_new().await?;
    }
    anyhow::bail!("forty visitors, and none of them is on {version}")
}

#[tokio::test]
async fn a_visitor_keeps_cookie_and_version_over_reloads_and_restarts() -> Result<()> {
    let Some((trial, chromium)) = start(50).await? else { return Ok(()) };
    let address = page(&trial, "");
    tokio::try_join!(check_visitor(&chromium, &address, "v1"), check_visitor(&chromium, &address, "v2"))?;
    Ok(())
}

/// Whether a visitor of this version stays the same one, and on that version.
async fn check_visitor(chromium: &Chromium, address: &str, version: &str) -> Result<()> {
    let mut browser = chromium.start().await?;
    become_one_of(&browser, address, version).await?;
    let given = cookies(&browser).await?;
    given.iter().for_each(check_attributes);
    for _ in 0..2 {
        for _ in 0..5 {
            assert_eq!(version, whole(browser.reload().await?)?.version());
        }
        browser = browser.restart().await?;
        assert_eq!(version, whole(browser.open(address).await?)?.version());
        assert_eq!(given, cookies(&browser).await?);
    }
    browser.quit().await
}

/// The cookies that Serin has given: the visitor's, and the rollout's with the version of the page.
async fn cookies(browser: &Browser) -> Result<Vec<Cookie<'static>>> {
    Ok(vec![browser.cookie("canary").await?, browser.cookie("canary-shop").await?])
}

/// Whether a cookie is as `docs/rules.md` says, over HTTP.
fn check_attributes(cookie: &Cookie<'_>) {
    let attributes = (cookie.path(), cookie.domain(), cookie.secure(), cookie.http_only());
    assert_eq!((Some("/"), Some("127.0.0.1"), Some(false), Some(true)), attributes, "{cookie}");
    assert_eq!("SameSite=Lax", cookie.to_string().split("; ").find(|part| part.starts_with("SameSite")).unwrap());
    let expiry = cookie.expires_datetime().expect("it is kept for some time");
    let days = (expiry - OffsetDateTime::now_utc()).as_seconds_f64() / 86_400.0;
    assert!((29.9..30.1).contains(&days), "{cookie} is kept for {days} days");
}

#[tokio::test]
async fn an_open_page_keeps_its_version_at_the_steps_to_all_and_back_to_none() -> Result<()> {
    check_open_page("hold: page, at_zero: drain", [["v1", "v1"], ["v2", "v2"]], false).await
}

/// The same without what holds it, so that it is known that the test would notice.
#[tokio::test]
async fn an_open_page_breaks_at_these_steps_where_nothing_is_held() -> Result<()> {
    check_open_page("hold: slot", [["failed to load", "v2"], ["failed to load", "v1"]], true).await
}

/// What a page of v1 that is open at the step to 100, and then a page of v2 that is open at the step to 0, get for `details`
/// and `stock`, and whether anything of that fails.
async fn check_open_page(hold: &str, expected: [[&str; 2]; 2], fails: bool) -> Result<()> {
    let Some((mut trial, chromium)) = start(0).await? else { return Ok(()) };
    if hold != HOLD {
        trial.edit(HOLD, hold).await?;
    }
    let browser = chromium.start().await?;
    browser.open(&page(&trial, "")).await?;
    for (weight, version, expected) in [(100, "v1", expected[0]), (0, "v2", expected[1])] {
        let open = whole(browser.reload().await?)?;
        assert_eq!(version, open.version());
        trial.set_weight(weight).await?;
        browser.more().await?;
        let open = browser.next_look().await?;
        assert_eq!((version, expected), (open.version(), [open.part("details"), open.part("stock")]));
        let details = format!("/assets/details-{version}.js");
        let details =
            open.loaded.iter().find(|loaded| loaded.path == details).context("the details were not loaded")?;
        assert_eq!((if fails { 404 } else { 200 }, false), (details.status, details.cached));
        assert_eq!(fails, !open.misfits().is_empty(), "{open:?}");
    }
    assert_eq!("v1", whole(browser.reload().await?)?.version());
    browser.quit().await
}

/// As in a test that fails; one that has come to its end quits, which fails if a process is left.
#[tokio::test]
async fn nothing_is_left_of_a_browser_that_is_dropped() -> Result<()> {
    let Some(chromium) = Chromium::from_env() else { return Ok(()) };
    let browser = chromium.start().await?;
    let folder = browser.folder().to_owned();
    let running = processes_that_name(&folder)?;
    assert!(running.len() > 2, "{running:?}");
    drop(browser);
    assert_eq!(Vec::<String>::new(), processes_that_name(&folder)?);
    assert!(!folder.exists());
    Ok(())
}

const HOLD: &str = "hold: page, at_zero: drain";
