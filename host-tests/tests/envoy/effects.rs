//! A real Envoy: what a decision does to request, response and access log besides choosing the upstream.

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Setup, Visitor};

use crate::support::{self, HOST, Site, counts, decisions, eventually, values_of};

const ASK_FOR_V2: (&str, &str) = ("x-canary", "v2");

#[tokio::test]
async fn a_versions_headers_come_with_it_and_from_nobody_else() -> Result<()> {
    let fields = json!({"versions": {
        "v1": {"cluster": "v1"},
        "v2": {"cluster": "v2", "set_headers": {"x-lane": "canary", "x-only-v2": ""}},
        "v3": {"cluster": "v1", "set_headers": {"x-lane": "third"}},
    }});
    let site = Site::start(&Setup::from_env()?, document(&fields)?).await?;
    for (version, lane, only_v2) in [("v1", &[][..], 0), ("v2", &["canary"], 1), ("v3", &["third"], 0)] {
        for claimed in [&[][..], &[("x-lane", "mine"), ("x-only-v2", "mine")], &[("x-lane", "a"), ("X-Lane", "b")]] {
            let headers = [&[("x-canary", version)], claimed].concat();
            let seen = site.ask("/headers", &headers).await?;
            assert_eq!(lane, values_of(&seen, "x-lane")?, "{headers:?}");
            let found = values_of(&seen, "x-only-v2")?;
            assert_eq!(vec![""; only_v2], found, "{headers:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_access_log_shows_each_decision_where_it_is_asked_for() -> Result<()> {
    let format = "%REQ(:PATH)% state=%FILTER_STATE(wasm.serin:PLAIN)%\n";
    let log = json!({"log_format": {"text_format_source": {"inline_string": format}}});
    let setup =
        Setup::from_env()?.manager(json!({"access_log": [{"name": "envoy.access_loggers.file", "typed_config": log}]}));
    let mut rules = document(&json!({"match": [{"path": {"prefix": "/covered"}}]}))?;
    let asked_for = std::mem::replace(&mut rules["access_log"], json!(false));
    assert_eq!(asked_for, json!(true), "the manifest asks for it");
    let mut site = Site::start(&setup, rules.clone()).await?;
    site.ask("/quiet", &[ASK_FOR_V2]).await?;
    rules["access_log"] = asked_for;
    site.envoy.push(rules).await?;
    site.ask("/covered/1", &[]).await?;
    site.ask("/covered/2", &[ASK_FOR_V2]).await?;
    site.ask("/elsewhere", &[ASK_FOR_V2]).await?;
    let expected =
        ["/quiet state=-", "/covered/1 state=shop/v1/slot", "/covered/2 state=shop/v2/override", "/elsewhere state=-"];
    let sorted = |lines: &mut Vec<String>| lines.sort();
    let mut expected = expected.map(str::to_owned).to_vec();
    sorted(&mut expected);
    eventually(expected, async || {
        let mut lines: Vec<String> = site.envoy.access_log()?.lines().map(str::to_owned).collect();
        sorted(&mut lines);
        Ok(lines)
    })
    .await
}

#[tokio::test]
async fn no_shared_cache_keeps_what_is_one_visitors() -> Result<()> {
    for (cache, later) in [("cookie", false), ("all", true)] {
        let site = Site::start(&Setup::from_env()?, document(&json!({"sticky": {"cache": cache}}))?).await?;
        for (sent, private) in [
            (None, "private"),
            (Some("public, max-age=60"), "private, max-age=60"),
            (Some("max-age=60,s-maxage=600"), "private, max-age=60"),
            (Some("no-store"), "no-store"),
            (Some("private"), "private"),
        ] {
            let query = sent.map_or_else(String::new, |sent| format!("?header=cache-control:{sent}").replace(' ', "+"));
            let path = format!("/{query}");
            let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
            let unchanged: Vec<&str> = sent.into_iter().collect();
            // Our cookie; then nothing that is the visitor's own; then a canary's answer, without a cookie.
            for (headers, expected) in [
                (&[][..], vec![private]),
                (&[], unchanged.clone()),
                (&[ASK_FOR_V2], if later { vec![private] } else { unchanged.clone() }),
            ] {
                let reply = visitor.get(&mut connection, &path, headers).await?;
                assert_eq!(expected, reply.values("cache-control"), "{cache}: {path} {headers:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() -> Result<()> {
    let mut rules =
        document(&json!({"dry_run": true, "mark_stable": true, "sticky": {"hold": "version", "cache": "all"}}))?;
    rules["rollouts"]["shop"]["versions"]["v2"] =
        json!({"cluster": "v2", "weight": 100, "set_headers": {"x-lane": "canary"}});
    let site = Site::start(&Setup::from_env()?.strip_early(false), rules).await?;
    for headers in [&[][..], &[ASK_FOR_V2], &[("x-canary", "v1")], &[("x-canary-version", "v2"), ("x-lane", "mine")]] {
        assert_eq!("v1", site.ask("/", headers).await?.text(), "{headers:?}");
        let seen = site.ask("/headers", headers).await?;
        for name in ["x-canary-version", "x-canary-cluster", "x-lane"] {
            assert!(values_of(&seen, name)?.is_empty(), "{headers:?}: {name}");
        }
        for name in ["set-cookie", "cache-control"] {
            assert!(seen.values(name).is_empty(), "{headers:?}: {name}");
        }
    }
    assert_eq!(0, site.upstreams.requests("v2"));
    let expected = counts([("shop/v1/override", 2), ("shop/v2/override", 2), ("shop/v2/slot", 4)]);
    eventually(expected, async || decisions(&site.envoy).await).await
}

/// The document of `manifests/envoy` with weight 0 and other fields for its rollout.
fn document(fields: &Value) -> Result<Value> {
    let mut document = support::weight(0)?;
    for (name, value) in fields.as_object().into_iter().flatten() {
        document["rollouts"]["shop"][name] = value.clone();
    }
    Ok(document)
}
