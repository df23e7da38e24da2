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

#[tokio::test]
async fn of_several_headers_one_counts() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, document()).await?;
    let [on_v1, on_v2] = [target.cookie_of("v1").await?, target.cookie_of("v2").await?];
    let [canary_v1, canary_v2] = [&on_v1, &on_v2].map(|cookie| format!("canary={cookie}"));
    let [id_v1, id_v2] = [target.id_of("v1").await?, target.id_of("v2").await?];
    let [sid_v1, sid_v2] = [&id_v1, &id_v2].map(|id| format!("sid={id}"));
    let behind = format!("sid=; {sid_v2}");
    let (v1, v2) = ("shop/v1/slot", "shop/v2/slot");
    let (asked_v1, asked_v2, rule) = ("shop/v1/override", "shop/v2/override", "shop/v2/rule");
    // A name, its values in their order, and the answer over HTTP/1 and HTTP/2.
    let cases: [(&str, &[&str], &str, &str); _] = [
        ("x-canary", &["v2", "v1"], asked_v2, asked_v2),
        ("x-canary", &["v1", "v2"], asked_v1, asked_v1),
        ("x-canary", &["v9", "v2"], NEW, NEW),
        ("x-canary", &["", "v2"], NEW, NEW),
        ("x-canary", &["v2,v1"], NEW, NEW),
        ("x-user-id", &[&id_v2, &id_v1], v2, v2),
        ("x-user-id", &[&id_v1, &id_v2], v1, v1),
        ("x-user-id", &["", &id_v2], NEW, NEW),
        ("x-team", &["qa", "dev"], rule, rule),
        ("x-team", &["dev", "qa"], NEW, NEW),
        // Envoy itself joins the user agent's lines, as a list.
        ("user-agent", &["Canary/1", "x"], rule, rule),
        ("user-agent", &["x", "Canary/1"], NEW, NEW),
        // As well as those of the host; over HTTP/2 it leaves one beside `:authority` out, and refuses two.
        ("host", &["qa.example.com"], NEW, NEW),
        ("host", &["qa.example.com", "qa.example.com"], NEW, REFUSED),
        // Lines of HTTP/1 stay apart, and one with a cookie of ours is taken for all; crumbs of HTTP/2 are one line.
        ("cookie", &[&canary_v2, &canary_v1], v2, v2),
        ("cookie", &[&canary_v1, &canary_v2], v1, v1),
        ("cookie", &["a=b", &canary_v2], v2, v2),
        ("cookie", &["canary=x", &canary_v2], NEW, v2),
        ("cookie", &[&sid_v2, &sid_v1], v2, v2),
        ("cookie", &[&behind, &sid_v1], v2, v2),
        ("cookie", &["sid=", &sid_v2], NEW, v2),
        ("cookie", &["lane=v2", "lane=v1"], asked_v2, asked_v2),
        ("cookie", &["lane=v9", "lane=v2"], NEW, asked_v2),
        ("cookie", &["lane=v9; lane=v2"], asked_v2, asked_v2),
        ("cookie", &["a=b", "lane=v2", &canary_v1], asked_v2, asked_v2),
    ];
    for (name, values, over_one, over_two) in cases {
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
