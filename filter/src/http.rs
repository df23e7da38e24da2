//! One stream: facts in, effects out.

use std::rc::Rc;

use serin_core::{Decision, Effects, Facts, HeaderName, ResponseEffects, Source, private_cache_control};

use crate::answer::{Answered, Awaited};
use crate::host;
use crate::metrics::Counted;
use crate::root::{Configured, Mode};
use crate::vm;

/// A stream, with what its response needs: request headers are gone by then.
pub(crate) struct Stream {
    configured: Rc<Configured>,
    decided: Option<Counted>,
    awaited: Option<Box<Awaited>>,
    response: Option<Box<ResponseEffects>>,
}

impl Stream {
    pub(crate) fn new(configured: Rc<Configured>) -> Self {
        Self { configured, decided: None, awaited: None, response: None }
    }

    /// Decides, and carries the decision out on the request. Where the host refuses what it is asked or told, or has refused what
    /// the decision needs, stable serves instead: Envoy looks at the headers when the callback is over, so what was set before it
    /// refused another does not show.
    pub(crate) fn request_headers(&mut self) {
        if self.serve(false) {
            vm::tell_of_refusal();
            self.serve(true);
        }
    }

    /// Serves stable of the rollout that was found before, or what the request is decided for. Whether the host has refused
    /// anything.
    #[inline(never)]
    fn serve(&mut self, stable: bool) -> bool {
        let Self { configured, decided, awaited, response } = self;
        let request = host::Request::new(configured.reads_many_headers());
        if configured.skips() {
            return false;
        }
        let facts = Facts::new(&request);
        let decision;
        let (effects, in_doubt) = match &configured.mode {
            Mode::Inert { outputs, .. } => (Effects::inert(outputs, &facts), request.in_doubt()),
            Mode::Active(rules) => {
                if stable {
                    decision = decided.and_then(|decided| Decision::in_doubt(rules, decided.rollout()));
                } else {
                    decision =
                        serin_core::decide(rules, &configured.current(), &facts, configured.now(), crate::vm::draw);
                }
                *decided = decision.as_ref().map(Counted::of);
                let effects = Effects::of(rules, decision.as_ref(), &facts, configured.now());
                let in_doubt = request.in_doubt();
                let is_drawn = || decision.as_ref().is_some_and(|decision| decision.is_drawn(&facts));
                if !stable && (in_doubt || configured.is_unsure(decided.map(Counted::rollout), is_drawn)) {
                    return true;
                }
                // What stands in for a decision teaches nothing.
                let teaches = decision.as_ref().filter(|_| !stable);
                *awaited = teaches.and_then(|decision| Awaited::of(decision, configured));
                (effects, in_doubt)
            }
        };
        let refused = carry_out(&effects, in_doubt);
        if let Some(answer) = effects.response.as_ref().and_then(|response| response.answer.as_ref())
            && configured.logs_access()
        {
            host::set_filter_state("serin", answer);
        }
        *response = effects.response;
        refused
    }

    /// Counts the decision, and carries it out on the response, which may end with its headers.
    pub(crate) fn response_headers(&mut self, ends: bool) {
        // Counted here, since an internal redirect has two requests and one response.
        if let Some(decided) = self.decided.take() {
            self.configured.count(decided);
        }
        let status = self.awaited.take().map(|awaited| learned(&awaited, ends, &self.configured));
        if let (Some(response), Mode::Active(rules)) = (self.response.take(), &self.configured.mode) {
            let may_be_5xx = || status.map_or_else(host::response_may_be_5xx, |status| matches!(status / 100, 0 | 5));
            apply(*response, rules.outputs().answer(), may_be_5xx, |are_set| self.configured.note_cookies(are_set));
        }
    }

    /// Counts an answer that has not come in time, if the stream works by this configuration.
    pub(crate) fn give_up(&mut self, configured: &Rc<Configured>, now: Option<u64>) {
        if let Some(awaited) = self.awaited.as_mut().filter(|_| Rc::ptr_eq(configured, &self.configured)) {
            awaited.give_up(configured, now);
        }
    }

    /// Ends, perhaps without an answer.
    #[inline]
    pub(crate) fn end(mut self) {
        if let Some(awaited) = &mut self.awaited {
            awaited.give_up(&self.configured, awaited.clock());
        }
    }
}

/// Carries out what a request gets. Whether the host has refused any of it.
#[inline]
fn carry_out(effects: &Effects<'_>, in_doubt: bool) -> bool {
    let mut refused = false;
    for name in &effects.remove {
        // A header that was seen and cannot be removed is to name nothing. One that was not seen is not there for most.
        if !host::remove_request_header(name) && !in_doubt {
            refused |= !host::set_request_header(name, "");
        }
    }
    for (name, value) in effects.set() {
        if !host::set_request_header(name, &value) {
            host::remove_request_header(name);
            refused = true;
        }
    }
    refused
}

/// Learns from the answer at hand, and gives its status, 0 if the host does not tell it.
#[inline(never)]
fn learned(awaited: &Awaited, ends: bool, configured: &Configured) -> u16 {
    let answer = Answered::read(ends);
    if answer.status != 0 {
        awaited.answered(answer, configured);
    }
    answer.status
}

/// Carries out what a response gets, and notes whether the host has set its cookies, where it was to have some.
fn apply(
    response: ResponseEffects,
    answer: Option<&HeaderName>,
    may_be_5xx: impl FnOnce() -> bool,
    note_cookies: impl FnOnce(bool),
) {
    if let (Some(value), Some(name)) = (&response.answer, answer) {
        host::set_response_header(name.as_str(), value.as_bytes());
    }
    let has_cookies = response.set_cookies.iter().any(Option::is_some);
    let sets_cookies = has_cookies && !may_be_5xx();
    if sets_cookies {
        let mut are_set = true;
        for cookie in response.set_cookies.iter().flatten() {
            are_set &= host::add_response_header("set-cookie", cookie);
        }
        note_cookies(are_set);
    }
    if sets_cookies || response.private {
        let is_private = host::response_header("cache-control").is_some_and(|sent| {
            let private = private_cache_control(sent.as_deref());
            private.is_none_or(|value| host::set_response_header("cache-control", &value))
        });
        // Beside what the application says: its `no-store` must not give way unread.
        if !is_private {
            host::add_response_header("cache-control", "private");
        }
    }
}
