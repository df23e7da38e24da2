//! Thousands of clients that nobody knows, each with a name for everything: metrics and the log tell of the document alone.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use futures_util::{StreamExt, TryStreamExt, stream};
use serin_envoy::{Http, Setup, send};

use super::{BOTH, Target, answer, document, message};
use crate::support::eventually;

/// Stands in all that a stranger sends.
const MARK: &str = "zq7w";
/// So many over either version of HTTP.
const STRANGERS: u64 = 1_000;
/// So many at once.
const TOGETHER: usize = 16;

const HOSTS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789.-_";
const PATHS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/.;:@!$&'()*+,=-_~%?";

#[tokio::test]
async fn no_metric_and_no_line_of_the_log_is_about_a_client() -> Result<()> {
    let target = Target::start(&Setup::from_env()?, document()).await?;
    let ignored = async || target.site.envoy.sum(r"^wasmcustom\.serin_overrides_ignored\.").await;
    // Every counter is there once it has counted something.
    come(&target, 0..50).await?;
    target.assert_unhurt_and_counted().await?;
    let names = async || anyhow::Ok(target.site.envoy.stats("^wasmcustom").await?.into_keys().collect::<Vec<_>>());
    let before = names().await?;
    ensure!(before.len() > 5, "these are all metrics: {before:?}");
    come(&target, 50..50 + STRANGERS).await?;
    target.assert_unhurt_and_counted().await?;
    assert_eq!(before, names().await?);
    eventually(2 * (50 + STRANGERS), ignored).await?;
    assert!(target.site.envoy.stats(MARK).await?.is_empty());
    let log = target.site.envoy.log()?;
    assert!(!log.contains(MARK), "{log}");
    Ok(())
}

/// Lets these strangers come over both versions of HTTP.
async fn come(target: &Target, strangers: std::ops::Range<u64>) -> Result<()> {
    let all = strangers.flat_map(|number| BOTH.map(|http| come_once(target, http, number)));
    stream::iter(all).buffer_unordered(TOGETHER).try_collect().await
}

async fn come_once(target: &Target, http: Http, number: u64) -> Result<()> {
    let mut rng = Rng::with_seed(number);
    let mut name = |alphabet: Option<&[u8]>| strange(&mut rng, number, alphabet);
    let host = String::from_utf8(name(Some(HOSTS)))?;
    let path = format!("/{}?canary={}", String::from_utf8(name(Some(PATHS)))?, String::from_utf8(name(Some(PATHS)))?);
    let cookie = ["canary=", "; canary-shop=r", "; lane=", "; "].map(|part| [part.as_bytes(), &name(None)].concat());
    let (agent, canary, version) = (name(None), name(None), name(None));
    let (team, id) = (name(None), name(None));
    let headers: [(&str, &[u8]); 6] = [
        ("cookie", &cookie.concat()),
        ("user-agent", &agent),
        ("x-canary", &canary),
        ("x-canary-version", &version),
        ("x-team", &team),
        ("x-user-id", &id),
    ];
    let reply = send(target.address(), http, &message(&host, &path, &headers)).await?;
    let reply = reply.with_context(|| format!("no answer to {number} over {http:?}"))?;
    let answer = answer(&reply);
    ensure!(matches!(&*answer, "shop/v1/slot" | "shop/v2/slot"), "{number} over {http:?}: {answer}");
    Ok(())
}

/// A name that was never there before, of these characters or of all bytes that a value may have.
fn strange(rng: &mut Rng, number: u64, alphabet: Option<&[u8]>) -> Vec<u8> {
    let mut name = format!("{MARK}{number}").into_bytes();
    let length = rng.usize(1..40);
    let character = || match alphabet {
        Some(alphabet) => alphabet[rng.usize(..alphabet.len())],
        None => loop {
            let byte = rng.u8(..);
            if matches!(byte, b' '..=b'~' | 0x80..) {
                break byte;
            }
        },
    };
    name.extend(std::iter::repeat_with(character).take(length));
    name.push(b'x');
    name
}
