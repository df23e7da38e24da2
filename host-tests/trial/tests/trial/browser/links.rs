//! Links with an override token: a signed one lets its visitor in, a forged one does not.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use serin_core::{Rules, Surroundings, Time};
use serin_trial::{KEY, Trial};
use tokio::time::{Instant, sleep};

use super::{page, start, whole};

#[tokio::test]
async fn a_signed_link_lets_a_visitor_in_and_a_forged_one_does_not() -> Result<()> {
    let Some((trial, chromium)) = start(0).await? else { return Ok(()) };
    let plain = page(&trial, "");
    let link = |token: &str| page(&trial, &format!("?canary={token}"));
    let rules = rules(&trial, KEY.1)?;
    let now = Time::from_unix_seconds(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs());
    let signed = token(&rules, "shop", now.plus(HOUR))?;

    let mut browser = chromium.start().await?;
    let forged = forged(&trial, &rules, &signed, now)?;
    for (what, token) in &forged {
        assert_ne!(&signed, token, "{what}");
        for address in [&link(token), &plain] {
            let page = whole(browser.open(address).await?)?;
            assert_eq!(("v1", false), (page.version(), page.decision.contains("override")), "{what}");
        }
        browser.become_new().await?;
    }
    until_ignored(&trial, forged.len()).await?;

    for (address, restarts) in [(link(&signed), false), (plain.clone(), false), (plain.clone(), true)] {
        if restarts {
            browser = browser.restart().await?;
        }
        let page = whole(browser.open(&address).await?)?;
        assert_eq!(("v2", true), (page.version(), page.decision.contains("override")), "{address}: {}", page.decision);
    }
    assert_eq!("v2", whole(browser.more().await?)?.part("details"));
    // Without a cookie the visitor is nobody special.
    browser.become_new().await?;
    assert_eq!("v1", whole(browser.open(&plain).await?)?.version());
    until_ignored(&trial, forged.len()).await?;
    browser.quit().await
}

/// What is not to let anybody in, by what is wrong with it.
fn forged(trial: &Trial, rules: &Rules, signed: &str, now: Time) -> Result<[(&'static str, String); 8]> {
    Ok([
        ("the bare name", "v2".to_owned()),
        ("without its signature", signed.split(".k").next().context("a token")?.to_owned()),
        ("one character of the tag changed", with_another_tag(signed)?),
        ("another version", signed.replacen("v2", "v1", 1)),
        ("a later expiry", signed.replacen(&expiry(now.plus(HOUR)), &expiry(now.plus(2 * HOUR)), 1)),
        ("for another rollout", token(rules, "cart", now.plus(HOUR))?),
        ("expired", token(rules, "shop", Time::from_unix_seconds(now.unix_seconds() - 1))?),
        (
            "signed with another key",
            token(&self::rules(trial, "a key that nobody has told us")?, "shop", now.plus(HOUR))?,
        ),
    ])
}

/// The trial's rules as whoever has this secret reads them.
fn rules(trial: &Trial, secret: &str) -> Result<Rules> {
    let resource: Value = serde_saphyr::from_str(trial.rules())?;
    let document = &resource["resources"][0]["typed_config"]["config"]["configuration"]["value"];
    let env = |name: &str| (name == KEY.0).then(|| secret.to_owned());
    let parsed = Rules::parse(document.to_string().as_bytes(), &Surroundings { env: &env, last_good: None });
    ensure!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    parsed.rules.context("no rules")
}

/// A token for v2, as `serin token` makes it.
fn token(rules: &Rules, rollout: &str, expiry: Time) -> Result<String> {
    rules.keys().and_then(|keys| keys.token(rollout, "v2", expiry)).context("no key that signs")
}

fn expiry(time: Time) -> String {
    format!(".e{}.", time.unix_seconds())
}

/// The token with another first character of its tag.
fn with_another_tag(token: &str) -> Result<String> {
    let (body, tag) = token.rsplit_once(".t").context("a token has a tag")?;
    let other = if tag.starts_with('A') { 'B' } else { 'A' };
    Ok(format!("{body}.t{other}{}", &tag[1..]))
}

/// Waits until so many requests with an override that does not count are counted, and no more.
async fn until_ignored(trial: &Trial, expected: usize) -> Result<()> {
    let expected = vec![format!("serin_overrides_ignored{{serin_rollout=\"shop\"}} {expected}")];
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let counted = trial.envoy().prometheus("serin_overrides_ignored").await?;
        if counted == expected {
            return Ok(());
        }
        ensure!(Instant::now() < end, "found {counted:?}; expected {expected:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

const HOUR: u32 = 3600;
