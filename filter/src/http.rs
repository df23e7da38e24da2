//! One stream: facts in, effects out.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use serin_core::{Effects, Facts};

use crate::host;
use crate::root::{Configured, Mode};

/// A stream, with what its response needs: request headers are gone by then.
pub(crate) struct Stream {
    configured: Rc<Configured>,
    set_cookie: Option<String>,
    answer: Option<String>,
}

impl Stream {
    pub(crate) fn new(configured: Rc<Configured>) -> Self {
        Self { configured, set_cookie: None, answer: None }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let Self { configured, set_cookie, answer } = self;
        if configured.skips() {
            return Action::Continue;
        }
        let facts = Facts::new(host::Request);
        let decision;
        let effects = match &configured.mode {
            Mode::Inert { outputs, .. } => Effects::inert(outputs, &facts),
            Mode::Active(rules) => {
                decision = serin_core::decide(rules, &facts, configured.today(), crate::vm::draw);
                if let Some(decision) = &decision {
                    configured.count(decision);
                }
                Effects::of(rules, decision.as_ref(), &facts)
            }
        };
        for name in &effects.remove {
            host::remove_request_header(name);
        }
        for (name, value) in effects.set() {
            host::set_request_header(name, &value);
        }
        *set_cookie = effects.set_cookie;
        *answer = effects.answer;
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let (Some(value), Mode::Active(rules)) = (&self.answer, &self.configured.mode)
            && let Some(name) = rules.outputs().answer()
        {
            host::set_response_header(name.as_str(), value);
        }
        if let Some(cookie) = &self.set_cookie
            && !host::response_is_5xx()
        {
            host::add_response_header("set-cookie", cookie);
        }
        Action::Continue
    }
}
