//! A real Envoy: what cookies hold and remember, and that nobody but us can write them.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_core::{Rules, Surroundings, Time};
use serin_envoy::{Ask, Crowd, Reply, Setup, Visitor};

use crate::support::{self, HOST, Site, assert_share, counts, decisions, eventually, values_of};

const VISITORS: u32 = 300;
const KEY: &str = "a key for tests, of sixteen bytes or more";
const OTHER_KEY: &str = "another one, for a change of keys";

#[tokio::test]
async fn a_held_version_outlives_every_weight_but_zero() -> Result<()> {
    let hold = |at_zero: &str| json!({"sticky": {"hold": "version", "at_zero": at_zero}});
    let mut site = Site::start(&Setup::from_env()?, document(30, &hold("evict"))?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    crowd.visit(1).await?;
    let held = crowd.take_report().visitors_on("v2");
    for (weight, at_zero, left) in [(90, "evict", held), (1, "evict", held), (0, "drain", held), (0, "evict", 0)] {
        site.envoy.push(document(weight, &hold(at_zero))?).await?;
        crowd.visit(2).await?;
        let seen = crowd.take_report();
        assert_eq!((left, 0, 0), (seen.visitors_on("v2"), seen.moved("v1", "v2"), seen.failed), "{weight} {at_zero}");
        let newcomers = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
        newcomers.visit(1).await?;
        let seen = newcomers.take_report();
        assert_share(seen.visitor_share("v2"), f64::from(weight) / 100.0, VISITORS);
    }
    Ok(())
}

#[tokio::test]
async fn a_page_and_what_belongs_to_it_come_from_one_version() -> Result<()> {
    // A version without any weight keeps nobody, so all but one in a million.
    const NEARLY_ALL: u32 = 999_999;
    let page = || Ask::path("/").header("sec-fetch-dest", "document");
    let part = || Ask::path("/").header("sec-fetch-dest", "script").header("accept", "text/html");
    let ahead = || page().header("sec-purpose", "prefetch;prerender");
    let old_browser = || Ask::path("/").header("accept", "text/html,*/*;q=0.8");
    let hold = json!({"sticky": {"hold": "page"}, "total": 1_000_000});
    let mut site = Site::start(&Setup::from_env()?, document(0, &hold)?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, 50, 4)?;
    crowd.visit_as(1, page()).await?;
    for (weight, ask, on_v2) in [
        (NEARLY_ALL, part(), 0),
        (NEARLY_ALL, ahead(), 0),
        (NEARLY_ALL, Ask::path("/"), 0),
        (NEARLY_ALL, page(), 50),
        (1, part(), 50),
        (1, ahead(), 50),
        (0, part(), 0),
        (NEARLY_ALL, part(), 0),
        (NEARLY_ALL, old_browser(), 50),
        (1, page(), 0),
    ] {
        site.envoy.push(document(weight, &hold)?).await?;
        crowd.visit_as(2, ask.clone()).await?;
        assert_eq!(on_v2, crowd.take_report().visitors_on("v2"), "weight {weight}, {ask:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cookie_that_we_did_not_sign_is_none() -> Result<()> {
    let signed = json!({"sticky": {"hold": "version"}, "keys": [{"id": "k1", "env": "SERIN_KEY"}]});
    let setup = Setup::from_env()?.variable("SERIN_KEY", KEY);
    let site = Site::start(&setup, document(50, &signed)?).await?;
    for stable_first in [true, false] {
        let (own, other) = if stable_first { ("v1", "v2") } else { ("v2", "v1") };
        let (number, held) = visitor_on(&site, own).await?;
        let ask = async |number: &str, held: &str| {
            let cookies = format!("canary={number}; canary-shop={held}");
            site.ask("/", &[("cookie", &cookies)]).await
        };
        let names = |reply: &Reply| {
            let lines = reply.values("set-cookie");
            let names = lines.iter().filter_map(|line| line.split('=').next()).map(str::to_owned);
            names.collect::<Vec<_>>()
        };
        let same = ask(&number, &held).await?;
        assert_eq!((own.to_owned(), Vec::new()), (same.text(), names(&same)));
        // Forged, the cookie is as if it were not there: the number's own slot decides, and is held anew.
        let (unsigned, _) = held.split_once(".k").context("not signed")?;
        let forged = unsigned.replace(&format!(".v{own}"), &format!(".v{other}"));
        assert_ne!(forged, unsigned);
        let (_, tag) = held.split_at(unsigned.len());
        for value in
            [forged.clone(), format!("{forged}{tag}"), format!("{forged}.kk2{}", &tag[3..]), unsigned.to_owned()]
        {
            let reply = ask(&number, &value).await?;
            assert_eq!((own.to_owned(), vec!["canary-shop".to_owned()]), (reply.text(), names(&reply)), "{value}");
        }
        // So is a number of one's own making, on whatever version it would be.
        let (plain, _) = number.split_once(".k").context("not signed")?;
        let reply = ask(plain, &held).await?;
        assert!(names(&reply).contains(&"canary".to_owned()), "{plain}");
    }
    Ok(())
}

#[tokio::test]
async fn cookies_outlive_a_change_of_keys_while_the_old_one_is_listed() -> Result<()> {
    let keys = |ids: &[&str]| {
        let keys: Vec<Value> = ids.iter().map(|id| json!({"id": id, "env": format!("SERIN_{id}")})).collect();
        json!({"sticky": {"hold": "version"}, "keys": keys})
    };
    let setup = Setup::from_env()?.variable("SERIN_old", KEY).variable("SERIN_new", OTHER_KEY);
    let mut site = Site::start(&setup, document(50, &keys(&["old"]))?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    crowd.visit(1).await?;
    crowd.take_report();
    let numbers = crowd.cookies("canary").await;
    site.envoy.push(document(50, &keys(&["new", "old"]))?).await?;
    crowd.visit(1).await?;
    assert_eq!((0, &numbers), (crowd.take_report().moves(), &crowd.cookies("canary").await));
    // Without it they are strangers.
    site.envoy.push(document(50, &keys(&["new"]))?).await?;
    crowd.visit(1).await?;
    let after = crowd.cookies("canary").await;
    assert!(numbers.iter().zip(&after).all(|(before, after)| before != after));
    assert!(after.iter().all(|number| number.contains(".knew.t")), "{:?}", after.first());

    // A key to sign with that the environment does not have: stable, and a line that says so.
    site.envoy.push(document(100, &keys(&["missing", "new"]))?).await?;
    crowd.visit(2).await?;
    let seen = crowd.take_report();
    assert_eq!((u64::from(VISITORS), 0), (seen.visitors_on("v1"), seen.failed));
    let errors = site.envoy.filter_errors()?;
    assert!(errors.iter().any(|line| line.contains("keys[0].env") && line.contains("SERIN_missing")), "{errors:?}");
    assert!(!site.envoy.log()?.contains(KEY) && !site.envoy.log()?.contains(OTHER_KEY));
    Ok(())
}

#[tokio::test]
async fn only_a_token_names_a_version_where_trust_is_signed() -> Result<()> {
    let fields = json!({
        "override": {"header": "x-canary", "query": "canary", "cookie": "preview", "trust": "signed"},
        "keys": [{"id": "k1", "env": "SERIN_KEY"}],
    });
    let site = Site::start(&Setup::from_env()?.variable("SERIN_KEY", KEY), document(0, &fields)?).await?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let (later, earlier) = (now + 600, now - 600);
    for (name, token, version) in [
        ("good", token(KEY, "shop", later)?, "v2"),
        ("past", token(KEY, "shop", earlier)?, "v1"),
        ("of another rollout", token(KEY, "blog", later)?, "v1"),
        ("of another key", token(OTHER_KEY, "shop", later)?, "v1"),
        ("prolonged", token(KEY, "shop", later)?.replace(&later.to_string(), &(later + 1).to_string()), "v1"),
        ("plain", "v2".to_owned(), "v1"),
    ] {
        let cookie = format!("preview={token}");
        let query = format!("/?canary={token}");
        for (path, headers) in [
            ("/", vec![("x-canary", token.as_str())]),
            (query.as_str(), vec![]),
            ("/", vec![("cookie", cookie.as_str())]),
        ] {
            assert_eq!(version, site.ask(path, &headers).await?.text(), "{name}: {path} {headers:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_header_opens_the_override_and_stays_with_us() -> Result<()> {
    let trust = json!({"header": "x-canary-secret", "env": "SERIN_SECRET"});
    let fields = json!({"override": {"header": "x-canary", "query": "canary", "trust": trust}});
    let site = Site::start(&Setup::from_env()?.variable("SERIN_SECRET", KEY), document(0, &fields)?).await?;
    let longer = format!("{KEY}.");
    for (secret, version) in
        [(None, "v1"), (Some(KEY), "v2"), (Some(&longer), "v1"), (Some(&KEY[1..]), "v1"), (Some(""), "v1")]
    {
        let secret: Vec<_> = secret.iter().map(|secret| ("x-canary-secret", *secret)).collect();
        for (path, asks) in [("/headers", vec![("x-canary", "v2")]), ("/headers?canary=v2", vec![])] {
            let headers = [asks, secret.clone()].concat();
            let seen = site.ask(path, &headers).await?;
            let marks = values_of(&seen, "x-canary-version")?;
            assert_eq!(if version == "v2" { vec!["v2"] } else { vec![] }, marks, "{path} {headers:?}");
            assert!(values_of(&seen, "x-canary-secret")?.is_empty(), "{path} {headers:?}");
        }
    }
    let ignored = vec!["serin_overrides_ignored{serin_rollout=\"shop\"} 8".to_owned()];
    eventually(ignored, async || site.envoy.prometheus("serin_overrides_ignored").await).await
}

#[tokio::test]
async fn an_override_is_remembered_until_it_is_taken_back() -> Result<()> {
    let fields = json!({"override": {"query": "canary", "remember": "8h"}});
    let site = Site::start(&Setup::from_env()?, document(0, &fields)?).await?;
    let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
    for (path, version, writes) in [
        ("/", "v1", false),
        ("/?canary=v2", "v2", true),
        ("/", "v2", false),
        ("/?canary=v9", "v2", false),
        ("/?canary=v1", "v1", true),
        ("/", "v1", false),
        ("/?canary=v2", "v2", true),
        ("/?canary=auto", "v1", true),
        ("/", "v1", false),
    ] {
        let reply = visitor.get(&mut connection, path, &[]).await?;
        let lines = reply.values("set-cookie");
        let written = lines.iter().any(|line| line.starts_with("canary-shop="));
        assert_eq!((version.to_owned(), writes), (reply.text(), written), "{path}: {lines:?}");
    }
    assert_eq!(None, visitor.cookie("canary-shop"), "what is taken back leaves no cookie");
    let expected = counts([("shop/v1/override", 2), ("shop/v1/slot", 3), ("shop/v2/override", 4)]);
    eventually(expected, async || decisions(&site.envoy).await).await
}

/// The visitor number and the held version of somebody whom `version` serves, as the cookies have them.
async fn visitor_on(site: &Site, version: &str) -> Result<(String, String)> {
    let mut connection = site.connection();
    for _ in 0..100 {
        let mut visitor = Visitor::of(HOST)?;
        if visitor.get(&mut connection, "/", &[]).await?.text() == version {
            let cookie = |name| visitor.cookie(name).map(str::to_owned).with_context(|| format!("no cookie {name}"));
            return Ok((cookie("canary")?, cookie("canary-shop")?));
        }
    }
    anyhow::bail!("nobody came to {version}")
}

/// A token for v2 of a rollout.
fn token(key: &str, rollout: &str, expiry: u64) -> Result<String> {
    let document = json!({"rollouts": {}, "keys": [{"id": "k1", "secret": key}]}).to_string();
    let rules = Rules::parse(document.as_bytes(), &Surroundings::default()).rules.context("the document is sound")?;
    let keys = rules.keys().context("the document has keys")?;
    keys.token(rollout, "v2", Time::from_unix_seconds(expiry)).context("the key signs")
}

/// The document of `manifests/envoy` with this weight, other fields for its rollout, and these `keys`.
fn document(weight: u32, fields: &Value) -> Result<Value> {
    let mut document = support::weight(weight)?;
    for (name, value) in fields.as_object().into_iter().flatten() {
        let place = if name == "keys" { &mut document } else { &mut document["rollouts"]["shop"] };
        place[name] = value.clone();
    }
    Ok(document)
}
