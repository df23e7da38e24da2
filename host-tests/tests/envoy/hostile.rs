//! A real Envoy before hostile clients: whatever they send, a request gets the answer that the documentation promises, and
//! the filter is what it was.

mod bytes;
mod cookies;
mod duplicates;
mod frames;
mod hosts;
mod limits;
mod line_breaks;
mod paths;
mod spoofing;
mod strangers;
mod unhurt;
mod witness;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use serin_envoy::{Configuration, Http, Message, Received, Setup, send};

use crate::support::{HOST, Site};

const BOTH: [Http; 2] = [Http::One, Http::Two];
const VERSIONS: [&str; 2] = ["v1", "v2"];

/// A site that is attacked.
struct Target {
    site: Site,
    /// What was known of the filter's VMs at first.
    vms: BTreeMap<String, u64>,
}

impl Target {
    async fn start(setup: &Setup, rules: impl Into<Configuration>) -> Result<Self> {
        let site = Site::of(&VERSIONS, setup, rules).await?;
        let vms = unhurt::vms(&site.envoy).await?;
        Ok(Self { site, vms })
    }

    fn address(&self) -> SocketAddr {
        self.site.envoy.address()
    }

    /// What comes back on a GET.
    async fn ask(&self, http: Http, path: &str, headers: &[(&str, &[u8])]) -> Result<Received> {
        ask(self.address(), http, path, headers).await
    }

    /// The value of a cookie that has this version answer.
    async fn cookie_of(&self, version: &str) -> Result<String> {
        for _ in 0..100 {
            let reply = self.ask(Http::One, "/", &[]).await?;
            let cookie = visitor_cookie(&reply).context("nobody got a cookie")?;
            let again = self.ask(Http::One, "/", &[("cookie", format!("canary={cookie}").as_bytes())]).await?;
            if answer(&again) == format!("shop/{version}/slot") {
                return Ok(cookie);
            }
        }
        bail!("of a hundred visitors nobody came to {version}")
    }

    /// An id in a header that has this version answer.
    async fn id_of(&self, version: &str) -> Result<String> {
        for id in (0..100).map(|number| format!("u{number}")) {
            let reply = self.ask(Http::One, "/", &[("x-user-id", id.as_bytes())]).await?;
            if answer(&reply) == format!("shop/{version}/slot") {
                return Ok(id);
            }
        }
        bail!("of a hundred ids none belongs to {version}")
    }
}

/// Rules that look at all that a client may send. Whoever brings nothing gets stable and a cookie.
fn document() -> Value {
    let qa = json!([
        {"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "v2"},
        {"when": {"headers": [{"name": "user-agent", "prefix": "Canary/"}]}, "use": "v2"},
        {"when": {"hosts": ["qa.example.com"]}, "use": "v2"},
    ]);
    let shop = json!({
        "stable": "v1",
        "versions": {"v1": {"cluster": "v1"}, "v2": {"cluster": "v2", "weight": 50, "set_headers": {"x-lane": "canary"}}},
        "override": {"header": "x-canary", "query": "canary", "cookie": "lane"},
        "rules": qa,
        "sticky": {"unit": [{"header": "x-user-id"}, {"cookie": "sid"}], "first": "stable"},
    });
    json!({"rollouts": {"shop": shop}, "headers": {"cluster": "x-canary-cluster", "answer": "x-answer"}})
}

fn message(host: &str, path: &str, headers: &[(&str, &[u8])]) -> Message {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
    let (method, scheme) = ("GET".to_owned(), "http".to_owned());
    Message { method, scheme, host: host.into(), path: path.into(), headers, ..Message::default() }
}

async fn ask(address: SocketAddr, http: Http, path: &str, headers: &[(&str, &[u8])]) -> Result<Received> {
    let reply = send(address, http, &message(HOST, path, headers)).await?;
    reply.with_context(|| {
        let sizes = headers.iter().take(5).map(|(name, value)| format!("{name} of {} bytes", value.len()));
        let sizes = sizes.collect::<Vec<_>>().join(", ");
        format!("no answer over {http:?} to {path:.80} with {} headers: {sizes}", headers.len())
    })
}

/// The values of a header.
fn values(reply: &Received, name: &str) -> Vec<String> {
    let named = reply.headers.iter().filter(|(found, _)| found == name);
    named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Rollout, version and reason, or the status if Envoy itself answered.
fn answer(reply: &Received) -> String {
    match &values(reply, "x-answer")[..] {
        [] => reply.status.to_string(),
        answers => answers.join(" and "),
    }
}

/// The value of the visitor cookie that a response sets.
fn visitor_cookie(reply: &Received) -> Option<String> {
    let lines = values(reply, "set-cookie");
    let value = lines.iter().find_map(|line| line.strip_prefix("canary=")?.split(';').next())?;
    Some(value.to_owned())
}
