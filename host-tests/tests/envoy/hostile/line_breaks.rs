//! Line breaks in all that a client sends: none of it becomes a header, in either direction.

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serin_envoy::{Http, Setup};

use super::frames::{Fate, fate};
use super::{Target, document, values};
use crate::support::{HOST, Raw, raw_bytes};

/// What is smuggled in: a copy of a header that is the filter's, and a cookie.
const SMUGGLED: [&str; 2] = ["x-lane: evil", "set-cookie: evil=1"];
/// Line breaks, and what is taken for some elsewhere.
const BREAKS: [&str; 11] =
    ["\r\n", "\n", "\r", "\0", "\r\n ", "\r\n\t", "\r\n\r\n", "%0d%0a", "%0D%0A", "\\r\\n", "\u{2028}"];
/// Headers that the filter looks at, and what stands before the break.
const PLACES: [(&str, &str); 8] = [
    ("x-canary", "v2"),
    ("x-canary", "v9"),
    ("x-user-id", "alice"),
    ("x-team", "qa"),
    ("user-agent", "Canary/1"),
    ("cookie", "canary=nAAAAAAAAAA.d20784"),
    ("cookie", "lane=v2"),
    ("cookie", "sid=a; canary-shop=vv2"),
];
/// What an upstream shows of the first.
const COPY: &str = r#"["x-lane","evil"]"#;
/// So many requests at once: Envoy takes a second to close after one that it refuses.
const TOGETHER: usize = 64;
/// All headers that a response may have.
const KNOWN: [&str; 9] = [
    "content-length",
    "content-type",
    "x-envoy-upstream-service-time",
    "x-answer",
    "set-cookie",
    "cache-control",
    "date",
    "server",
    "connection",
];

#[tokio::test]
async fn no_line_break_makes_a_header() -> Result<()> {
    let target = Target::start(&Setup::from_env()?.strip_early(false), document()).await?;
    let address = target.address();
    let asked = requests().into_iter().map(|request| async move {
        let reply = raw_bytes(address, request.as_bytes()).await?;
        check(&reply).with_context(|| format!("{request:?}\n{}\n{}", reply.head, reply.body))?;
        anyhow::Ok(reply.status)
    });
    let statuses: Vec<u16> = stream::iter(asked).buffer_unordered(TOGETHER).try_collect().await?;
    let served = statuses.iter().filter(|status| **status == 200).count();
    ensure!(served > statuses.len() / 2, "of {} requests {served} were served", statuses.len());
    over_two(&target).await?;
    target.assert_unhurt().await
}

/// Requests over HTTP/1 with a line break and what follows it in a header, in the path and query, or in the host.
fn requests() -> Vec<String> {
    let mut requests = Vec::new();
    for (line_break, smuggled) in BREAKS.into_iter().flat_map(|one| SMUGGLED.map(|other| (one, other))) {
        let evil = format!("{line_break}{smuggled}");
        let get = |path: &str, host: &str, line: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{line}connection: close\r\n\r\n")
        };
        requests.extend(PLACES.map(|(name, value)| get("/headers", HOST, &format!("{name}: {value}{evil}\r\n"))));
        requests.push(get(&format!("/{evil}/headers?canary=v2{evil}"), HOST, ""));
        requests.push(get("/headers", &format!("{HOST}{evil}"), ""));
    }
    requests
}

/// Served or refused, the response has none but known headers and a sound cookie, and the upstream saw no copy of ours.
fn check(reply: &Raw) -> Result<()> {
    ensure!(matches!(reply.status, 200 | 400 | 426), "status {}", reply.status);
    for line in reply.head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        ensure!(KNOWN.contains(&name) && !line.contains("evil"), "{line}");
        if name == "set-cookie" {
            let cookie = value.strip_prefix("canary=").and_then(|rest| rest.split_once("; Max-Age=2592000; "));
            let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            ensure!(cookie.is_some_and(|(value, _)| value.bytes().all(is_sound)), "{line}");
        }
    }
    ensure!(!reply.body.contains(COPY), "a copy of the client's reached the upstream");
    Ok(())
}

/// Over HTTP/2 a value may hold anything, since its length is told: Envoy refuses it with a control character, and it stays a
/// value without one.
async fn over_two(target: &Target) -> Result<()> {
    let cases = PLACES.into_iter().flat_map(|place| BREAKS.map(|line_break| (place, line_break)));
    let asked = cases.map(|((name, before), line_break)| async move {
        let value = format!("{before}{line_break}x-lane: evil");
        let is_control = line_break.chars().any(|character| character.is_ascii_control());
        let expected = if is_control { Fate::Refused } else { Fate::Served };
        ensure!(fate(target.address(), name, value.as_bytes()).await? == expected, "{name}: {value:?}");
        if !is_control {
            let reply = target.ask(Http::Two, "/headers", &[(name, value.as_bytes())]).await?;
            let body = String::from_utf8_lossy(&reply.body).into_owned();
            ensure!(!body.contains(COPY) && values(&reply, "x-lane").is_empty(), "{name}: {value:?}: {body}");
        }
        Ok(())
    });
    stream::iter(asked).buffer_unordered(TOGETHER).try_collect().await
}
