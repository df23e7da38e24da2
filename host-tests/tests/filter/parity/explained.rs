//! What `serin explain` tells of a request, held against what the module has made of it.

use serin_cli::{Explained, Header, Request};
use serin_core::{Current, Rules, Time};

use super::Outcome;
use super::requests::Sent;

/// Checks that an explanation tells of this outcome and reason; `bits` are what was drawn for the request.
pub(crate) fn check(rules: &Rules, sent: &Sent, now: Time, bits: u64, outcome: &Outcome, reason: Option<&str>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = Request {
        headers: sent.headers.iter().map(|(name, value)| (text(name), value.to_vec())).collect(),
        source: sent.source_address.map(str::to_owned),
        cluster: sent.cluster_name.map(str::to_owned),
    };
    let explained = Explained::new(rules, &Current::new(rules, now), &request, now, || bits);
    assert_eq!(explained.reason, reason, "{explained:#?}");
    let told = told(&explained, sent);
    assert_eq!((&told.request, &told.filter_state), (&outcome.request, &outcome.filter_state), "{explained:#?}");
    // What is told is about responses that may set cookies.
    if !sent.fails() {
        assert_eq!(told.response, outcome.response, "{explained:#?}");
    }
    let answered: Vec<&str> = explained.layers.iter().filter(|of| of.outcome == "answered").map(|of| of.name).collect();
    let layer = match reason {
        None => &[][..],
        Some("random" | "first" | "route") => &["slot"],
        Some(reason) => &[reason],
    };
    assert_eq!(answered, layer, "{explained:#?}");
    assert_eq!(explained.covered.first().map(|of| &of.rollout), explained.rollout.as_ref(), "{explained:#?}");
}

/// The outcome that an explanation tells of.
fn told(explained: &Explained, sent: &Sent) -> Outcome {
    let (mut request, mut response) = (sent.headers.clone(), sent.answer.clone());
    explained.request_headers.removed.iter().for_each(|name| request.remove(name));
    explained.request_headers.set.iter().for_each(|Header { name, value }| request.replace(name, value));
    let told = &explained.response_headers;
    if let Some(Header { name, value }) = &told.answer {
        response.replace(name, value);
    }
    told.cookies.iter().for_each(|cookie| response.add("set-cookie", cookie));
    let private = serin_core::private_cache_control(sent.answer.get("cache-control")).filter(|_| told.private);
    if let Some(value) = private {
        response.replace("cache-control", value);
    }
    let filter_state = explained.access_log.iter().map(|answer| (b"serin".to_vec(), answer.clone().into_bytes()));
    Outcome { request, response, filter_state: filter_state.collect() }
}
