//! A real Envoy that gets new rules while it runs: good ones, broken ones, in either form.

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Configuration, Crowd, Report, Setup, Traffic};

use crate::support::{HOST, Site, assert_share, eventually, weight, with_v2};

const VISITORS: u32 = 500;
const TYPO: &str = "rollouts.shop.versions.v2.wieght: unknown field; did you mean \"weight\"?";

#[tokio::test]
async fn a_struct_and_a_string_value_mean_the_same() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, weight(30)?).await?;
    let crowd = crowd(&site)?;
    let traffic = crowd.keep_visiting();
    let text = Configuration::Text(weight(30)?.to_string());
    let seen = push(&mut site, &crowd, &traffic, text).await?;
    assert_eq!((0, 0), (seen.moves(), seen.failed), "{seen:?}");
    assert_share(seen.visitor_share("v2"), 0.3, VISITORS);
    let spelled = Configuration::Text(weight(30)?.to_string().replace(":30", ":3.0e1"));
    let seen = push(&mut site, &crowd, &traffic, spelled).await?;
    assert_eq!((0, 0), (seen.moves(), seen.failed), "{seen:?}");
    assert_eq!(Vec::<String>::new(), site.envoy.filter_errors()?);
    traffic.stop().await
}

#[tokio::test]
async fn new_weights_move_visitors_one_way_only_and_fail_no_request() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, weight(10)?).await?;
    let crowd = crowd(&site)?;
    let traffic = crowd.keep_visiting();
    for (weights, from, to) in [([30, 100], "v1", "v2"), ([40, 0], "v2", "v1")] {
        for new in weights {
            let seen = push(&mut site, &crowd, &traffic, weight(new)?).await?;
            assert_eq!((0, 0), (seen.moved(to, from), seen.failed), "to {new}: {seen:?}");
            assert_share(seen.visitor_share("v2"), f64::from(new) / 100.0, VISITORS);
        }
    }
    traffic.stop().await
}

#[tokio::test]
async fn off_takes_everybody_away_even_those_who_ask() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, weight(100)?).await?;
    let crowd = crowd(&site)?;
    let traffic = crowd.keep_visiting();
    let seen = push(&mut site, &crowd, &traffic, with_v2(&json!({"weight": 100, "off": true}))?).await?;
    assert_eq!((u64::from(VISITORS), 0), (seen.moved("v2", "v1"), seen.visitors_on("v2")), "{seen:?}");
    assert_eq!(0, seen.failed, "{seen:?}");
    assert_eq!("v1", site.ask("/?canary=v2", &[("x-canary", "v2"), ("cookie", "canary-override=v2")]).await?.text());
    traffic.stop().await
}

#[tokio::test]
async fn a_broken_document_changes_nothing_and_is_explained_in_the_log() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, weight(30)?).await?;
    let crowd = crowd(&site)?;
    let traffic = crowd.keep_visiting();
    let mut spoiled = weight(60)?;
    spoiled["headers"]["vresion"] = json!("x-v");
    let documents: [(Configuration, &str); 3] = [
        (with_v2(&json!({"wieght": 60}))?.into(), TYPO),
        (spoiled.into(), "headers.vresion: unknown field; did you mean \"version\"?"),
        (Configuration::Text("{\"rollouts\": ".to_owned()), "document: "),
    ];
    for (rules, message) in documents {
        let known = site.envoy.filter_errors()?.len();
        let seen = push(&mut site, &crowd, &traffic, rules).await?;
        assert_eq!((0, 0), (seen.moves(), seen.failed), "{message}: {seen:?}");
        let logged = site.envoy.filter_errors()?.split_off(known);
        assert!(logged.iter().any(|line| line.contains(message)), "{message}: {logged:#?}");
        // One line a VM: the trial run and the main thread's own, and one for each worker.
        assert_eq!(4, logged.len(), "{logged:#?}");
    }
    traffic.stop().await
}

#[tokio::test]
async fn a_file_that_envoy_itself_cannot_use_changes_nothing() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, weight(100)?).await?;
    let file = site.envoy.rules_file();
    let good = std::fs::read_to_string(&file)?;
    let no_module = good.replace("serin.wasm", "no-such.wasm");
    assert_ne!(good, no_module, "{good}");
    for bad in ["{", "resources: []", &no_module] {
        let refused = async || site.envoy.sum(r"^extension_config_discovery\..*\.update_(rejected|failure)$").await;
        let before = refused().await?;
        std::fs::write(file.with_extension("new"), bad)?;
        std::fs::rename(file.with_extension("new"), &file)?;
        eventually(true, async || Ok(refused().await? > before)).await?;
        assert_eq!("v2", site.ask("/", &[]).await?.text(), "{bad}");
    }
    site.envoy.push(weight(0)?).await?;
    assert_eq!("v1", site.ask("/", &[]).await?.text());
    Ok(())
}

#[tokio::test]
async fn a_broken_rollout_holds_up_no_other() -> Result<()> {
    let two = |shop: Value, blog: Value| -> Result<Value> {
        let mut rules = with_v2(&json!({ "weight": shop }))?;
        let versions = json!({"v1": {"cluster": "v1"}, "v2": {"cluster": "v2", "weight": blog}});
        rules["rollouts"]["blog"] =
            json!({"match": [{"hosts": ["blog.example.com"]}], "stable": "v1", "versions": versions});
        Ok(rules)
    };
    let mut site = Site::start(&Setup::from_env()?, two(json!(0), json!(100))?).await?;
    let shop = crowd(&site)?;
    let blog = Crowd::new(site.envoy.address(), "blog.example.com", 50, 4)?;
    shop.visit(1).await?;
    blog.visit(1).await?;
    site.envoy.push(two(json!(100), json!("some"))?).await?;
    shop.visit(1).await?;
    blog.visit(1).await?;
    assert_eq!(u64::from(VISITORS), shop.take_report().visitors_on("v2"), "the good one's change took effect");
    assert_eq!(50, blog.take_report().visitors_on("v2"), "the broken one keeps its last good form");
    let logged = site.envoy.filter_errors()?;
    assert!(logged.iter().all(|line| line.contains("rollouts.blog.versions.v2.weight: ")), "{logged:#?}");

    // An Envoy that never saw a good form of it serves stable there.
    let cold = Site::start(&Setup::from_env()?, two(json!(100), json!("some"))?).await?;
    assert_eq!("v2", cold.ask("/", &[]).await?.text());
    let blog = Crowd::new(cold.envoy.address(), "blog.example.com", 50, 4)?;
    blog.visit(1).await?;
    assert_eq!(50, blog.take_report().visitors_on("v1"));
    Ok(())
}

#[tokio::test]
async fn a_cold_start_with_a_bad_document_serves_stable_until_a_good_one_comes() -> Result<()> {
    for bad in [Configuration::Text("no document".to_owned()), json!({"rollout": {}}).into(), json!({}).into()] {
        let mut site = Site::start(&Setup::from_env()?, bad.clone()).await?;
        let asked = site.ask("/", &[("x-canary", "v2")]).await?;
        assert_eq!((200, "v1".to_owned()), (asked.status, asked.text()), "{bad:?}");
        assert!(!site.envoy.filter_errors()?.is_empty(), "{bad:?}");
        assert_config(&site, false).await?;

        site.envoy.push(weight(100)?).await?;
        assert_eq!("v2", site.ask("/", &[]).await?.text());
        assert_config(&site, true).await?;
    }
    Ok(())
}

#[tokio::test]
async fn prometheus_counts_each_decision_by_rollout_version_and_reason() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, weight(0)?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, 100, 8)?;
    crowd.visit(2).await?;
    for (name, times) in [("v2", 7), ("v9", 3)] {
        for _ in 0..times {
            site.ask("/", &[("x-canary", name)]).await?;
        }
    }
    let labels = |version: &str, reason: &str| {
        format!("serin_decisions{{serin_rollout=\"shop\",serin_version=\"{version}\",serin_reason=\"{reason}\"}}")
    };
    let expected = vec![format!("{} 203", labels("v1", "slot")), format!("{} 7", labels("v2", "override"))];
    eventually(expected, async || sorted(site.envoy.prometheus("serin_decisions").await?)).await?;
    let ignored = vec!["serin_overrides_ignored{serin_rollout=\"shop\"} 3".to_owned()];
    eventually(ignored, async || sorted(site.envoy.prometheus("serin_overrides_ignored").await?)).await
}

fn crowd(site: &Site) -> Result<Crowd> {
    Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)
}

/// What the crowd saw from before a push until everybody had come again after it.
async fn push(site: &mut Site, crowd: &Crowd, traffic: &Traffic, rules: impl Into<Configuration>) -> Result<Report> {
    traffic.round().await?;
    crowd.take_report();
    site.envoy.push(rules).await?;
    traffic.round().await?;
    Ok(crowd.take_report())
}

/// The two metrics that tell an operator whether the document is sound, after one that was not.
async fn assert_config(site: &Site, ok: bool) -> Result<()> {
    let gauge = vec![format!("serin_config_ok{{serin_plugin=\"serin\"}} {}", u8::from(ok))];
    eventually(gauge, async || site.envoy.prometheus("serin_config_ok").await).await?;
    let rejected = async || Ok(site.envoy.prometheus("serin_config_rejected").await?.len());
    eventually(1, rejected).await
}

fn sorted(mut lines: Vec<String>) -> Result<Vec<String>> {
    lines.sort();
    Ok(lines)
}
