//! Signed cookies and tokens, with a key out of the proxy's environment.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::json;
use serin_core::{Rules, Surroundings, Time};
use serin_planes::istio::Proxy;

use crate::people::{People, assert_share, count};
use crate::site::{Control, KEY, Site, VISITORS};

const PEOPLE: usize = 300;

/// The share, the stickiness, a token, and what has none.
pub(crate) async fn journey(site: &mut Site) -> Result<()> {
    let mut people = People::new(PEOPLE, VISITORS)?;
    let first = people.visit(site.address()).await?;
    assert_share(&first, 0.1);
    assert_eq!(first, people.visit(site.address()).await?);
    assert_eq!(Vec::<String>::new(), site.mistakes()?);
    assert_eq!(PEOPLE - count(&first, "v1"), count(&first, "v2"));
    let cookie = site.ask(VISITORS, &[]).await?.values("set-cookie").join("\n");
    assert!(cookie.starts_with("canary=") && cookie.contains("k1"), "signed by k1: {cookie}");

    let plain = people.visit_with(site.address(), &[("x-canary", "v2")]).await?;
    assert_eq!(first, plain, "an override without a token changes nothing");
    let token = token()?;
    assert_eq!("v2", site.ask(VISITORS, &[("x-canary", &token)]).await?.text());
    Ok(())
}

/// As `serin token` makes it: for v2 of reviews, for long enough.
fn token() -> Result<String> {
    let document = json!({
        "rollouts": {"reviews": {"stable": "v1", "versions": {"v1": {}, "v2": {}}}},
        "keys": [{"id": "k1", "env": KEY.0}],
    });
    let env = |name: &str| (name == KEY.0).then(|| KEY.1.to_owned());
    let surroundings = Surroundings { last_good: None, env: &env };
    let rules = Rules::parse(document.to_string().as_bytes(), &surroundings).rules.context("the document is sound")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = rules.keys().and_then(|keys| keys.token("reviews", "v2", Time::from_unix_seconds(now + 3600)));
    token.context("there is a key that signs")
}

async fn check(plugin: &str, routes: &str) -> Result<()> {
    let files = [format!("istio/keys/{plugin}.yaml"), format!("istio/gateway/{routes}.yaml")];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut site = Site::start(Control::istio(Proxy::gateway())?, &files).await?;
    journey(&mut site).await
}

#[tokio::test]
async fn in_a_wasm_plugin() -> Result<()> {
    check("wasm-plugin", "virtual-service").await
}

#[tokio::test]
async fn in_a_traffic_extension() -> Result<()> {
    check("traffic-extension", "http-route").await
}
