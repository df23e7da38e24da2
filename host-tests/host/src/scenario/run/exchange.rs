//! One request of a scenario: through the filter, by the route table, to the upstream and back.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::Run;
use crate::headers::HeaderMap;
use crate::routes::{Destination, LocalReply};
use crate::scenario::step::{Client, Request, RequestStep};
use crate::scenario::{Answer, Exchanged, Facts, Http, Sighting};
use crate::{Action, Stream};

/// The address that a client has where the scenario names none; also that of the trusted hop where it does.
const PEER: &str = "127.0.0.1";

/// An answer on its way to the client.
struct Reply {
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

impl Run<'_> {
    pub(super) fn request(&mut self, step: &RequestStep) -> Result<Facts> {
        let headers = self.headers(step);
        // A stream keeps its number however often its route is chosen.
        self.number = self.random.u64(..);
        let chosen = self.scenario.routes.choose(&headers, self.number);
        let passes_by = chosen.filter.map_or(self.scenario.plugin.disabled, |switch| switch.disabled);
        let exchanged = if passes_by {
            let (upstream, reply) = self.answer(&headers, step);
            Exchanged { upstream, answer: Some(reply.arrived()) }
        } else {
            self.filtered(&headers, &chosen.cluster.unwrap_or_default(), step)?
        };
        if let (Some(visitor), Some(answer)) = (&step.visitor, &exchanged.answer) {
            self.jars.entry(visitor.clone()).or_default().keep(&answer.set_cookies());
        }
        Ok(exchanged.facts())
    }

    /// The request as the connection manager hands it on.
    fn headers(&self, step: &RequestStep) -> HeaderMap {
        let Request { method, path, host, scheme, source, .. } = &step.request;
        let mut headers = HeaderMap::request();
        let own: [(&str, &[u8]); 4] = [
            (":authority", &host.0),
            (":path", &path.0),
            (":method", method.as_bytes()),
            (":scheme", scheme.as_bytes()),
        ];
        own.iter().for_each(|(name, value)| headers.add(name, value));
        let jar = step.visitor.as_ref().and_then(|visitor| self.jars.get(visitor));
        for (name, value) in step.headers(jar) {
            let line = headers.get(&name).filter(|_| name == "cookie" && self.http == Http::Two);
            match line.map(|line| [line, &value].join(&b"; "[..])) {
                // The codec of HTTP/2 makes one line of them.
                Some(joined) => headers.replace("cookie", joined),
                None => headers.add(name, value),
            }
        }
        self.scenario.strip.iter().for_each(|name| headers.remove(name));
        let hops = source.as_ref().map_or_else(|| PEER.to_owned(), |source| format!("{source},{PEER}"));
        headers.replace("x-forwarded-for", hops);
        headers.replace("x-forwarded-proto", scheme);
        headers.replace("x-request-id", "6f1f0d8e-0000-4000-8000-000000000000");
        headers
    }

    fn filtered(&mut self, headers: &HeaderMap, cluster: &str, step: &RequestStep) -> Result<Exchanged> {
        let mut stream = self.start(headers, cluster, step)?;
        let (mut upstream, reply) = match stream.local_reply() {
            Some(headers) => (None, Reply { headers, body: Vec::new(), trailers: Vec::new() }),
            None if stream.action() == Action::Pause => bail!("the filter holds the request for ever"),
            None => self.answer(&stream.request(), step),
        };
        let mut answer = None;
        if upstream.is_some() {
            self.proxy.advance(step.upstream.after)?;
        }
        if upstream.is_none() || step.request.client != Some(Client::Leaves) {
            answer = Some(reply.through(&mut stream)?);
        }
        let ended = stream.finish()?;
        if let Some(seen) = &mut upstream {
            let named = ended
                .filter_state
                .iter()
                .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.clone()));
            seen.filter_state = named.collect();
        }
        Ok(Exchanged { upstream, answer })
    }

    /// Sends the request's headers into the filter. `cluster` is that of the route that it has before the filter.
    fn start(&self, headers: &HeaderMap, cluster: &str, step: &RequestStep) -> Result<Stream> {
        let last = self.proxy.workers().len().saturating_sub(1);
        let empty = self.proxy.worker(step.worker.min(last)).get("/");
        let empty = [":authority", ":path", ":method", ":scheme"].iter().fold(empty, crate::Request::without);
        let request = headers.iter().fold(empty, |request, (name, value)| request.header(name, value));
        let source = step.request.source.as_deref().unwrap_or(PEER);
        let source = if source.contains(':') { format!("[{source}]:0") } else { format!("{source}:0") };
        Ok(request.property("source.address", source).property("xds.cluster_name", cluster).start()?)
    }

    /// Where a request with these headers goes, and what is answered there.
    fn answer(&self, headers: &HeaderMap, step: &RequestStep) -> (Option<Sighting>, Reply) {
        let choice = self.scenario.routes.choose(headers, self.number);
        let cluster = match choice.destination {
            Destination::Upstream(cluster) => cluster,
            Destination::Local(reply) => return (None, Reply::local(&reply)),
        };
        let mut headers = headers.clone();
        choice.remove.iter().for_each(|name| headers.remove(name));
        let trailers = step.request.trailers.0.iter().map(|(name, value)| (name.clone(), value.0.clone()));
        let seen = Sighting {
            cluster,
            headers: pairs(&headers),
            body: step.request.body.whole(),
            trailers: trailers.collect(),
            filter_state: BTreeMap::new(),
        };
        let reply = if step.upstream.resets { Reply::local(&RESET) } else { Reply::upstream(step) };
        (Some(seen), reply)
    }
}

/// What Envoy answers where the upstream resets the stream.
const RESET: LocalReply = LocalReply {
    status: 503,
    body: "upstream connect error or disconnect/reset before headers.",
    flags: 0x10,
    details: "upstream_reset_before_response_started{remote_reset}",
};

impl Reply {
    fn local(reply: &LocalReply) -> Self {
        let mut headers = HeaderMap::response().with(":status", reply.status.to_string());
        if !reply.body.is_empty() {
            headers.add("content-type", "text/plain");
        }
        Self { headers, body: reply.body.as_bytes().to_vec(), trailers: Vec::new() }
    }

    fn upstream(step: &RequestStep) -> Self {
        let mut headers = HeaderMap::response().with(":status", step.upstream.status.to_string());
        step.upstream.headers.0.iter().for_each(|(name, value)| headers.add(name, value));
        let body = if step.request.method == "HEAD" { Vec::new() } else { step.upstream.body.whole() };
        let trailers = step.upstream.trailers.0.iter().map(|(name, value)| (name.clone(), value.0.clone()));
        Self { headers, body, trailers: trailers.collect() }
    }

    fn through(mut self, stream: &mut Stream) -> Result<Answer> {
        let (headers, ends) = (self.headers.clone(), self.body.is_empty() && self.trailers.is_empty());
        self.headers = if ends { stream.respond(headers)? } else { stream.respond_with_body(headers)? };
        Ok(self.arrived())
    }

    /// As the client gets it.
    fn arrived(self) -> Answer {
        let status = self.headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut headers = pairs(&self.headers);
        headers.retain(|(name, _)| name != ":status");
        Answer { status, headers, body: self.body, trailers: self.trailers }
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec())).collect()
}
