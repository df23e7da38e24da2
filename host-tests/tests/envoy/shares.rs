//! A real Envoy with the shares that other systems have in their examples: Flomesh FSM, namerd, `OpenKruise`.

#![allow(clippy::print_stdout, reason = "the shares that were measured are worth reading")]

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Crowd, Setup, Visitor};

use crate::support::{self, HOST, Site, assert_share};

fn shares(weight: u32, total: u32) -> Result<Value> {
    let mut document = support::weight(weight)?;
    document["rollouts"]["shop"]["total"] = json!(total);
    Ok(document)
}

#[tokio::test]
async fn weights_of_other_systems() -> Result<()> {
    const VISITORS: u32 = 1_100;
    for (name, one, other) in [
        ("FSM: 100 to 10, then 100 to 900", (10, 110), (900, 1_000)),
        ("namerd: 8 to 2, then 8 to 8", (2, 10), (8, 16)),
        ("OpenKruise: 2 of 5, then 5 of 5", (2, 5), (5, 5)),
        ("KubeSphere: takes over", (10, 100), (100, 100)),
    ] {
        let mut site = Site::start(&Setup::from_env()?, shares(one.0, one.1)?).await?;
        let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 8)?;
        for (weight, total) in [one, other] {
            site.envoy.push(shares(weight, total)?).await?;
            crowd.visit(2).await?;
            let seen = crowd.take_report();
            let (requests, share) = (seen.requests_on("v2"), seen.visitor_share("v2"));
            println!(
                "{name}: {weight} of {total}: {requests} of {} requests, {:.1} % of the visitors",
                seen.answered(),
                share * 100.0
            );
            assert_share(share, f64::from(weight) / f64::from(total), VISITORS);
            assert_eq!((0, 0), (seen.moved("v2", "v1"), seen.failed), "{name}: {seen:?}");
        }
        // And back, which moves visitors out only.
        site.envoy.push(shares(one.0, one.1)?).await?;
        crowd.visit(2).await?;
        assert_eq!(0, crowd.take_report().moved("v1", "v2"), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_is_tested_by_override_before_it_takes_traffic() -> Result<()> {
    let mut site = Site::start(&Setup::from_env()?, shares(0, 5)?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, 200, 4)?;
    crowd.visit(1).await?;
    assert_eq!(200, crowd.take_report().visitors_on("v1"));
    let tester = Visitor::of(HOST)?.get(&mut site.connection(), "/", &[("x-canary", "v2")]).await?;
    assert_eq!((200, "v2".to_owned()), (tester.status, tester.text()));
    site.envoy.push(shares(2, 5)?).await?;
    crowd.visit(1).await?;
    let seen = crowd.take_report();
    assert_eq!((0, 0), (seen.moved("v2", "v1"), seen.failed));
    assert_share(seen.visitor_share("v2"), 0.4, 200);
    Ok(())
}
