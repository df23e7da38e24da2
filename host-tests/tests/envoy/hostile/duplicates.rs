//! Headers that come more than once: the outcome is that of one of them, as the documentation says which.

use anyhow::Result;
use serin_envoy::{Http, Setup, send};

use super::frames::{Fate, fate};
use super::{BOTH, Target, answer, document, message, visitor_cookie};
use crate::support::HOST;

/// Nothing of it counts: a new visitor.
const NEW: &str = "shop/v1/first";
/// Envoy resets the stream, or in older versions leaves the headers out.
const REFUSED: &str = "refused";

const V1: &str = "shop/v1/slot";
const V2: &str = "shop/v2/slot";
const ASKED_V1: &str = "shop/v1/override";
const ASKED_V2: &str = "shop/v2/override";
const RULE: &str = "shop/v2/rule";

/// A name, its values in their order, and the answer over HTTP/1 and HTTP/2.
const CASES: [(&str, &[&str], &str, &str); 25] = [
    ("x-canary", &["v2", "v1"], ASKED_V2, ASKED_V2),
    ("x-canary", &["v1", "v2"], ASKED_V1, ASKED_V1),
    ("x-canary", &["v9", "v2"], NEW, NEW),
    ("x-canary", &["", "v2"], NEW, NEW),
    ("x-canary", &["v2,v1"], NEW, NEW),
    ("x-user-id", &["<id of v2>", "<id of v1>"], V2, V2),
    ("x-user-id", &["<id of v1>", "<id of v2>"], V1, V1),
    ("x-user-id", &["", "<id of v2>"], NEW, NEW),
    ("x-team", &["qa", "dev"], RULE, RULE),
    ("x-team", &["dev", "qa"], NEW, NEW),
    // Envoy itself joins the user agent's lines, as a list.
    ("user-agent", &["Canary/1", "x"], RULE, RULE),
    ("user-agent", &["x", "Canary/1"], NEW, NEW),
    // As well as those of the host; over HTTP/2 it leaves one beside `:authority` out, and refuses two.
    ("host", &["qa.example.com"], NEW, NEW),
    ("host", &["qa.example.com", "qa.example.com"], NEW, REFUSED),
    // Lines of HTTP/1 stay apart, and one with a cookie of ours is taken for all; crumbs of HTTP/2 are one line.
    ("cookie", &["canary=<cookie of v2>", "canary=<cookie of v1>"], V2, V2),
    ("cookie", &["canary=<cookie of v1>", "canary=<cookie of v2>"], V1, V1),
    ("cookie", &["a=b", "canary=<cookie of v2>"], V2, V2),
    ("cookie", &["canary=x", "canary=<cookie of v2>"], NEW, V2),
    ("cookie", &["sid=<id of v2>", "sid=<id of v1>"], V2, V2),
    ("cookie", &["sid=; sid=<id of v2>", "sid=<id of v1>"], V2, V2),
    ("cookie", &["sid=", "sid=<id of v2>"], NEW, V2),
    ("cookie", &["lane=v2", "lane=v1"], ASKED_V2, ASKED_V2),
    ("cookie", &["lane=v9", "lane=v2"], NEW, ASKED_V2),
    ("cookie", &["lane=v9; lane=v2"], ASKED_V2, ASKED_V2),
    ("cookie", &["a=b", "lane=v2", "canary=<cookie of v1>"], ASKED_V2, ASKED_V2),
];

#[tokio::test]
async fn of_several_headers_one_counts() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, document()).await?;
    let mut own = Vec::new();
    for version in ["v1", "v2"] {
        own.push((format!("<cookie of {version}>"), target.cookie_of(version).await?));
        own.push((format!("<id of {version}>"), target.id_of(version).await?));
    }
    for (name, values, over_one, over_two) in CASES {
        let fill = |value: &&str| own.iter().fold((*value).to_owned(), |text, (mark, of)| text.replace(mark, of));
        let values: Vec<String> = values.iter().map(fill).collect();
        let headers: Vec<(&str, &[u8])> = values.iter().map(|value| (name, value.as_bytes())).collect();
        for http in BOTH {
            let expected = if http == Http::One { over_one } else { over_two };
            let reply = send(target.address(), http, &message(HOST, "/", &headers)).await?;
            let what = format!("{name}: {values:?} over {http:?}");
            let expected = if expected == REFUSED && reply.is_some() { NEW } else { expected };
            assert_eq!(expected, reply.as_ref().map_or(REFUSED.to_owned(), answer), "{what}");
            assert_eq!(expected == NEW, reply.as_ref().and_then(visitor_cookie).is_some(), "{what}");
        }
    }
    assert_eq!(Fate::Refused, fate(target.address(), ":authority", b"qa.example.com").await?);
    target.assert_unhurt_and_counted().await
}
