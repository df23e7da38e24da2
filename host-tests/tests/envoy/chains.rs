//! Three real Envoys in a row: the gateway decides, the sidecars behind it follow what it decided.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Connection, Envoy, Reply, Routes, Setup, Upstreams, Visitor};

use crate::support::{HOST, by_version, counts, decisions, eventually, rest_to, values_of};

const VISITORS: u64 = 40;
/// The rollouts of the site by path, with their stable version and the other one.
const ROLLOUTS: [(&str, &str, &str); 2] = [("cart", "c1", "c2"), ("pay", "p1", "p2")];

/// From the gateway to the upstreams; each Envoy is dropped before those that it sends to.
struct Chain {
    gateway: Envoy,
    sidecars: [Envoy; 2],
    _upstreams: Upstreams,
}

#[tokio::test]
async fn every_hop_serves_the_version_that_the_gateway_chose() -> Result<()> {
    let chain = Chain::start().await?;
    let mut connection = Connection::to(chain.gateway.address());
    let mut pairs = BTreeSet::new();
    let mut served = BTreeMap::new();
    for _ in 0..VISITORS {
        let mut visitor = Visitor::of(HOST)?;
        let mut versions = Vec::new();
        for (round, (path, _, _)) in ROLLOUTS.iter().chain(&ROLLOUTS).enumerate() {
            let reply = visitor.get(&mut connection, &format!("/{path}/x"), &[]).await?;
            assert_hops_agree(&reply);
            // The one number decides in both rollouts.
            assert_eq!(usize::from(round == 0), reply.values("set-cookie").len());
            *served.entry(format!("{path}/{}/inherit", reply.text())).or_insert(0) += 1;
            versions.push(reply.text());
        }
        assert_eq!(versions[..2], versions[2..]);
        pairs.insert((versions[0].clone(), versions[1].clone()));
    }
    assert_eq!(4, pairs.len(), "two rollouts on one host decide apart: {pairs:?}");

    let by_slot = served.iter().map(|(name, count)| (name.replace("inherit", "slot"), *count)).collect();
    eventually(by_slot, async || decisions(&chain.gateway).await).await?;
    for sidecar in &chain.sidecars {
        eventually(served.clone(), async || decisions(sidecar).await).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_version_header_has_one_value_on_the_way() -> Result<()> {
    let chain = Chain::start().await?;
    for (path, stable, canary) in ROLLOUTS {
        for version in [stable, canary] {
            for claimed in [None, Some(stable), Some(canary), Some("v9")] {
                let mut headers = vec![("x-canary", version)];
                headers.extend(claimed.map(|claimed| ("x-canary-version", claimed)));
                let mut connection = Connection::to(chain.gateway.address());
                let path = format!("/{path}/headers");
                let seen = Visitor::of(HOST)?.get(&mut connection, &path, &headers).await?;
                assert_eq!([version], *values_of(&seen, "x-canary-version")?, "{path} {headers:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sidecar_decides_itself_where_no_listed_version_comes_in() -> Result<()> {
    let chain = Chain::start().await?;
    let mut connection = Connection::to(chain.sidecars[0].address());
    for claimed in [None, Some("v9"), Some("p2"), Some("")] {
        let headers: Vec<_> = claimed.iter().map(|claimed| ("x-canary-version", *claimed)).collect();
        let reply = Visitor::of(HOST)?.get(&mut connection, "/cart/headers", &headers).await?;
        let versions = values_of(&reply, "x-canary-version")?;
        assert!(["c1", "c2"].iter().any(|version| versions == [*version]), "{claimed:?}: {versions:?}");
        assert_eq!(1, reply.values("set-cookie").len(), "{claimed:?}");
    }
    let reply = Visitor::of(HOST)?.get(&mut connection, "/cart/", &[("x-canary-version", "c2")]).await?;
    assert_eq!(("c2".to_owned(), 0), (reply.text(), reply.values("set-cookie").len()));
    let last = counts([("cart/c2/inherit", 1)]);
    eventually(last, async || {
        let all = decisions(&chain.sidecars[0]).await?;
        Ok(all.into_iter().filter(|(name, _)| name.ends_with("inherit")).collect())
    })
    .await
}

/// What each hop saw in the version header is what it sent the request by, and what answered.
#[track_caller]
fn assert_hops_agree(reply: &Reply) {
    let version = reply.text();
    let expected = ["gateway", "first", "second"].map(|hop| format!("{hop} {version} {version}"));
    let seen: BTreeSet<String> = reply.values("x-hop").into_iter().collect();
    assert_eq!(BTreeSet::from(expected), seen, "status {}", reply.status);
}

impl Chain {
    async fn start() -> Result<Self> {
        let upstreams = Upstreams::start(&VERSIONS).await?;
        let last = hop("second")?.start(&upstreams, document(true)).await?;
        let middle = hop("first")?.start_before(&VERSIONS.map(|name| (name, last.address())), document(true)).await?;
        let gateway = hop("gateway")?.strip_early(true);
        let gateway = gateway.start_before(&VERSIONS.map(|name| (name, middle.address())), document(false)).await?;
        Ok(Self { gateway, sidecars: [middle, last], _upstreams: upstreams })
    }
}

const VERSIONS: [&str; 4] = ["c1", "c2", "p1", "p2"];

/// An Envoy whose responses tell the cluster it chose and the version header that it saw.
fn hop(name: &str) -> Result<Setup> {
    let seen = format!("{name} %UPSTREAM_CLUSTER% %REQ(X-CANARY-VERSION)%");
    let routes: Vec<Value> = VERSIONS.map(by_version).into_iter().chain([rest_to("c1")]).collect();
    let table = json!({"routes": routes, "response_headers_to_add": [{"header": {"key": "x-hop", "value": seen}}]});
    Ok(Setup::from_env()?.routes(Routes::Table(table)).strip_early(false))
}

fn document(inherit: bool) -> Value {
    let mut document = json!({"rollouts": {}});
    for (name, stable, canary) in ROLLOUTS {
        document["rollouts"][name] = json!({
            "match": [{"hosts": [HOST], "path": {"prefix": format!("/{name}")}}],
            "stable": stable,
            "versions": {stable: {}, canary: {"weight": 50}},
            "override": {"header": "x-canary"},
            "mark_stable": true,
            "inherit": inherit,
        });
    }
    document
}
