//! A real Envoy that tries again and that follows redirects itself: one response is one decision, and its version answers.

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Ask, Crowd, Routes, Setup};

use crate::support::{self, HOST, Site, by_version, counts, decisions, eventually, rest_to, values_of};

const ASK_FOR_V2: (&str, &str) = ("x-canary", "v2");

#[tokio::test]
async fn a_request_that_is_tried_three_times_is_decided_once() -> Result<()> {
    let site = retrying(0).await?;
    for (version, headers) in [("v2", &[ASK_FOR_V2][..]), ("v1", &[])] {
        let before = (site.upstreams.requests("v1"), site.upstreams.requests("v2"));
        let reply = site.ask("/?attempts=3", headers).await?;
        assert_eq!((200, version.to_owned()), (reply.status, reply.text()));
        let tried = (site.upstreams.requests("v1") - before.0, site.upstreams.requests("v2") - before.1);
        assert_eq!(if version == "v1" { (3, 0) } else { (0, 3) }, tried);
        assert_eq!(1, reply.values("x-answer").len());
    }
    // A failure that stays one: four attempts, and no number for the visitor.
    let reply = site.ask("/?attempts=9", &[]).await?;
    assert_eq!((503, 0), (reply.status, reply.values("set-cookie").len()));
    let expected = counts([("shop/v1/slot", 2), ("shop/v2/override", 1)]);
    eventually(expected, async || decisions(&site.envoy).await).await
}

#[tokio::test]
async fn visitors_keep_their_version_over_retries() -> Result<()> {
    let site = retrying(50).await?;
    assert_crowd_keeps_its_versions(&site, "/?attempts=3", 3).await
}

#[tokio::test]
async fn the_last_pass_of_a_redirect_is_the_one_that_counts() -> Result<()> {
    let site = redirecting(0).await?;
    for (to, headers, version, marks) in [
        ("/headers", &[ASK_FOR_V2][..], "v2", &["v2"][..]),
        ("/headers", &[], "v1", &[]),
        // Nothing of the first pass is left where no rollout covers the second.
        ("/elsewhere/headers", &[ASK_FOR_V2], "v1", &[]),
    ] {
        let before = (site.upstreams.requests("v1"), site.upstreams.requests("v2"));
        let seen = site.ask(&redirect(to), headers).await?;
        let asked = (site.upstreams.requests("v1") - before.0, site.upstreams.requests("v2") - before.1);
        let covered = to == "/headers";
        let expected = match (version, covered) {
            ("v2", _) => (0, 2),
            (_, false) => (1, 1),
            _ => (2, 0),
        };
        assert_eq!((200, expected), (seen.status, asked), "{to} {headers:?}");
        assert_eq!(marks, values_of(&seen, "x-canary-version")?, "{to} {headers:?}");
        assert_eq!(usize::from(covered), seen.values("x-answer").len(), "{to} {headers:?}");
        assert_eq!(usize::from(covered && headers.is_empty()), seen.values("set-cookie").len(), "{to} {headers:?}");
    }
    let expected = counts([("shop/v1/slot", 1), ("shop/v2/override", 1)]);
    eventually(expected, async || decisions(&site.envoy).await).await
}

#[tokio::test]
async fn visitors_keep_the_version_that_answered_them_behind_a_redirect() -> Result<()> {
    let site = redirecting(50).await?;
    assert_crowd_keeps_its_versions(&site, &redirect("/shop/there"), 2).await
}

/// Everybody comes three times for `path`, which costs `requests` at the upstreams each time.
async fn assert_crowd_keeps_its_versions(site: &Site, path: &str, requests: u64) -> Result<()> {
    // Envoy lets only three requests at once be tried again, unless its cluster says more.
    let crowd = Crowd::new(site.envoy.address(), HOST, 60, 2)?;
    crowd.visit_as(3, Ask::path(path)).await?;
    let seen = crowd.take_report();
    assert_eq!((180, 0, 0), (seen.answered(), seen.moves(), seen.failed), "{seen:?}");
    assert!(seen.visitors_on("v1") > 0 && seen.visitors_on("v2") > 0, "{seen:?}");
    assert_eq!(180 * requests, site.upstreams.requests("v1") + site.upstreams.requests("v2"));
    let versions = ["v1", "v2"].map(|version| (format!("shop/{version}/slot"), seen.requests_on(version)));
    eventually(versions.into(), async || decisions(&site.envoy).await).await
}

/// Upstreams get four attempts.
async fn retrying(weight: u32) -> Result<Site> {
    let table = json!({
        "routes": [by_version("v2"), rest_to("v1")],
        "include_request_attempt_count": true,
        "retry_policy": {"retry_on": "5xx", "num_retries": 3, "retry_back_off": {"base_interval": "0.001s"}},
    });
    Site::start(&Setup::from_env()?.routes(Routes::Table(table)), document(weight)?).await
}

/// Envoy follows one redirect of an upstream.
async fn redirecting(weight: u32) -> Result<Site> {
    let routes = [by_version("v2"), rest_to("v1")].map(|mut route| {
        route["route"]["internal_redirect_policy"] =
            json!({"max_internal_redirects": 1, "redirect_response_codes": [302]});
        route
    });
    Site::start(&Setup::from_env()?.routes(Routes::Table(json!({ "routes": routes }))), document(weight)?).await
}

/// A path whose upstream answers with a redirect.
fn redirect(to: &str) -> String {
    format!("/shop?status=302&header=location:http://{HOST}{to}")
}

fn document(weight: u32) -> Result<Value> {
    let mut document = support::weight(weight)?;
    document["rollouts"]["shop"]["match"] =
        json!([{"path": {"exact": "/"}}, {"path": {"prefix": "/shop"}}, {"path": {"exact": "/headers"}}]);
    document["headers"]["answer"] = json!("x-answer");
    Ok(document)
}
