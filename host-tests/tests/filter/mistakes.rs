//! Every bad document that the core's tests know, at a cold start and pushed over a good one: traffic goes on.

use serde_json::Value;
use serin_core::{Rules, Surroundings};

use crate::site::{PLUGIN, proxy_with_mistakes, shop, version, version_for, with_mistakes};

/// The documents, each with whether a mistake lies outside the rollouts and so spoils the whole. A secret that is missing
/// does not, but for the rollouts that cannot do without.
fn bad_documents() -> Vec<(String, bool)> {
    let table: Vec<Value> = serde_json::from_str(include_str!("../../../core/tests/bad-documents.json")).unwrap();
    let case = |case: Value| {
        let errors = case["errors"].as_array().unwrap().clone();
        let confined = |error: &str| {
            error.starts_with("rollouts.") || error.starts_with("rollouts[") || error.contains("the environment has no")
        };
        let spoiled = errors.iter().filter_map(Value::as_str).any(|error| !confined(error));
        (case["document"].as_str().unwrap().to_owned(), spoiled)
    };
    let documents: Vec<(String, bool)> = table.into_iter().map(case).collect();
    assert!(documents.len() > 100, "{} documents", documents.len());
    documents
}

/// Whether a client's version header is removed. A document may do without that header, and then it is like any other.
fn has_version_header(document: &str) -> bool {
    let rules = Rules::parse(document.as_bytes(), &Surroundings::default()).rules;
    let names = |rules: Rules| rules.outputs().on_request().iter().any(|o| o.name.as_str() == "x-canary-version");
    rules.is_none_or(names)
}

#[test]
fn at_a_cold_start_everybody_gets_stable() {
    for (document, _) in bad_documents() {
        let proxy = with_mistakes().start(document.as_bytes()).expect("a bad document is no reason not to start");
        for worker in proxy.workers() {
            let exchange = worker.get("/").header("x-canary", "v2").header("x-canary-version", "v2").send().unwrap();
            let expected = if has_version_header(&document) { "v1" } else { "v2" };
            assert_eq!(version(&exchange), expected, "{document}");
            assert_eq!(version_for(worker.get("/").header("x-canary", "v2")), "v1", "{document}");
        }
        assert_eq!(proxy.gauge(&format!("serin_config_ok.plugin.{PLUGIN}")), Some(0), "{document}");
    }
}

#[test]
fn pushed_over_a_good_document_they_stop_nobody() {
    for (document, spoiled) in bad_documents() {
        let mut proxy = proxy_with_mistakes(&shop(100));
        proxy.push(document.as_bytes()).expect("a bad document is no reason to refuse an update");
        let expected = if spoiled { "v2" } else { "v1" };
        for worker in proxy.workers() {
            assert_eq!(version_for(worker.get("/")), expected, "{document}");
        }
        proxy.push(shop(100).to_string()).unwrap();
        assert_eq!(version_for(proxy.worker(0).get("/")), "v2", "the next good document after {document}");
    }
}
