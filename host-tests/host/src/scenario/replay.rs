//! The scenario that does again what a dead VM saw last.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::step::Expectation;
use super::text::{Body, Bytes, Headers};
use super::{Configuration, Form, Host, Http, Plugin, Request, RequestStep, Scenario, Step, Upstream, Workers};
use crate::headers::HeaderMap;
use crate::request::Parts;
use crate::routes::{Route, RouteTable};
use crate::settings::Settings;

/// A cluster for requests of a proxy without routes.
const ANY: &str = "v1";

impl Scenario {
    /// This configuration and these requests, one worker, and then so much time.
    pub(crate) fn replay(
        plugin: &crate::plugin::Plugin,
        settings: &Settings,
        now: Duration,
        requests: &[Rc<Parts>],
        then: Option<Duration>,
    ) -> Self {
        let all_http2 = !requests.is_empty() && requests.iter().all(|parts| parts.is_http2);
        let steps = requests.iter().map(|parts| Step::Request(Box::new(parts.step())));
        Self {
            file: std::path::PathBuf::new(),
            now,
            about: "Replays what a VM saw before it died.".to_owned(),
            module: None,
            plugin: Plugin {
                name: plugin.name.clone(),
                root_id: plugin.root_id.clone(),
                vm_id: Some(settings.vm_id.clone()).filter(|id| !id.is_empty()),
                environment: settings.environment.clone(),
                disabled: false,
            },
            configuration: match plugin.configuration.as_slice() {
                [] => Configuration::None,
                bytes => Configuration::Text(String::from_utf8_lossy(bytes).into_owned()),
            },
            form: Form::Text,
            direction: None,
            workers: Workers::AtLeast(1),
            http: vec![if all_http2 { Http::Two } else { Http::One }],
            hosts: vec![Host::Wasmtime, Host::Envoy],
            strip: Vec::new(),
            routes: settings.routes.clone().unwrap_or_else(|| RouteTable::new(&[ANY], vec![Route::to(ANY)])),
            cookies: BTreeMap::new(),
            expect: Expectation::taken(),
            steps: steps.chain(then.map(Step::Wait)).collect(),
        }
    }
}

impl Parts {
    fn step(&self) -> RequestStep {
        let text = |name: &str| self.headers.text(name).unwrap_or_default();
        let bytes = |name: &str| Bytes(self.headers.get(name).unwrap_or_default().to_vec());
        let request = Request {
            method: text(":method"),
            path: bytes(":path"),
            host: bytes(":authority"),
            scheme: text(":scheme"),
            headers: listed(&self.headers),
            body: Body(self.body.iter().cloned().map(Bytes).collect()),
            trailers: self.trailers.as_ref().map(listed).unwrap_or_default(),
            source: None,
            client: None,
        };
        let answer = &self.answer;
        let upstream = Upstream {
            status: answer.headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(200),
            headers: listed(&answer.headers),
            body: Body(answer.body.iter().cloned().map(Bytes).collect()),
            trailers: answer.trailers.as_ref().map(listed).unwrap_or_default(),
            ..Upstream::default()
        };
        RequestStep { request, visitor: None, worker: 0, upstream, repeat: 1, expect: Expectation::default() }
    }
}

/// All headers but the pseudo headers, which a scenario names apart.
fn listed(headers: &HeaderMap) -> Headers {
    let own = headers.iter().filter(|(name, _)| !name.starts_with(b":"));
    Headers(own.map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), Bytes(value.to_vec()))).collect())
}
