//! A real Envoy with two workers: visitors keep their version, over any connection and on any worker.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::json;
use serin_envoy::{Crowd, Setup, Visitor, exchange};

use crate::support::{HOST, Site, assert_share, weight, with_v2};

const VISITORS: u32 = 2_000;
/// After so many times 16 connections, chance alone has brought some to either worker.
const MANY: u64 = 20;

#[tokio::test]
async fn a_first_answer_sets_the_visitor_cookie_and_no_later_one_does() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, weight(10)?).await?;
    let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
    let first = visitor.get(&mut connection, "/", &[]).await?;
    let lines = first.values("set-cookie");
    let [line] = &lines[..] else { panic!("one cookie, not {lines:?}") };
    let (value, attributes) =
        line.strip_prefix("canary=").and_then(|rest| rest.split_once("; ")).context("a cookie")?;
    assert_visitor_cookie(value);
    let attributes: BTreeSet<String> = attributes.split("; ").map(str::to_ascii_lowercase).collect();
    // Plain HTTP: `secure: auto` adds nothing.
    let expected = ["max-age=2592000", "path=/", "samesite=lax", "httponly"];
    assert_eq!(BTreeSet::from(expected.map(str::to_owned)), attributes);

    for _ in 0..5 {
        let again = visitor.get(&mut site.connection(), "/", &[]).await?;
        assert_eq!(first.text(), again.text());
        assert!(again.values("set-cookie").is_empty(), "{again:?}");
    }
    Ok(())
}

#[tokio::test]
async fn shares_and_stickiness_hold_across_workers() -> Result<()> {
    let site = Site::start(&Setup::from_env()?.workers(2), weight(30)?).await?;
    let crowd = Crowd::new(site.envoy.address(), HOST, VISITORS.try_into()?, 16)?;
    let mut rounds = 0;
    // Every round comes over new connections.
    while rounds < 5 || !both_workers_had_one(&site).await? {
        assert!(rounds < MANY, "one worker had all connections");
        crowd.visit(1).await?;
        rounds += 1;
    }
    let seen = crowd.take_report();
    assert_eq!((0, u64::from(VISITORS) * rounds), (seen.failed, seen.answered()), "{:?}", seen.failures);
    assert_eq!(0, seen.moves(), "{:?}", seen.moves);
    assert_share(seen.visitor_share("v2"), 0.3, VISITORS);
    for version in ["v1", "v2"] {
        assert_eq!(seen.requests_on(version), site.upstreams.requests(version));
    }
    Ok(())
}

#[tokio::test]
async fn workers_and_restarts_draw_different_visitor_numbers() -> Result<()> {
    let (mut numbers, mut visitors) = (BTreeSet::new(), 0);
    for _ in 0..2 {
        let site = Site::start(&Setup::from_env()?.workers(2), weight(30)?).await?;
        let mut crowds = 0;
        while !both_workers_had_one(&site).await? {
            assert!(crowds < MANY, "one worker had all connections");
            let crowd = Crowd::new(site.envoy.address(), HOST, 200, 16)?;
            crowd.visit(1).await?;
            for value in crowd.cookies("canary").await {
                assert_visitor_cookie(&value);
                numbers.insert(value);
            }
            crowds += 1;
            visitors += crowd.len();
        }
    }
    assert_eq!(visitors, numbers.len());
    Ok(())
}

#[tokio::test]
async fn a_visitor_keeps_the_version_when_envoy_is_started_again() -> Result<()> {
    let mut visitors = Vec::new();
    let site = Site::start(&Setup::from_env()?, weight(50)?).await?;
    let mut connection = site.connection();
    for _ in 0..50 {
        let mut visitor = Visitor::of(HOST)?;
        let version = visitor.get(&mut connection, "/", &[]).await?.text();
        visitors.push((visitor, version));
    }
    for version in ["v1", "v2"] {
        assert!(visitors.iter().any(|(_, answered)| answered == version), "nobody on {version}");
    }
    drop(site);
    let site = Site::start(&Setup::from_env()?, weight(50)?).await?;
    let mut connection = site.connection();
    for (visitor, version) in &mut visitors {
        assert_eq!(*version, visitor.get(&mut connection, "/", &[]).await?.text());
    }
    Ok(())
}

#[tokio::test]
async fn the_applications_cookies_stay_beside_ours() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, weight(10)?).await?;
    let lines = site.ask("/?set-cookie=app%3D1&set-cookie=canary-b%3D2", &[]).await?.values("set-cookie");
    assert_eq!(3, lines.len(), "{lines:?}");
    assert_eq!(1, lines.iter().filter(|line| line.starts_with("canary=")).count(), "{lines:?}");
    for application in ["app=1", "canary-b=2"] {
        assert!(lines.iter().any(|line| line == application), "{lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_error_gives_nobody_a_number() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, weight(10)?).await?;
    let (mut visitor, mut connection) = (Visitor::of(HOST)?, site.connection());
    let failure = visitor.get(&mut connection, "/?status=503", &[]).await?;
    assert_eq!((503, Vec::new()), (failure.status, failure.values("set-cookie")));
    for status in [404, 200] {
        let mut visitor = Visitor::of(HOST)?;
        let reply = visitor.get(&mut connection, &format!("/?status={status}"), &[]).await?;
        assert_eq!((status, 1), (reply.status, reply.values("set-cookie").len()));
    }
    Ok(())
}

#[tokio::test]
async fn the_visitor_cookie_is_found_wherever_it_stands() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, weight(50)?).await?;
    for version in ["v1", "v2"] {
        let value = number_on(&site, version).await?;
        let long = format!("a={}", "x".repeat(8_000));
        let others = (0..200).map(|n| format!("c{n}={n}; ")).collect::<String>();
        for cookies in [
            format!("cookie: a=b; canary={value}; c=d\r\n"),
            format!("cookie: a=b\r\ncookie: canary={value}\r\n"),
            format!("cookie: canary={value}\r\ncookie: a=b\r\n"),
            format!("Cookie: canary=broken; canary={value}\r\n"),
            format!("cookie:  canary={value} ;\tx=y\r\n"),
            format!("cookie: {long}; canary={value}\r\n"),
            format!("cookie: {others}canary={value}\r\n"),
        ] {
            let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n{cookies}connection: close\r\n\r\n");
            let answer = exchange(site.envoy.address(), request.as_bytes()).await?;
            assert!(answer.trim_end().ends_with(version), "{cookies:?}: {answer}");
            assert!(!answer.contains("set-cookie"), "{cookies:?}: {answer}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_byte_in_a_header_stops_a_request() -> Result<()> {
    let site = Site::start(&Setup::from_env()?, with_v2(&json!({"weight": 50}))?).await?;
    let mut answers = 0;
    // Envoy itself refuses the control characters.
    for byte in (0x20..=0xff_u8).filter(|byte| *byte != 0x7f) {
        for header in ["cookie: canary=", "cookie: ", "x-canary: ", "x-canary-version: "] {
            let mut request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n{header}").into_bytes();
            request.extend([b'n', byte, b'\r', b'\n', b'\r', b'\n']);
            let answer = exchange(site.envoy.address(), &request).await?;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{header} {byte:#04x}: {answer}");
            answers += 1;
        }
    }
    let (stable, canary) = (site.upstreams.requests("v1"), site.upstreams.requests("v2"));
    assert_eq!(answers, stable + canary);
    assert!(stable > 0 && canary > 0, "the filter decided for {stable} and {canary}");
    Ok(())
}

/// Whether each of the two workers has had a connection.
async fn both_workers_had_one(site: &Site) -> Result<bool> {
    for worker in 0..2 {
        if site.envoy.sum(&format!(r"^listener\..*\.worker_{worker}\.downstream_cx_total$")).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The cookie of a new visitor whom `version` answered.
async fn number_on(site: &Site, version: &str) -> Result<String> {
    let mut connection = site.connection();
    for _ in 0..100 {
        let mut visitor = Visitor::of(HOST)?;
        if visitor.get(&mut connection, "/", &[]).await?.text() == version {
            return visitor.cookie("canary").map(str::to_owned).context("no visitor cookie");
        }
    }
    anyhow::bail!("nobody came to {version}")
}

/// `n<10 base64url characters>.d<day>`
#[track_caller]
fn assert_visitor_cookie(value: &str) {
    let fields = value.strip_prefix('n').and_then(|rest| rest.split_once(".d"));
    let (number, day) = fields.unwrap_or_else(|| panic!("{value:?} is no visitor cookie"));
    let base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(number.len() == 10 && number.chars().all(base64url), "{value:?}");
    assert!(day.parse::<u32>().is_ok(), "{value:?}");
}
