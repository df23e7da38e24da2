//! Every byte in a value of every header that the filter looks at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serin_envoy::{Http, Setup};

use super::frames::{Fate, fate};
use super::{Target, answer, ask, document};
use crate::support::{HOST, raw_bytes};

/// A header, what stands before the byte and behind it, and who answers if that is no matter of an id's slot. Without the
/// byte the first four would name v2.
const PLACES: [(&str, &str, &str, Option<&str>); 6] = [
    ("x-canary", "v", "2", Some("shop/v1/first")),
    ("x-team", "q", "a", Some("shop/v1/first")),
    ("user-agent", "Canar", "y/1", Some("shop/v1/first")),
    ("cookie", "lane=v", "2; x=y", Some("shop/v1/first")),
    ("cookie", "sid=a", "b", None),
    ("x-user-id", "a", "b", None),
];

/// So many requests at once: Envoy takes a second to close after one that it refuses.
const TOGETHER: usize = 64;

/// Whether a byte may stand in a value (RFC 9110 §5.5): visible characters, `obs-text`, and white space between them.
fn is_sound(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

#[tokio::test]
async fn what_http_allows_is_served_and_the_rest_refused() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, document()).await?;
    let address = target.address();
    let cases = (0..PLACES.len()).flat_map(|place| (0..=255).map(move |byte| (place, byte)));
    let asked =
        cases.map(|(place, byte)| async move { anyhow::Ok(((place, byte), both(address, place, byte).await?)) });
    let found: BTreeMap<_, _> = stream::iter(asked).buffer_unordered(TOGETHER).try_collect().await?;
    let mut by_slot = BTreeSet::new();
    for ((place, byte), [one, two]) in &found {
        let (name, before, behind, expected) = PLACES[*place];
        let what = format!("{name}: {before}{}{behind}: {one} over HTTP/1, {two} over HTTP/2", byte.escape_ascii());
        match (byte, expected) {
            // Envoy leaves a bare CR out, where RFC 9112 §2.2 would have it replaced or refused.
            (b'\r', _) => assert!(one.starts_with("shop/") && two == REFUSED, "{what}"),
            _ if !is_sound(*byte) => assert!(one == REFUSED && two == REFUSED, "{what}"),
            (_, Some(expected)) => assert!(one == expected && two == expected, "{what}"),
            (_, None) => {
                assert!(one.ends_with("/slot") && one == two, "{what}");
                by_slot.insert(one.as_str());
            }
        }
    }
    assert_eq!(["shop/v1/slot", "shop/v2/slot"], *by_slot.into_iter().collect::<Vec<_>>());
    target.assert_unhurt_and_counted().await
}

const REFUSED: &str = "400";

/// The answers over HTTP/1 and HTTP/2.
async fn both(address: SocketAddr, place: usize, byte: u8) -> Result<[String; 2]> {
    let (name, before, behind, _) = PLACES[place];
    let value = [before.as_bytes(), &[byte], behind.as_bytes()].concat();
    let head = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n{name}: ");
    let one = raw_bytes(address, &[head.as_bytes(), &value, b"\r\n\r\n"].concat()).await?;
    let one = one.header("x-answer").map_or_else(|| one.status.to_string(), str::to_owned);
    let two = match is_sound(byte) {
        true => answer(&ask(address, Http::Two, "/", &[(name, &value)]).await?),
        false if fate(address, name, &value).await? == Fate::Refused => REFUSED.to_owned(),
        false => "served".to_owned(),
    };
    Ok([one, two])
}
