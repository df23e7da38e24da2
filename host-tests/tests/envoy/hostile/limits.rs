//! Requests at the limits of Envoy as it is shipped: 60 KiB of headers, and 100 of them.

use anyhow::Result;
use serin_envoy::{Http, Setup, send};

use super::{BOTH, Target, answer, document, message};
use crate::support::HOST;

/// How much room all other headers of these requests take, at most.
const OTHERS: usize = 512;
/// What Envoy does over HTTP/2 in the place of an answer.
const RESET: &str = "reset";

#[tokio::test]
async fn below_a_limit_all_is_decided_and_above_it_envoy_refuses() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, document()).await?;
    let cookie = format!("canary={}", target.cookie_of("v2").await?);
    let id = target.id_of("v2").await?;
    let telling: [(&str, &[u8], &str); 5] = [
        ("x-canary", b"v2", "shop/v2/override"),
        ("x-team", b"qa", "shop/v2/rule"),
        ("cookie", cookie.as_bytes(), "shop/v2/slot"),
        ("x-user-id", id.as_bytes(), "shop/v2/slot"),
        ("x-nothing", b"", "shop/v1/first"),
    ];
    for http in BOTH {
        // Beside `host`, or the four of HTTP/2 that begin with a colon, and the one that tells.
        let (most, refused) = if http == Http::One { (98, "431") } else { (95, RESET) };
        let kilobytes = 60 * 1024;
        for (padding, fits) in [
            (vec![vec![b'x'; kilobytes - OTHERS]], true),
            (vec![vec![b'x'; kilobytes]], false),
            (vec![vec![0xff; kilobytes / 64 - 32]; 63], true),
            (vec![vec![b'x']; most], true),
            (vec![vec![b'x']; most + 2], false),
        ] {
            for (name, value, expected) in telling {
                // Before the others and behind them.
                for at in [0, padding.len()] {
                    let names: Vec<String> = (0..padding.len()).map(|number| format!("x-{number}")).collect();
                    let mut headers: Vec<(&str, &[u8])> =
                        names.iter().zip(&padding).map(|(name, value)| (name.as_str(), value.as_slice())).collect();
                    headers.insert(at, (name, value));
                    let reply = send(target.address(), http, &message(HOST, "/", &headers)).await?;
                    let size = padding.iter().map(Vec::len).sum::<usize>();
                    let what = format!("{http:?}: {name} at {at} of {} headers of {size} bytes", padding.len());
                    let expected = if fits { expected } else { refused };
                    assert_eq!(expected, reply.as_ref().map_or(RESET.to_owned(), answer), "{what}");
                    assert!(!fits || reply.is_some_and(|reply| reply.status == 200), "{what}");
                }
            }
        }
    }
    target.assert_unhurt_and_counted().await
}
