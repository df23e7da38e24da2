//! The filter in every host that it is made for.

use std::time::Duration;

use serde_json::json;
use serin_host::routes::{FilterSwitch, Route, RouteTable};
use serin_host::{FailurePolicy, Profile, under_profiles};

use crate::site::{builder, cookies, shop, shop_with, version, with_mistakes};

#[under_profiles]
fn a_visitor_stays_with_the_first_answer_on_every_worker(profile: Profile) {
    let proxy = builder().profile(profile).start(shop(50).to_string()).unwrap();
    for _ in 0..50 {
        let first = proxy.worker(0).get("/").send().unwrap();
        let again = proxy.worker(1).get("/").header("cookie", cookies(&first)).send().unwrap();
        assert_eq!(version(&again), version(&first));
    }
}

#[under_profiles]
fn a_push_takes_effect_and_a_bad_one_changes_nothing(profile: Profile) {
    let mut proxy = with_mistakes().profile(profile).start(shop(0).to_string()).unwrap();
    for (document, expected) in
        [(shop(100).to_string(), "v2"), ("nonsense".to_owned(), "v2"), (shop(0).to_string(), "v1")]
    {
        proxy.push(document).unwrap();
        assert_eq!(version(&proxy.worker(0).get("/").send().unwrap()), expected);
    }
}

#[under_profiles]
fn routes_lead_to_the_cluster_and_stable_serves_in_place_of_one_that_is_not_there(profile: Profile) {
    let routes = RouteTable::fail_safe_routes("x-canary-cluster", "shop-v1");
    let table = |clusters: &[&str]| RouteTable::new(clusters, routes.clone());
    let document = shop_with(100, &json!({"override": {"header": "x-canary"}}));
    let mut document = document;
    document["headers"] = json!({"cluster": "x-canary-cluster"});
    let reached = |clusters: &[&str]| {
        let proxy = builder().profile(profile).routes(table(clusters)).start(document.to_string()).unwrap();
        let worker = proxy.worker(0);
        [worker.get("/").send().unwrap().cluster, worker.get("/").send().unwrap().cluster]
    };
    let name = |cluster: &str| Some(cluster.to_owned());
    assert_eq!(reached(&["shop-v1", "shop-v2"]), [name("shop-v2"), name("shop-v2")]);
    assert_eq!(reached(&["shop-v1"]), [None, name("shop-v1")], "one request is lost, and tells");
}

/// What the filter counts and knows is that of its plugin, wherever the VM's id comes from.
#[under_profiles]
fn counters_are_flushed_on_the_tick(profile: Profile) {
    let mut proxy = builder().profile(profile).start(shop(100).to_string()).unwrap();
    proxy.worker(0).get("/").send().unwrap();
    proxy.worker(1).get("/").send().unwrap();
    proxy.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(proxy.counter("serin_decisions.rollout.shop.version.v2.reason.slot"), 2);
}

#[under_profiles]
fn a_vm_that_was_started_anew_decides_as_before(profile: Profile) {
    let builder = builder().profile(profile).failure_policy(FailurePolicy::Reload);
    let mut proxy = builder.start(shop(50).to_string()).unwrap();
    let worker = proxy.worker(0);
    let first = worker.get("/").send().unwrap();
    worker.set_fuel(1);
    assert_eq!(worker.get("/").send().unwrap().status, 503);
    proxy.advance(Duration::from_secs(2)).unwrap();
    let again = worker.get("/").header("cookie", cookies(&first)).send().unwrap();
    assert_eq!((version(&again), worker.reloads()), (version(&first), 1));
}

#[under_profiles(EnvoyGateway)]
fn only_routes_with_the_policy_have_the_filter(profile: Profile) {
    let enabled = Route { filter: Some(FilterSwitch { disabled: false }), ..Route::to("shop-v1").when("x-shop", "1") };
    let table = RouteTable::new(&["shop-v1"], vec![enabled, Route::to("shop-v1")]);
    let proxy = builder().profile(profile).routes(table).start(shop(100).to_string()).unwrap();
    let marked = |value: &str| version(&proxy.worker(0).get("/").header("x-shop", value).send().unwrap());
    assert_eq!((marked("1").as_str(), marked("0").as_str()), ("v2", "v1"));
}
