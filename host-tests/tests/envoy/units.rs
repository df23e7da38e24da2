//! A real Envoy: by what a request sticks to its version: an id that it carries, its visitor, its address, or nothing.

use anyhow::Result;
use serde_json::{Value, json};
use serin_core::SlotKey;
use serin_envoy::{Ask, Crowd, Routes, Setup, Visitor};

use crate::support::{HOST, Site, assert_share, behind_a_proxy, raw};

#[tokio::test]
async fn an_id_has_one_slot_wherever_it_is_carried() -> Result<()> {
    let unit = json!([{"header": "x-user"}, {"cookie": "user"}, {"query": "user"}, {"source": "address"}]);
    let mut document = document(&json!({"release": "r1", "sticky": {"unit": unit}}));
    document["cookie"] = json!(false);
    let site = Site::start(&setup()?.manager(behind_a_proxy()), document).await?;
    let alice = "x-user: alice\r\n";
    for (path, headers, bytes) in [
        ("/", alice, &b"alice"[..]),
        ("/", "X-USER:  alice \r\n", b"alice"),
        ("/", "x-user: alice\r\nx-user: bob\r\n", b"alice"),
        ("/", "cookie: a=b; user=alice\r\n", b"alice"),
        ("/?a=b&user=alice", "", b"alice"),
        // The first of the list that is there and not empty counts.
        ("/?user=carol", "x-user: alice\r\ncookie: user=bob\r\n", b"alice"),
        ("/?user=carol", "x-user:\r\ncookie: user=bob\r\n", b"bob"),
        ("/?user=carol", "cookie: user=\r\n", b"carol"),
        ("/?user=&user=carol", "", b"carol"),
        ("/?user=a%6Cice", "", b"a%6Cice"),
        ("/", "x-user: \u{e9}\r\n", "\u{e9}".as_bytes()),
        // The connections come from a new port each time.
        ("/", "", &[127, 0, 0, 1]),
        ("/", "", &[127, 0, 0, 1]),
        ("/?user=", "x-user:\r\nx-forwarded-for: 192.0.2.7\r\n", &[192, 0, 2, 7]),
        ("/", "x-forwarded-for: 198.51.100.1, 192.0.2.7\r\n", &[192, 0, 2, 7]),
        ("/", "x-forwarded-for: 2001:db8::7\r\n", &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]),
        ("/", "x-forwarded-for: ::ffff:192.0.2.7\r\n", &[192, 0, 2, 7]),
    ] {
        let expected = SlotKey::new("shop", "r1").slot(bytes).number();
        for _ in 0..2 {
            let reply = raw(site.envoy.address(), &format!("GET {path}"), headers).await?;
            let what = format!("{path} {headers:?}");
            assert_eq!(Some(format!("{expected}").as_str()), reply.header("x-slot"), "{what}");
            assert_eq!(if expected < 500_000 { "v2" } else { "v1" }, reply.body, "{what}");
            assert_eq!(None, reply.header("set-cookie"), "{what}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_visitor_with_an_id_sticks_by_what_is_preferred() -> Result<()> {
    let setup = setup()?;
    for prefer in [None, Some("visitor"), Some("unit")] {
        let mut sticky = json!({"unit": [{"header": "x-user"}]});
        if let Some(prefer) = prefer {
            sticky["prefer"] = json!(prefer);
        }
        let site = Site::start(&setup, document(&json!({ "sticky": sticky }))).await?;
        let mut connection = site.connection();
        for name in 0..12 {
            let name = format!("user-{name}");
            let of_id = SlotKey::new("shop", "").slot(name.as_bytes()).number().to_string();
            let user = [("x-user", name.as_str())];
            let mut visitor = Visitor::of(HOST)?;
            let before = visitor.get(&mut connection, "/", &[]).await?;
            let logged_in = visitor.get(&mut connection, "/", &user).await?;
            let logged_out = visitor.get(&mut connection, "/", &[]).await?;
            let elsewhere = Visitor::of(HOST)?.get(&mut connection, "/", &user).await?;
            let slots = [&before, &logged_in, &logged_out, &elsewhere].map(|reply| reply.values("x-slot").concat());
            let own = &slots[0];
            let there = if prefer == Some("unit") { &of_id } else { own };
            assert_eq!([own, there, own, &of_id], slots.each_ref(), "{prefer:?} {name}");
            // A number for whoever carries nothing; whoever has an id needs none.
            let given = [&before, &logged_in, &logged_out, &elsewhere].map(|reply| reply.values("set-cookie").len());
            assert_eq!([1, 0, 0, 0], given, "{prefer:?} {name}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_carries_nothing_yet_is_first_served_by_stable() -> Result<()> {
    let fields = json!({"versions": {"v1": {}, "v2": {"cluster": "v2", "weight": 100}},
        "sticky": {"first": "stable", "unit": [{"header": "x-user"}]}});
    let mut site = Site::start(&setup()?, document(&fields)).await?;
    for (cookie, second) in [(json!({}), "shop/v2/slot"), (json!(false), "shop/v1/first")] {
        let mut document = document(&fields);
        document["cookie"] = cookie.clone();
        site.envoy.push(document).await?;
        let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
        for (headers, answer) in [
            (&[][..], "shop/v1/first"),
            (&[], second),
            (&[("x-user", "alice")], "shop/v2/slot"),
            (&[("x-user", "")], second),
        ] {
            let reply = visitor.get(&mut connection, "/", headers).await?;
            assert_eq!([answer], *reply.values("x-answer"), "cookie: {cookie}, {headers:?}");
            assert_eq!(answer.split('/').nth(1), Some(reply.text().as_str()), "cookie: {cookie}, {headers:?}");
        }
        let with_an_id = site.ask("/", &[("x-user", "bob")]).await?;
        assert_eq!("v2", with_an_id.text(), "cookie: {cookie}");
    }
    Ok(())
}

#[tokio::test]
async fn where_nothing_is_held_every_request_is_drawn() -> Result<()> {
    const REQUESTS: u32 = 600;
    for fields in [
        json!({"sticky": {"hold": "none"}}),
        json!({"sticky": {"hold": "none", "unit": [{"header": "x-user"}]}}),
        json!({"sticky": {"hold": "none", "first": "stable"}}),
    ] {
        let site = Site::start(&setup()?, document(&fields)).await?;
        let crowd = Crowd::new(site.envoy.address(), HOST, 3, 3)?;
        let ask = Ask::path("/").header("x-user", "alice");
        crowd.visit_as(u64::from(REQUESTS) / 3, ask).await?;
        let seen = crowd.take_report();
        assert_share(seen.request_share("v2"), 0.5, REQUESTS);
        // Of a hundred moves and more, none would be left if anything stuck.
        assert!(seen.moves() > 100, "{fields}: {seen:?}");
        assert!(crowd.cookies("canary").await.is_empty(), "{fields}");
    }
    Ok(())
}

#[tokio::test]
async fn rollouts_of_one_cohort_put_a_unit_on_the_same_side() -> Result<()> {
    let rollout = |path: &str, cohort: Value| {
        let mut rollout = document(&json!({"cohort": cohort}))["rollouts"]["shop"].take();
        rollout["match"] = json!([{"path": {"prefix": path}}]);
        rollout
    };
    let mut document = document(&json!({}));
    document["rollouts"] = json!({
        "web": rollout("/web", json!("redesign")),
        "api": rollout("/api", json!("redesign")),
        "other": rollout("/other", Value::Null),
    });
    let site = Site::start(&setup()?, document).await?;
    let mut connection = site.connection();
    let mut apart = 0;
    for _ in 0..40 {
        let mut visitor = Visitor::of(HOST)?;
        let mut seen = Vec::new();
        for path in ["/web", "/api", "/other"] {
            let reply = visitor.get(&mut connection, path, &[]).await?;
            seen.push((reply.text(), reply.values("x-slot")));
        }
        assert_eq!(seen[0], seen[1]);
        apart += usize::from(seen[0].0 != seen[2].0);
    }
    // Chance alone gives 0 or 40 twice in 2^40 times.
    assert!((1..40).contains(&apart), "{apart} of 40 are on another side of the third rollout");
    Ok(())
}

#[tokio::test]
async fn a_unit_by_address_cannot_be_chosen_by_the_client() -> Result<()> {
    // Without a trusted hop in front, the address is that of the connection, whatever the client writes.
    let setup = setup()?.manager(json!({"use_remote_address": true}));
    let mut document = document(&json!({"sticky": {"unit": [{"source": "address"}]}}));
    document["cookie"] = json!(false);
    let site = Site::start(&setup, document).await?;
    let own = SlotKey::new("shop", "").slot(&[127, 0, 0, 1]).number().to_string();
    for headers in [&[][..], &[("x-forwarded-for", "192.0.2.7")], &[("x-envoy-external-address", "192.0.2.7")]] {
        assert_eq!([own.as_str()], *site.ask("/", headers).await?.values("x-slot"), "{headers:?}");
    }
    Ok(())
}

/// The responses show the slot that routes and upstream were told.
fn setup() -> Result<Setup> {
    let slot = json!({"header": {"key": "x-slot", "value": "%REQ(X-CANARY-SLOT)%"}});
    Ok(Setup::from_env()?.routes(Routes::Table(json!({"response_headers_to_add": [slot]}))))
}

/// A rollout with v2 at 50 % and these other fields.
fn document(fields: &Value) -> Value {
    let mut shop =
        json!({"stable": "v1", "versions": {"v1": {}, "v2": {"cluster": "v2", "weight": 50}}, "mark_stable": true});
    for (name, value) in fields.as_object().into_iter().flatten() {
        shop[name] = value.clone();
    }
    let headers = json!({"cluster": "x-canary-cluster", "slot": "x-canary-slot", "answer": "x-answer"});
    json!({"rollouts": {"shop": shop}, "headers": headers})
}
