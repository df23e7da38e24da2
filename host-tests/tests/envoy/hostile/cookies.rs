//! Floods of cookies: what counts of them is what `docs/formats.md` says, and they take at most ten times as long as other
//! headers do.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use serin_envoy::{Http, Setup};

use super::{BOTH, Target, answer, document};

const NEW: &str = "shop/v1/first";
const KNOWN: &str = "shop/v2/slot";
/// Nearly all that Envoy takes.
const MANY: usize = 59 * 1024;

/// Cookie lines, and who answers over HTTP/1 and HTTP/2.
type Flood = (&'static str, Vec<String>, &'static str, &'static str);

/// Floods around a sound cookie. Of the pairs of a request 512 count.
fn floods(sound: &str) -> Vec<Flood> {
    let pairs = |count: usize| (0..count).map(|number| format!("c{number}=x; ")).collect::<String>();
    let lines = |count: usize, behind: &str| {
        let lines = (0..count).map(|number| format!("c{number}=x"));
        lines.chain([behind.to_owned()]).collect::<Vec<_>>()
    };
    let one = |what, line: String, expected| (what, vec![line], expected, expected);
    vec![
        one("5,000 pairs behind it", format!("{sound}; {}", pairs(5_000)), KNOWN),
        one("5,000 pairs before it", format!("{}{sound}", pairs(5_000)), NEW),
        one("511 pairs before it", format!("{}{sound}", pairs(511)), KNOWN),
        one("512 pairs before it", format!("{}{sound}", pairs(512)), NEW),
        one("500 of its name before it", format!("{}{sound}", "canary=x; ".repeat(500)), KNOWN),
        one("a pair of 59 KiB before it", format!("a={}; {sound}", "x".repeat(MANY)), KNOWN),
        one("a pair of 59 KiB of its name before it", format!("canary={}; {sound}", "n".repeat(MANY)), KNOWN),
        one("59 KiB of semicolons before it", format!("{}{sound}", ";".repeat(MANY)), NEW),
        one("59 KiB of equals signs before it", format!("{}; {sound}", "=".repeat(MANY)), KNOWN),
        one("15,000 pairs without a value before it", format!("{}{sound}", "a  ;".repeat(MANY / 4)), NEW),
        one("its name and 59 KiB of white space", format!("canary{}={sound}", " ".repeat(MANY)), NEW),
        one("40 KiB of quotes", format!("canary=\"{}; {sound}", "\"".repeat(40 * 1024)), KNOWN),
        ("511 lines before it", lines(511, sound), KNOWN, KNOWN),
        ("512 lines before it", lines(512, sound), NEW, NEW),
        ("3,000 lines before it", lines(3_000, sound), NEW, NEW),
        ("it first, and 3,000 lines", [vec![sound.to_owned()], lines(3_000, "a=b")].concat(), KNOWN, KNOWN),
    ]
}

/// Floods of wrongly signed cookies around a signed one. Eight of a name are tried.
fn signed_floods(sound: &str) -> Vec<Flood> {
    let forged = |count: usize| "canary=nAAAAAAAAAA.d20784.kk1.tAAAAAAAAAAAAAAAAAAAAAA; ".repeat(count);
    let unsigned = "canary=nAAAAAAAAAA.d20784; ".repeat(7);
    let one = |what, line: String, expected| (what, vec![line], expected, expected);
    vec![
        one("7 forged ones before it", format!("{}{sound}", forged(7)), KNOWN),
        one("8 forged ones before it", format!("{}{sound}", forged(8)), NEW),
        one("7 without a signature before it", format!("{unsigned}{sound}"), KNOWN),
        one("1,000 forged ones before it", format!("{}{sound}", forged(1_000)), NEW),
        one("1,000 forged ones behind it", format!("{sound}; {}", forged(1_000)), KNOWN),
        one("1,000 forged ones alone", forged(1_000), NEW),
        one("a tag of 59 KiB before it", format!("canary=n.t{}; {sound}", "A".repeat(MANY)), KNOWN),
    ]
}

#[tokio::test]
async fn floods_are_read_as_far_as_documented_and_take_at_most_ten_times_as_long_as_other_headers() -> Result<()> {
    // So that Envoy lets all of them in.
    let limits = json!({"common_http_protocol_options": {"max_headers_count": 5_000}});
    let mut target = Target::start(&Setup::from_env()?.manager(limits), document()).await?;
    let floods = floods(&format!("canary={}", target.cookie_of("v2").await?));
    check(&target, &floods).await?;
    check_time(&target, &floods).await?;
    target.assert_unhurt_and_counted().await?;

    let mut signing = document();
    signing["keys"] = json!([{"id": "k1", "secret": "a secret of the tests"}]);
    target.push(signing).await?;
    let floods = signed_floods(&format!("canary={}", target.cookie_of("v2").await?));
    check(&target, &floods).await?;
    check_time(&target, &floods).await?;
    target.assert_unhurt_and_counted().await
}

async fn check(target: &Target, floods: &[Flood]) -> Result<()> {
    for (what, lines, over_one, over_two) in floods {
        let headers: Vec<(&str, &[u8])> = lines.iter().map(|line| ("cookie", line.as_bytes())).collect();
        for http in BOTH {
            let expected = if http == Http::One { over_one } else { over_two };
            let reply = target.ask(http, "/", &headers).await?;
            assert_eq!((200, *expected), (reply.status, &*answer(&reply)), "{what}, over {http:?}");
        }
    }
    Ok(())
}

/// A flood takes at most ten times as long as the same lines in a header that nobody looks at, by the fastest of some
/// requests each.
async fn check_time(target: &Target, floods: &[Flood]) -> Result<()> {
    for (what, lines, ..) in floods {
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..10 {
            for (name, fastest) in ["cookie", "x-filling"].into_iter().zip(&mut fastest) {
                let headers: Vec<(&str, &[u8])> = lines.iter().map(|line| (name, line.as_bytes())).collect();
                let begin = Instant::now();
                target.ask(Http::One, "/", &headers).await?;
                *fastest = begin.elapsed().min(*fastest);
            }
        }
        let [cookies, others] = fastest;
        assert!(cookies < 10 * others, "{what}: {cookies:?}, and {others:?} in another header");
    }
    Ok(())
}
