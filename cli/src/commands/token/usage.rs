//! How a token is used: a link for browsers, a line for curl, and what is to be said where they do nothing.

use serin_core::{OverrideNames, Rollout, Rules};

use crate::crowd::covering;
use crate::request::{Request, Url};

/// Stands for a host where a rollout asks for none.
const HOST: &str = "HOST";

/// How a token is used.
pub(super) struct Usage {
    /// None where no query parameter may name a version.
    pub(super) link: Option<String>,
    pub(super) curl: String,
    /// Why the link, or the line, does nothing.
    pub(super) warning: Option<String>,
}

impl Usage {
    /// For the page that was asked for, or one that the rollout covers.
    pub(super) fn new(
        rules: &Rules,
        rollout: &Rollout,
        url: Option<Url>,
        names: &OverrideNames<'_>,
        token: &str,
    ) -> Self {
        let request = request(rules, rollout, url.as_ref());
        let page = url.unwrap_or_else(|| request.url());
        let link = names.query.map(|name| page.with_query(name, token));
        let mut sent = request.clone();
        match (names.header, &link, names.cookie) {
            (Some(header), ..) => sent.set(header, token),
            (None, Some(link), _) => sent.set_url(link),
            (None, None, cookie) => sent.add("cookie", &format!("{}={token}", cookie.unwrap_or_default())),
        }
        let opened = link.as_ref().map(Request::of_url);
        let why = |request: &Request, lacks: &str, what: &str| {
            let by = match covering(rules, request) {
                Some(name) if name == rollout.name() => return None,
                found => found.map_or_else(|| "no rollout".to_owned(), |name| format!("rollouts.{name}")),
            };
            Some(format!("{} is covered by {by}{lacks}, so that {what}", page.text()))
        };
        let of_rollout = format!("a token for {} does nothing there", rollout.name());
        let of_link = |opened| why(opened, &without(&request), "the link does nothing as a browser opens it");
        let warning = why(&sent, "", &of_rollout).or_else(|| of_link(opened.as_ref()?));
        Self { link: link.map(|link| link.text()), curl: curl(&sent), warning }
    }
}

/// The request that a token is shown in. One that a browser sends as it opens a link comes before others that the rollout
/// covers, and those before whatever else.
fn request(rules: &Rules, rollout: &Rollout, url: Option<&Url>) -> Request {
    let mut ways = Request::ways_into(rollout, HOST);
    if let Some(url) = url {
        ways.iter_mut().for_each(|way| way.set_url(url));
    }
    let opened: Vec<Request> =
        url.cloned().into_iter().chain(ways.iter().map(Request::url)).map(|url| Request::of_url(&url)).collect();
    let mut all = opened.iter().chain(&ways);
    let covered = all.clone().find(|request| covering(rules, request) == Some(rollout.name()));
    covered.or_else(|| all.next()).cloned().unwrap_or_else(|| Request::default_page(HOST))
}

/// What a browser that opens a link does not send of a request, as a part of a sentence.
fn without(request: &Request) -> String {
    let method = request.shown(":method");
    let method = (method != "GET").then(|| format!("the method {method}"));
    let header = |(name, value): &(String, Vec<u8>)| match (&**name, String::from_utf8_lossy(value)) {
        ("cookie", pairs) => format!("the cookie {pairs}"),
        (name, value) => format!("the header {name}: {value}"),
    };
    let headers = request.headers.iter().filter(|(name, _)| !name.starts_with(':')).map(header);
    let source = request.source.iter().map(|source| format!("a client at {source}"));
    match method.into_iter().chain(headers).chain(source).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        lacks => format!(" without {lacks}"),
    }
}

/// The line that sends a request.
fn curl(request: &Request) -> String {
    let mut line = match &*request.shown(":method") {
        "GET" => "curl".to_owned(),
        "HEAD" => "curl -I".to_owned(),
        method => format!("curl -X {}", quoted(method)),
    };
    for (name, value) in request.headers.iter().filter(|(name, _)| !name.starts_with(':')) {
        let value = String::from_utf8_lossy(value);
        line += &match (&**name, &*value) {
            ("cookie", pairs) if pairs.contains('=') => format!(" -b {}", quoted(pairs)),
            // Behind a colon alone curl takes it that the header is not to be sent.
            (name, "") => format!(" -H {}", quoted(&format!("{name};"))),
            (name, value) => format!(" -H {}", quoted(&format!("{name}: {value}"))),
        };
    }
    format!("{line} {}", quoted(&request.url().text()))
}

/// A word of a line for a shell, in single quotes.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
