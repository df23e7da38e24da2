//! One request of a scenario, sent through a proxy with the scenario's routes.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::Run;
use crate::headers::HeaderMap;
use crate::routes::LocalReply;
use crate::scenario::step::{Client, Request, RequestStep};
use crate::scenario::text::{Body, Headers};
use crate::scenario::{Answer, Exchanged, Facts, Http, Sighting};
use crate::{Action, Exchange};

/// The address that a client has where the scenario names none; also that of the trusted hop where it does.
const PEER: &str = "127.0.0.1";

impl Run<'_> {
    pub(super) fn request(&mut self, step: &RequestStep) -> Result<Facts> {
        let mut stream = self.build(step).start()?;
        if stream.action() == Action::Pause {
            bail!("the filter holds the request for ever");
        }
        let leaves = step.request.client == Some(Client::Leaves) && stream.awaits_answer();
        if stream.awaits_answer() {
            self.proxy.advance(step.upstream.after)?;
        }
        if step.upstream.resets && stream.awaits_answer() {
            stream.fail(&LocalReply::RESET)?;
        }
        let ended = if leaves { stream.finish()? } else { stream.complete()? };
        let exchanged = exchanged(ended);
        if let (Some(visitor), Some(answer)) = (&step.visitor, &exchanged.answer) {
            self.jars.entry(visitor.clone()).or_default().keep(&answer.set_cookies());
        }
        Ok(exchanged.facts())
    }

    /// The request as the connection manager hands it on, and what it is answered with.
    fn build(&self, step: &RequestStep) -> crate::Request {
        let Request { method, path, host, scheme, source, body, trailers, .. } = &step.request;
        let last = self.proxy.workers().len().saturating_sub(1);
        let jar = step.visitor.as_ref().and_then(|visitor| self.jars.get(visitor));
        let mut headers = HeaderMap::request();
        step.headers(jar).into_iter().for_each(|(name, value)| headers.add(name, value));
        self.scenario.strip.iter().for_each(|name| headers.remove(name));
        let hops = source.as_ref().map_or_else(|| PEER.to_owned(), |source| format!("{source},{PEER}"));
        headers.replace("x-forwarded-for", hops);
        headers.replace("x-forwarded-proto", scheme);
        headers.replace("x-request-id", "6f1f0d8e-0000-4000-8000-000000000000");
        let request = self.proxy.worker(step.worker.min(last)).request(method, "/").without(":path").without(":scheme");
        let request = request.host(host).header(":path", path).header(":scheme", scheme);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let source = source.as_deref().unwrap_or(PEER);
        let source = if source.contains(':') { format!("[{source}]:0") } else { format!("{source}:0") };
        let request = request.property("source.address", source).body(pieces(body));
        let request = if trailers.is_empty() { request } else { request.trailers(map(HeaderMap::request(), trailers)) };
        self.with_answer(if self.http == Http::Two { request.http2() } else { request }, step)
    }

    fn with_answer(&self, request: crate::Request, step: &RequestStep) -> crate::Request {
        let upstream = &step.upstream;
        let response = HeaderMap::response().with(":status", upstream.status.to_string());
        let body = if step.request.method == "HEAD" { Vec::new() } else { pieces(&upstream.body) };
        let request = request.answered(map(response, &upstream.headers)).answer_body(body);
        if upstream.trailers.is_empty() {
            request
        } else {
            request.answer_trailers(map(HeaderMap::response(), &upstream.trailers))
        }
    }
}

fn pieces(body: &Body) -> Vec<Vec<u8>> {
    body.0.iter().map(|piece| piece.0.clone()).collect()
}

fn map(into: HeaderMap, headers: &Headers) -> HeaderMap {
    headers.0.iter().fold(into, |map, (name, value)| map.with(name, value))
}

fn exchanged(exchange: Exchange) -> Exchanged {
    let named = |(name, value): (Vec<u8>, Vec<u8>)| (String::from_utf8_lossy(&name).into_owned(), value);
    let filter_state: BTreeMap<_, _> = exchange.filter_state.into_iter().map(named).collect();
    let upstream = exchange.upstream.map(|headers| Sighting {
        cluster: exchange.cluster.unwrap_or_default(),
        headers: pairs(&headers),
        body: exchange.request_body,
        trailers: exchange.request_trailers.as_ref().map(pairs).unwrap_or_default(),
        filter_state,
    });
    let answer = (exchange.status != 0).then(|| {
        let mut headers = pairs(&exchange.response);
        headers.retain(|(name, _)| name != ":status");
        let trailers = exchange.trailers.as_ref().map(pairs).unwrap_or_default();
        Answer { status: exchange.status, headers, body: exchange.body, trailers }
    });
    Exchanged { upstream, answer }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec())).collect()
}
