//! Strange hosts: one is the host of a rule by its letters alone, or Envoy refuses it.

use anyhow::Result;
use serin_envoy::Setup;

use super::{Target, document};
use crate::support::raw_to;

const RULE: &str = "shop/v2/rule";
const NEW: &str = "shop/v1/first";

/// Hosts, and who answers: the rule is for `qa.example.com`.
const HOSTS: [(&str, &str); 31] = [
    ("qa.example.com", RULE),
    ("QA.Example.COM", RULE),
    ("qa.example.com:443", RULE),
    ("qa.example.com:99999", RULE),
    ("qa.example.com:", RULE),
    ("qa.example.com.", NEW),
    (".qa.example.com", NEW),
    ("qa..example.com", NEW),
    ("a.qa.example.com", NEW),
    ("u@qa.example.com", NEW),
    ("u:p@qa.example.com", NEW),
    ("qa.example.com:80@a", NEW),
    ("qa.example.com,shop.example.com", NEW),
    ("%71a.example.com", NEW),
    ("qa.example.com%0d%0ax-lane:evil", NEW),
    ("qa.example.com%00", NEW),
    ("", NEW),
    (",", NEW),
    (";", NEW),
    ("*", NEW),
    ("*.example.com", NEW),
    ("[::1]", NEW),
    ("[::1", NEW),
    ("127.0.0.1", NEW),
    ("a b", "400"),
    ("a/b", "400"),
    ("a?b", "400"),
    ("a#b", "400"),
    ("a\\b", "400"),
    ("<a>", "400"),
    ("qa.example.com\u{e9}", "400"),
];

#[tokio::test]
async fn a_host_is_taken_by_its_letters() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, document()).await?;
    let address = target.address();
    // Envoy takes a second to close after a request that it refuses, so they are made side by side.
    let asked = HOSTS.map(|(host, _)| tokio::spawn(raw_to(host, address, "GET /", "")));
    let mut wrong = Vec::new();
    for ((host, expected), reply) in HOSTS.into_iter().zip(asked) {
        let reply = reply.await??;
        let found = reply.header("x-answer").map_or_else(|| reply.status.to_string(), str::to_owned);
        if found != expected {
            wrong.push(format!("{host}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let long = "a.".repeat(20 * 1024);
    assert_eq!(Some(NEW), raw_to(&long, address, "GET /", "").await?.header("x-answer"));
    target.assert_unhurt_and_counted().await
}
