//! One stream: facts in, effects out.

use std::rc::Rc;

use serin_core::{Effects, Facts, HeaderName, ResponseEffects, private_cache_control};

use crate::host;
use crate::metrics::Counted;
use crate::root::{Configured, Mode};

/// A stream, with what its response needs: request headers are gone by then.
pub(crate) struct Stream {
    configured: Rc<Configured>,
    decided: Option<Counted>,
    response: Option<Box<ResponseEffects>>,
}

impl Stream {
    pub(crate) fn new(configured: Rc<Configured>) -> Self {
        Self { configured, decided: None, response: None }
    }

    /// Decides, and carries the decision out on the request.
    pub(crate) fn request_headers(&mut self) {
        let Self { configured, decided, response } = self;
        if configured.skips() {
            return;
        }
        let request = host::Request::new(configured.reads_many_headers());
        let facts = Facts::new(&request);
        let decision;
        let effects = match &configured.mode {
            Mode::Inert { outputs, .. } => Effects::inert(outputs, &facts),
            Mode::Active(rules) => {
                decision = serin_core::decide(rules, &facts, configured.now(), crate::vm::draw);
                *decided = decision.as_ref().map(Counted::of);
                Effects::of(rules, decision.as_ref(), &facts, configured.now())
            }
        };
        for name in &effects.remove {
            host::remove_request_header(name);
        }
        for (name, value) in effects.set() {
            host::set_request_header(name, &value);
        }
        if let Some(answer) = effects.response.as_ref().and_then(|response| response.answer.as_ref())
            && configured.logs_access()
        {
            host::set_filter_state("serin", answer);
        }
        *response = effects.response;
    }

    /// Counts the decision, and carries it out on the response.
    pub(crate) fn response_headers(&mut self) {
        // Counted here, since an internal redirect has two requests and one response.
        if let Some(decided) = self.decided.take() {
            self.configured.count(decided);
        }
        if let (Some(response), Mode::Active(rules)) = (self.response.take(), &self.configured.mode) {
            apply(*response, rules.outputs().answer());
        }
    }
}

/// Carries out what a response gets.
fn apply(response: ResponseEffects, answer: Option<&HeaderName>) {
    if let (Some(value), Some(name)) = (&response.answer, answer) {
        host::set_response_header(name.as_str(), value.as_bytes());
    }
    let has_cookies = response.set_cookies.iter().any(Option::is_some);
    let sets_cookies = has_cookies && !host::response_is_5xx();
    for cookie in response.set_cookies.iter().flatten().filter(|_| sets_cookies) {
        host::add_response_header("set-cookie", cookie);
    }
    if sets_cookies || response.private {
        let sent = host::response_header("cache-control");
        if let Some(value) = private_cache_control(sent.as_deref()) {
            host::set_response_header("cache-control", &value);
        }
    }
}
