//! Stream contexts of a VM: a request's way through the callbacks, in Envoy's order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Vm;
use super::state::{Context, Reply};
use super::stream_state::{Message, Side, StreamState};
use crate::catalog::Callback;
use crate::death::Death;
use crate::headers::HeaderMap;
use crate::plugin::Plugin;
use crate::profile::Profile;
use crate::routes::{LocalReply, RouteTable};
use crate::settings::{FailurePolicy, Settings};

/// A stream that is to be opened.
pub(crate) struct Opening<'a> {
    pub(crate) listener: &'a str,
    pub(crate) headers: HeaderMap,
    /// Whether nothing follows the headers.
    pub(crate) ends: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// For the choice among weighted clusters.
    pub(crate) random: u64,
    pub(crate) is_http2: bool,
}

/// Who serves a stream.
enum Server {
    /// The filter, with this root.
    Root(u32),
    /// The upstream alone.
    Nobody,
    /// A host whose VM is dead.
    Failed,
}

/// The response flag of a client that went away.
const DOWNSTREAM_TERMINATION: u64 = 0x4000;

impl Vm {
    /// Opens a stream and shows the filter the request's headers.
    pub(crate) fn open_stream(&mut self, opening: Opening<'_>) -> Result<u32, Death> {
        let server = self.server_of(opening.listener, &opening.headers, opening.random)?;
        let (id, root) = match server {
            Server::Root(root) => (self.new_context_id(), root),
            Server::Nobody | Server::Failed => {
                self.next_bypass -= 1;
                (self.next_bypass + 1, 0)
            }
        };
        self.served += 1;
        let Opening { headers, ends, properties, random, is_http2, .. } = opening;
        let mut stream = self.new_stream(root, properties, random);
        if is_http2 {
            stream.protocol = "HTTP/2";
        }
        let settings = &self.look().settings;
        stream.cluster = settings.routes.as_ref().and_then(|table| table.choose(&headers, random).cluster);
        self.state().contexts.insert(id, Context::Stream(Box::new(stream)));
        match server {
            Server::Root(root) => self.open_in_guest(id, root, headers, ends)?,
            Server::Nobody => self.take_headers(id, Side::Request, headers, ends)?,
            Server::Failed => {
                self.with_message(id, Side::Request, |message| message.headers = headers);
                self.fail_stream(id);
            }
        }
        Ok(id)
    }

    fn open_in_guest(&mut self, id: u32, root: u32, headers: HeaderMap, ends: bool) -> Result<(), Death> {
        // The stream is kept for what becomes of it if the VM dies here.
        let opened = self.call_for(id, Callback::ContextCreate, [id, root, 0, 0, 0]);
        let taken = opened.and_then(|_| self.take_headers(id, Side::Request, headers.clone(), ends));
        match (taken, self.look().settings.failure_policy) {
            (Err(_), Some(_)) => {
                self.with_message(id, Side::Request, |message| message.headers = headers);
                self.fail_stream(id);
                Ok(())
            }
            (taken, _) => taken,
        }
    }

    /// More of a message comes.
    pub(crate) fn push(&mut self, id: u32, side: Side, part: Part) -> Result<(), Death> {
        let taken = match part {
            Part::Headers(headers, ends) => {
                self.with_stream(id, |stream| {
                    stream.details.get_or_insert(Cow::Borrowed("via_upstream"));
                });
                self.take_headers(id, side, headers, ends)
            }
            Part::Body(piece, ends) => self.take_body(id, side, piece, ends),
            Part::Trailers(trailers) => self.take_trailers(id, side, trailers),
            Part::Reply(reply) => self.reply(id, Reply::from(reply)).and_then(|()| self.act()),
        };
        match (taken, self.look().settings.failure_policy) {
            (Err(_), Some(_)) => {
                self.fail_stream(id);
                Ok(())
            }
            (taken, _) => taken,
        }
    }

    /// Ends the stream, and its root if it was the last one of a root that serves no more. A dead VM sees no end.
    pub(crate) fn end_stream(&mut self, id: u32) -> Result<Option<Box<StreamState>>, Death> {
        let ended = self.end_in_guest(id);
        let state = match self.state().contexts.remove(&id) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        };
        let ended = ended.and_then(|()| self.end_unused_roots());
        if self.look().settings.failure_policy.is_none() {
            ended?;
        }
        Ok(state)
    }

    fn end_in_guest(&mut self, id: u32) -> Result<(), Death> {
        self.with_stream(id, |stream| {
            stream.is_logged = true;
            if !stream.response.end_passed && !stream.is_reset {
                stream.details = Some(Cow::Borrowed("downstream_remote_disconnect"));
                stream.flags |= DOWNSTREAM_TERMINATION;
            }
        });
        self.call_for(id, Callback::Log, [id, 0, 0, 0, 0])?;
        self.with_stream(id, |stream| stream.is_logged = false);
        self.call_for(id, Callback::Done, [id, 0, 0, 0, 0])?;
        self.call_for(id, Callback::Delete, [id, 0, 0, 0, 0])?;
        self.act()
    }

    pub(crate) fn stream(&self, id: u32) -> Option<&StreamState> {
        match self.look().contexts.get(&id) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    fn server_of(&mut self, listener: &str, headers: &HeaderMap, random: u64) -> Result<Server, Death> {
        let settings = Rc::clone(&self.look().settings);
        if settings.routes.as_ref().is_some_and(|table| is_switched_off(&settings, table, headers, random)) {
            return Ok(Server::Nobody);
        }
        match (self.death().cloned(), settings.failure_policy) {
            (None, _) => {}
            (Some(death), None) => return Err(death),
            // A new VM has been tried before it came to this one.
            (Some(_), Some(FailurePolicy::Closed | FailurePolicy::Reload)) => return Ok(Server::Failed),
            (Some(_), Some(FailurePolicy::Open)) => return Ok(Server::Nobody),
        }
        Ok(self.serving(listener).map_or(Server::Nobody, Server::Root))
    }

    fn new_stream(&self, root: u32, properties: BTreeMap<Vec<u8>, Vec<u8>>, random: u64) -> StreamState {
        let plugin: Rc<Plugin> = match self.look().contexts.get(&root) {
            Some(Context::Root(root)) => Rc::clone(&root.plugin),
            _ => Rc::default(),
        };
        let request = Message { headers: Side::Request.empty_map(), ..Message::default() };
        StreamState {
            root,
            plugin,
            request,
            response: Message::default(),
            is_logged: false,
            properties,
            filter_state: BTreeMap::new(),
            is_replied: false,
            is_filters_reply: false,
            is_reset: false,
            details: None,
            flags: 0,
            route_refreshes: 0,
            cluster: None,
            protocol: "HTTP/1.1",
            opened: self.look().shared.borrow().now,
            to_upstream: None,
            random,
            usage: crate::usage::Usage::default(),
        }
    }
}

/// A part of a message.
pub(crate) enum Part {
    Headers(HeaderMap, bool),
    Body(Vec<u8>, bool),
    Trailers(HeaderMap),
    /// An answer of Envoy in place of the message.
    Reply(LocalReply),
}

/// Whether the request's first route, before the filter could change anything, has the filter off. Envoy Gateway installs
/// filters switched off and enables them on routes.
fn is_switched_off(settings: &Settings, table: &RouteTable, headers: &HeaderMap, random: u64) -> bool {
    let is_enabled = |switch: crate::routes::FilterSwitch| !switch.disabled;
    let some_enable = || table.routes.iter().any(|route| route.filter.is_some_and(is_enabled));
    match table.choose(headers, random).filter {
        Some(switch) => switch.disabled,
        None => settings.is_disabled || (settings.profile == Profile::EnvoyGateway && some_enable()),
    }
}
