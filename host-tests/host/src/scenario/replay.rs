//! The scenario that does again what a dead VM saw last.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::moment;
use super::step::Expectation;
use super::text::{Body, Bytes, Headers};
use super::{
    Configuration, Direction, Form, Host, Http, Plugin, Request, RequestStep, Scenario, Step, Upstream, Workers,
};
use crate::headers::HeaderMap;
use crate::plugin::property_path;
use crate::request::Parts;
use crate::routes::{Route, RouteTable};
use crate::settings::Settings;

/// What is known of the last days of a VM.
pub(crate) struct Past<'a> {
    pub(crate) plugin: &'a crate::plugin::Plugin,
    pub(crate) settings: &'a Settings,
    /// Its last requests, and when they came.
    pub(crate) requests: &'a [(Rc<Parts>, Duration)],
    /// When the proxy was started, and when it died.
    pub(crate) started: Duration,
    pub(crate) now: Duration,
    /// What no scenario can have, in words.
    pub(crate) lacks: Vec<String>,
}

/// So many requests are remembered.
pub(crate) const REMEMBERED: usize = 20;
/// A cluster for requests of a proxy without routes.
const ANY: &str = "v1";
/// Headers that a host of scenarios sets itself.
const OF_THE_HOST: [&[u8]; 3] = [b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id"];

impl Past<'_> {
    pub(crate) fn scenario(mut self) -> Scenario {
        let all_http2 = !self.requests.is_empty() && self.requests.iter().all(|(parts, _)| parts.is_http2);
        // Where requests were forgotten, the first that is known begins it.
        let begin = self.requests.first().filter(|_| self.requests.len() == REMEMBERED);
        let begin = begin.map_or(self.started, |(_, time)| *time);
        let (mut steps, mut clock) = (Vec::new(), begin);
        for (parts, time) in self.requests {
            steps.extend(wait(*time, &mut clock));
            steps.push(Step::Request(Box::new(step(parts))));
            self.lacks.extend(lacks(parts, all_http2));
        }
        steps.extend(wait(self.now, &mut clock));
        let Self { plugin, settings, .. } = self;
        Scenario {
            file: std::path::PathBuf::new(),
            now: begin,
            is_dated: true,
            about: self.about(),
            module: None,
            plugin: Plugin {
                name: plugin.name.clone(),
                root_id: plugin.root_id.clone(),
                vm_id: Some(settings.vm_id.clone()).filter(|id| !id.is_empty()),
                environment: settings.environment.clone(),
                disabled: settings.is_disabled,
            },
            configuration: configuration(&plugin.configuration),
            form: Form::Text,
            direction: direction(plugin),
            workers: Workers::AtLeast(1),
            http: vec![if all_http2 { Http::Two } else { Http::One }],
            hosts: vec![Host::Wasmtime, Host::Envoy],
            strip: Vec::new(),
            routes: settings.routes.clone().unwrap_or_else(|| RouteTable::new(&[ANY], vec![Route::to(ANY)])),
            cookies: BTreeMap::new(),
            expect: Expectation::taken(),
            steps,
        }
    }

    fn about(&mut self) -> String {
        self.lacks.sort();
        self.lacks.dedup();
        let lacks = if self.lacks.is_empty() { String::new() } else { format!(" It lacks {}.", self.lacks.join(", ")) };
        format!("Replays what a VM saw before it died.{lacks}")
    }
}

fn configuration(bytes: &[u8]) -> Configuration {
    match std::str::from_utf8(bytes) {
        Ok("") => Configuration::None,
        Ok(text) if !moment::has_one(text) => Configuration::Text(text.to_owned()),
        _ => Configuration::Bytes(Bytes(bytes.to_vec())),
    }
}

fn direction(plugin: &crate::plugin::Plugin) -> Option<Direction> {
    match plugin.stream_properties.get(&property_path("xds.listener_direction"))?.first()? {
        1 => Some(Direction::Inbound),
        2 => Some(Direction::Outbound),
        _ => None,
    }
}

/// Lets the clock get on to a time.
fn wait(time: Duration, clock: &mut Duration) -> Option<Step> {
    let passed = time.saturating_sub(*clock);
    *clock = time.max(*clock);
    (!passed.is_zero()).then_some(Step::Wait(passed))
}

fn step(parts: &Parts) -> RequestStep {
    let text = |name: &str| parts.headers.text(name).unwrap_or_default();
    let bytes = |name: &str| Bytes(parts.headers.get(name).unwrap_or_default().to_vec());
    let request = Request {
        method: text(":method"),
        path: bytes(":path"),
        host: bytes(":authority"),
        scheme: text(":scheme"),
        headers: listed(&parts.headers),
        body: Body(parts.body.iter().cloned().map(Bytes).collect()),
        trailers: parts.trailers.as_ref().map(listed).unwrap_or_default(),
        source: source(parts),
        client: None,
    };
    let answer = &parts.answer;
    let upstream = Upstream {
        status: answer.headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(200),
        headers: listed(&answer.headers),
        body: Body(answer.body.iter().cloned().map(Bytes).collect()),
        trailers: answer.trailers.as_ref().map(listed).unwrap_or_default(),
        ..Upstream::default()
    };
    RequestStep { request, visitor: None, worker: 0, upstream, repeat: 1, expect: Expectation::default() }
}

/// The address of the client without its port.
fn source(parts: &Parts) -> Option<String> {
    let address = parts.properties.get(&property_path("source.address"))?;
    let address = std::str::from_utf8(address).ok()?.rsplit_once(':')?.0;
    Some(address.trim_matches(['[', ']']).to_owned())
}

fn lacks(parts: &Parts, all_http2: bool) -> Vec<String> {
    let known = property_path("source.address");
    let others = parts.properties.keys().filter(|path| **path != known);
    let mut lacks: Vec<String> =
        others.map(|path| format!("the property {}", String::from_utf8_lossy(path).replace('\0', "."))).collect();
    let mut lack = |is_so: bool, what: &str| lacks.extend(is_so.then(|| what.to_owned()));
    lack(parts.is_http2 && !all_http2, "HTTP/2 of some requests");
    lack(!parts.listener.is_empty(), "listeners other than the first");
    lack(parts.is_unfinished, "the rest of requests that were left open");
    lack(parts.headers.iter().any(|(name, _)| OF_THE_HOST.contains(&name)), "x-forwarded-for and its like");
    lacks
}

/// All headers but the pseudo headers, which a scenario names apart, and those of the host.
fn listed(headers: &HeaderMap) -> Headers {
    let own = headers.iter().filter(|(name, _)| !name.starts_with(b":") && !OF_THE_HOST.contains(name));
    Headers(own.map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), Bytes(value.to_vec()))).collect())
}
