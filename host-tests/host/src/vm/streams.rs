//! Stream contexts of a VM: a request's way through the callbacks, in Envoy's order.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Vm;
use super::state::{Context, Phase, StreamState};
use crate::death::Death;
use crate::headers::HeaderMap;
use crate::stream::Action;
use crate::usage::Usage;

impl Vm {
    /// Opens a stream on a root and shows it the request's headers.
    pub(crate) fn open_stream(
        &mut self,
        root: u32,
        request: HeaderMap,
        properties: BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<u32, Death> {
        if let Some(death) = self.death() {
            return Err(death.clone());
        }
        let id = self.new_context_id();
        let headers = count(&request);
        let stream = self.new_stream(root, request, properties);
        self.state().contexts.insert(id, Context::Stream(Box::new(stream)));
        self.call_for(id, "proxy_on_context_create", &[id, root])?;
        self.enter(id, Phase::Request);
        let answer = self.call_for(id, "proxy_on_request_headers", &[id, headers, 1])?;
        self.leave(id, answer);
        Ok(id)
    }

    /// Shows the stream the response's headers, with which it `ends` if it has no body, and returns what the filter made of them.
    pub(crate) fn respond(&mut self, id: u32, response: HeaderMap, ends: bool) -> Result<HeaderMap, Death> {
        let headers = count(&response);
        self.stream_mut(id, |stream| stream.response = response);
        self.enter(id, Phase::Response);
        let answer = self.call_for(id, "proxy_on_response_headers", &[id, headers, u32::from(ends)])?;
        self.leave(id, answer);
        Ok(self.stream(id).map(|stream| stream.response.clone()).unwrap_or_default())
    }

    /// Ends the stream, and its root if it was the last one of a root that serves no more.
    pub(crate) fn end_stream(&mut self, id: u32) -> Result<Option<Box<StreamState>>, Death> {
        self.enter(id, Phase::Log);
        self.call_for(id, "proxy_on_log", &[id])?;
        self.enter(id, Phase::Between);
        self.call_for(id, "proxy_on_done", &[id])?;
        self.call_for(id, "proxy_on_delete", &[id])?;
        let ended = match self.state().contexts.remove(&id) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        };
        self.end_unused_roots()?;
        Ok(ended)
    }

    pub(crate) fn stream(&self, id: u32) -> Option<&StreamState> {
        match self.look().contexts.get(&id) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    fn new_stream(&self, root: u32, request: HeaderMap, properties: BTreeMap<Vec<u8>, Vec<u8>>) -> StreamState {
        let plugin = match self.look().contexts.get(&root) {
            Some(Context::Root(root)) => Rc::clone(&root.plugin),
            _ => Rc::default(),
        };
        StreamState {
            root,
            plugin,
            phase: Phase::Between,
            request,
            response: HeaderMap::response(),
            properties,
            filter_state: BTreeMap::new(),
            local_reply: None,
            route_refreshes: 0,
            paused: false,
            closed: false,
            usage: Usage::default(),
        }
    }

    /// Makes a callback and adds its cost to the stream's.
    fn call_for(&mut self, id: u32, name: &'static str, arguments: &[u32]) -> Result<u32, Death> {
        let answer = self.call(id, name, arguments)?;
        let usage = std::mem::take(&mut self.state().usage);
        self.stream_mut(id, |stream| stream.usage.add(&usage));
        Ok(answer.unwrap_or(Action::Continue as u32))
    }

    fn enter(&mut self, id: u32, phase: Phase) {
        self.stream_mut(id, |stream| stream.phase = phase);
    }

    /// After a callback with headers: they are gone once the filter lets them go on.
    fn leave(&mut self, id: u32, answer: u32) {
        self.stream_mut(id, |stream| {
            stream.paused = answer != Action::Continue as u32 || stream.local_reply.is_some();
            if !stream.paused {
                stream.phase = Phase::Between;
            }
        });
    }

    fn stream_mut(&mut self, id: u32, change: impl FnOnce(&mut StreamState)) {
        if let Some(Context::Stream(stream)) = self.state().contexts.get_mut(&id) {
            change(stream);
        }
    }
}

fn count(headers: &HeaderMap) -> u32 {
    u32::try_from(headers.len()).unwrap_or(u32::MAX)
}
