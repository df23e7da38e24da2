//! A real Envoy whose own weighted clusters share the traffic: by our slot (`split: native`), or by chance with the outcome
//! held (`split: route`).

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Connection, Crowd, Report, Routes, Setup, Traffic, Visitor};

use crate::support::{HOST, Site, assert_share, by_version, decisions, eventually};

const VISITORS: u32 = 500;

#[tokio::test]
async fn native_weights_by_slot_move_visitors_one_way_only() -> Result<()> {
    let mut site = Site::start(&setup(native(10))?, native_document(100)).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    let traffic = crowd.keep_visiting();
    traffic.round().await?;
    assert_share(crowd.take_report().visitor_share("v2"), 0.1, VISITORS);
    for (weight, from, to) in [(30, "v1", "v2"), (100, "v1", "v2"), (40, "v2", "v1"), (0, "v2", "v1")] {
        let seen = push_routes(&mut site, &crowd, &traffic, &native(weight)).await?;
        assert_eq!((0, 0), (seen.moved(to, from), seen.failed), "to {weight}: {seen:?}");
        assert_share(seen.visitor_share("v2"), f64::from(weight) / 100.0, VISITORS);
    }
    traffic.stop().await
}

#[tokio::test]
async fn a_finer_total_moves_nobody_at_the_same_share() -> Result<()> {
    let mut site = Site::start(&setup(native(30))?, native_document(100)).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    crowd.visit(1).await?;
    // The route's weights and the rollout's total belong together: Envoy takes the slot modulo their sum.
    site.envoy.push(native_document(1_000)).await?;
    site.envoy.push_routes(&weighted(300, 700, Some("x-canary-slot"))).await?;
    // Others see to it that both workers have the new table.
    Crowd::new(site.envoy.address(), HOST, 50, 8)?.visit(2).await?;
    crowd.visit(1).await?;
    let seen = crowd.take_report();
    assert_eq!((0, 0), (seen.moves(), seen.failed), "{seen:?}");
    assert_share(seen.visitor_share("v2"), 0.3, VISITORS);
    Ok(())
}

#[tokio::test]
async fn a_client_does_not_choose_its_own_slot() -> Result<()> {
    let site = Site::start(&setup(native(50))?, native_document(100)).await?;
    let mut connection = site.connection();
    for _ in 0..20 {
        let mut visitor = Visitor::of(HOST)?;
        let version = visitor.get(&mut connection, "/", &[]).await?.text();
        for slot in ["0", "99", "no number", ""] {
            let again = visitor.get(&mut connection, "/", &[("x-canary-slot", slot)]).await?.text();
            assert_eq!(version, again, "{slot:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn whom_the_route_chose_for_a_visitor_serves_that_visitor_from_then_on() -> Result<()> {
    let mut site = Site::start(&setup(drawn(30))?, route_document(&json!({}))).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    let traffic = crowd.keep_visiting();
    traffic.round().await?;
    assert_share(crowd.take_report().visitor_share("v2"), 0.3, VISITORS);
    for weight in [90, 10, 0, 100] {
        let seen = push_routes(&mut site, &crowd, &traffic, &drawn(weight)).await?;
        assert_eq!((0, 0), (seen.moves(), seen.failed), "to {weight}: {seen:?}");
        assert_share(seen.visitor_share("v2"), 0.3, VISITORS);
    }
    let newcomers = Crowd::new(site.envoy.address(), HOST, 50, 4)?;
    newcomers.visit(2).await?;
    assert_eq!(50, newcomers.take_report().visitors_on("v2"));

    // Roll-backs: `off` for those who hold it and for those whom the route would still send there.
    let off = push_rules(&mut site, &crowd, &traffic, &route_document(&json!({"off": true}))).await?;
    assert_eq!((0, 0, 0), (off.visitors_on("v2"), off.moved("v1", "v2"), off.failed), "{off:?}");
    traffic.stop().await
}

#[tokio::test]
async fn a_new_release_asks_the_route_again() -> Result<()> {
    let mut site = Site::start(&setup(drawn(100))?, route_document(&json!({}))).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, 50, 4)?;
    crowd.visit(1).await?;
    site.envoy.push_routes(&drawn(0)).await?;
    let mut document = route_document(&json!({}));
    document["rollouts"]["shop"]["release"] = json!("next");
    site.envoy.push(document).await?;
    crowd.visit(3).await?;
    assert_eq!(50, crowd.take_report().visitors_on("v1"));
    Ok(())
}

#[tokio::test]
async fn cookie_answer_and_upstream_name_the_same_version() -> Result<()> {
    let site = Site::start(&setup(drawn(50))?, route_document(&json!({}))).await?;
    for _ in 0..30 {
        let mut connection = Connection::to(site.envoy.address());
        let mut visitor = Visitor::of(HOST)?;
        for reason in ["route", "held", "held"] {
            let reply = visitor.get(&mut connection, "/", &[]).await?;
            let held = visitor.cookie("canary-shop").context("nothing is held")?;
            let held = held.split('.').find_map(|field| field.strip_prefix('v')).context("no version is held")?;
            assert_eq!(held, reply.text());
            assert_eq!([format!("shop/{held}/{reason}")], *reply.values("x-answer"));
        }
    }
    eventually(true, async || {
        let counted = decisions(&site.envoy).await?;
        let sum = |reason: &str| {
            counted.iter().filter(|(name, _)| name.ends_with(reason)).map(|(_, count)| count).sum::<u64>()
        };
        Ok((sum("/route"), sum("/held")) == (30, 60))
    })
    .await
}

#[tokio::test]
async fn a_client_that_names_a_version_itself_holds_nothing_by_it() -> Result<()> {
    let setup = setup(drawn(0))?.strip_early(false);
    let site = Site::start(&setup, route_document(&json!({}))).await?;
    for (what, headers) in [("claimed", [("x-canary-version", "v2")]), ("asked", [("x-canary", "v2")])] {
        let mut visitor = Visitor::of(HOST)?;
        let mut connection = site.connection();
        let first = visitor.get(&mut connection, "/", &headers).await?.text();
        assert_eq!(if what == "asked" { "v2" } else { "v1" }, first, "{what}");
        assert_eq!("v1", visitor.get(&mut connection, "/", &[]).await?.text(), "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn a_clients_copy_of_what_we_write_chooses_nothing_that_is_held() -> Result<()> {
    let mut table = drawn(0);
    let chance = table["routes"][2].take();
    let when = |header: Value| json!({"prefix": "/", "headers": [header]});
    table["routes"] = json!([
        {"match": when(json!({"name": "x-canary-cluster", "present_match": true})),
         "route": {"cluster_header": "x-canary-cluster"}},
        {"match": when(json!({"name": "x-lane", "string_match": {"exact": "canary"}})), "route": {"cluster": "v2"}},
        chance,
    ]);
    let mut document = route_document(&json!({"set_headers": {"x-lane": "canary"}}));
    document["headers"]["cluster"] = json!("x-canary-cluster");
    document["headers"]["slot"] = json!("x-canary-slot");
    document["headers"]["reason"] = json!("x-canary-reason");
    let site = Site::start(&setup(table)?.strip_early(false), document).await?;
    for (name, value) in [
        ("x-canary-cluster", "v2"),
        ("X-Canary-Cluster", "v2"),
        ("x-canary-cluster", ""),
        ("x-canary-cluster", "v9"),
        ("x-canary-version", "v2"),
        ("x-lane", "canary"),
        ("x-canary-reason", "held"),
        ("x-canary-slot", "0"),
    ] {
        let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
        for headers in [&[(name, value)][..], &[], &[(name, value)], &[]] {
            let reply = visitor.get(&mut connection, "/", headers).await?;
            assert_eq!("v1", reply.text(), "{name}: {value}, {headers:?}: {:?}", reply.values("x-answer"));
        }
        let held = visitor.cookie("canary-shop").with_context(|| format!("{name}: {value}: nothing is held"))?;
        assert!(held.split('.').any(|field| field == "vv1"), "{name}: {value}: {held}");
    }
    assert_eq!(0, site.upstreams.requests("v2"));
    Ok(())
}

#[tokio::test]
async fn who_carries_nothing_yet_reaches_stable_by_the_routes_weights() -> Result<()> {
    let mut document = native_document(100);
    document["rollouts"]["shop"]["sticky"] = json!({"first": "stable"});
    let site = Site::start(&setup(native(99))?, document).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
    crowd.visit(1).await?;
    let seen = crowd.take_report();
    assert_eq!((u64::from(VISITORS), 0), (seen.visitors_on("v1"), seen.failed), "{seen:?}");
    // From then on by the slot of the number that they were given.
    crowd.visit(1).await?;
    let seen = crowd.take_report();
    assert!(seen.visitors_on("v2") > u64::from(VISITORS) * 9 / 10, "{seen:?}");
    Ok(())
}

/// What the crowd saw from before a change of the routes until everybody had come again after it; who is where is told
/// after one more round, since a worker may take a table up a moment later than the others.
async fn push_routes(site: &mut Site, crowd: &Crowd, traffic: &Traffic, table: &Value) -> Result<Report> {
    traffic.round().await?;
    crowd.take_report();
    site.envoy.push_routes(table).await?;
    traffic.round().await?;
    traffic.round().await?;
    Ok(crowd.take_report())
}

async fn push_rules(site: &mut Site, crowd: &Crowd, traffic: &Traffic, rules: &Value) -> Result<Report> {
    traffic.round().await?;
    crowd.take_report();
    site.envoy.push(rules.clone()).await?;
    traffic.round().await?;
    Ok(crowd.take_report())
}

fn setup(table: Value) -> Result<Setup> {
    Ok(Setup::from_env()?.routes(Routes::Table(table)))
}

/// Weighted clusters that go by our header, if there is one, or by chance.
fn weighted(canary: u32, stable: u32, header: Option<&str>) -> Value {
    let clusters = json!([{"name": "v2", "weight": canary}, {"name": "v1", "weight": stable}]);
    let mut split = json!({ "clusters": clusters });
    if let Some(header) = header {
        split["header_name"] = json!(header);
    }
    json!({"routes": [{"match": {"prefix": "/"}, "route": {"weighted_clusters": split}}]})
}

fn native(canary: u32) -> Value {
    weighted(canary, 100 - canary, Some("x-canary-slot"))
}

/// A route for each version, and chance for those who have none.
fn drawn(canary: u32) -> Value {
    let mut table = weighted(canary, 100 - canary, None);
    let chance = table["routes"][0].take();
    table["routes"] = json!([by_version("v1"), by_version("v2"), chance]);
    table
}

fn native_document(total: u32) -> Value {
    let versions = json!({"v1": {}, "v2": {}});
    let shop = json!({"stable": "v1", "versions": versions, "total": total, "split": "native"});
    json!({"rollouts": {"shop": shop}, "headers": {"slot": "x-canary-slot"}})
}

fn route_document(v2: &Value) -> Value {
    let mut versions = json!({"v1": {"cluster": "v1"}, "v2": {"cluster": "v2"}});
    for (name, value) in v2.as_object().into_iter().flatten() {
        versions["v2"][name] = value.clone();
    }
    let shop = json!({
        "stable": "v1",
        "versions": versions,
        "override": {"header": "x-canary"},
        "split": "route",
        "sticky": {"hold": "version"},
    });
    json!({"rollouts": {"shop": shop}, "headers": {"answer": "x-answer"}})
}
