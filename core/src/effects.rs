//! Effects: the header changes that carry a decision out.
//!
//! A decision for stable touches no request header, since in Envoy any change makes the routes match again; but for
//! `mark_stable`, and for a client's copies of our names, which are removed.

use std::borrow::Cow;

use crate::decide::{Decision, Reason};
use crate::facts::{Facts, Source};
use crate::header::HeaderName;
use crate::rules::{Cache, OutputHeaders, OutputKind, Plan, Rules, Shared, Split};
use crate::slot::{SLOTS, Slot};
use crate::time::Time;

/// What to change, as plain data. Only names and values from the document are ever written, and in cookies a number that
/// was checked to be base64url.
#[derive(Clone, Debug)]
pub struct Effects<'r> {
    outputs: &'r OutputHeaders,
    /// The decision that the output headers carry, if they carry one.
    carried: Option<&'r Decision<'r>>,
    /// Request headers to remove: our own names that came in with the request, and an override's secret.
    pub remove: Vec<&'r str>,
    /// What the response gets, if anything.
    pub response: Option<Box<ResponseEffects>>,
}

/// What a response gets.
#[derive(Clone, Debug, Default)]
pub struct ResponseEffects {
    /// `set-cookie` headers to add, unless the status is 5xx: the visitor cookie and the rollout's own.
    pub set_cookies: [Option<String>; 2],
    /// `rollout/version/reason`, if the answer header or the access log wants it; `-` stands for a version that the route
    /// chooses.
    pub answer: Option<String>,
    /// Whether shared caches must not keep the response even if it sets no cookie.
    pub private: bool,
}

impl<'r> Effects<'r> {
    /// The effects of a decision; without one, only the removal of our own names. `now` is that of the decision.
    pub fn of<S: Source>(
        rules: &'r Rules,
        decision: Option<&'r Decision<'r>>,
        facts: &Facts<'r, S>,
        now: Time,
    ) -> Self {
        let mut effects = Self::none(&rules.outputs);
        effects.carried = decision.filter(|decision| is_carried(decision));
        effects.remove_ours(facts, decision);
        effects.remove_stripped(&rules.stripped, facts);
        if let Some(decision) = decision {
            if rules.outputs.answer.is_some() || rules.access_log {
                effects.response_mut().answer = Some(answer(decision));
            }
            if let Plan::Share(shared) = &decision.rollout.plan {
                effects.respond(rules, shared, decision, facts, now);
            }
        }
        effects
    }

    /// The effects of a filter without rules: a client's copies of our names are removed, and nothing else.
    pub fn inert<S: Source>(outputs: &'r OutputHeaders, facts: &Facts<'_, S>) -> Self {
        let mut effects = Self::none(outputs);
        effects.remove_ours(facts, None);
        effects
    }

    /// Request headers to set, replacing any that came in: name and value.
    #[inline]
    pub fn set(&self) -> impl Iterator<Item = (&'r str, Cow<'r, str>)> {
        let outputs = self.outputs.on_request.iter();
        let parts = outputs.filter_map(|output| Some((output.name.as_str(), self.value(output.kind)?)));
        parts.chain(self.set_headers().iter().map(|(name, value)| (name.as_str(), value.as_str().into())))
    }

    #[inline]
    fn none(outputs: &'r OutputHeaders) -> Self {
        Self { outputs, carried: None, remove: Vec::new(), response: None }
    }

    #[inline]
    fn response_mut(&mut self) -> &mut ResponseEffects {
        self.response.get_or_insert_default()
    }

    /// The headers that go with the version.
    #[inline]
    fn set_headers(&self) -> &'r [(HeaderName, String)] {
        let version = self.carried.and_then(Decision::version);
        version.map_or(&[], |version| &version.set_headers)
    }

    /// What an output header carries.
    #[inline]
    fn value(&self, kind: OutputKind) -> Option<Cow<'r, str>> {
        let decision = self.carried.filter(|decision| decision.has(kind))?;
        match kind {
            OutputKind::Version => Some(decision.version()?.name().into()),
            OutputKind::Cluster => Some(decision.version()?.cluster()?.into()),
            OutputKind::Slot => Some(decision.slot_value()?.to_string().into()),
            OutputKind::Reason => Some(decision.reason.as_str().into()),
        }
    }

    /// What is set anyway need not be removed. Else it is read first: a miss is cheap, a removal is not.
    #[inline]
    fn remove_ours<S: Source>(&mut self, facts: &Facts<'_, S>, decision: Option<&Decision<'_>>) {
        let inherited = decision.is_some_and(|decision| decision.reason == Reason::Inherit);
        for output in &self.outputs.on_request {
            let stays = self.carried.is_some_and(|decision| decision.has(output.kind))
                || (inherited && output.kind == OutputKind::Version);
            if !stays && facts.has(output.name.as_str()) {
                self.remove.push(output.name.as_str());
            }
        }
    }

    #[inline]
    fn remove_stripped<S: Source>(&mut self, names: &'r [HeaderName], facts: &Facts<'_, S>) {
        for name in names {
            let is_set = self.set_headers().iter().any(|(set, _)| set == name);
            if !is_set && facts.has(name.as_str()) {
                self.remove.push(name.as_str());
            }
        }
    }

    /// What the response gets.
    #[inline]
    fn respond<S: Source>(
        &mut self,
        rules: &Rules,
        shared: &Shared,
        decision: &Decision<'_>,
        facts: &Facts<'r, S>,
        now: Time,
    ) {
        if shared.ways.dry_run {
            return;
        }
        if shared.sticky.cache == Cache::All && !decision.is_stable() {
            self.response_mut().private = true;
        }
        let Some(cookie) = &rules.cookie else { return };
        if decision.visitor.is_none() && decision.kept.is_none() {
            return;
        }
        let https = cookie.needs_scheme() && facts.header(":scheme") == Some(b"https");
        let visitor = decision.visitor.map(|visitor| cookie.write(visitor, https));
        let kept = decision.kept.as_deref().map(|kept| cookie.write_kept(decision.rollout, kept, now, https));
        self.response_mut().set_cookies = [visitor, kept];
    }
}

/// Whether a decision is written into headers at all.
#[inline]
fn is_carried(decision: &Decision<'_>) -> bool {
    match &decision.rollout.plan {
        Plan::Broken(broken) => broken.marks_stable,
        Plan::Share(shared) => {
            let touches = !decision.is_stable() || shared.ways.marks_stable();
            let by_route = decision.version.is_none() && decision.reason == Reason::Route;
            touches && !shared.ways.dry_run && !by_route
        }
    }
}

impl Decision<'_> {
    /// Whether there is such a part to write. A version that was inherited stands in its header already.
    #[inline]
    fn has(&self, kind: OutputKind) -> bool {
        match kind {
            OutputKind::Version => self.version.is_some() && self.reason != Reason::Inherit,
            OutputKind::Cluster => self.version().is_some_and(|version| version.cluster().is_some()),
            OutputKind::Slot => self.slot_value().is_some(),
            OutputKind::Reason => true,
        }
    }

    /// The slot; where the route chooses by it, scaled down to the route's total. Stable, which stands last there, owns the
    /// last one.
    #[inline]
    fn slot_value(&self) -> Option<u32> {
        let native = match &self.rollout.plan {
            Plan::Broken(broken) => broken.native_total,
            Plan::Share(shared) => (shared.ways.split == Split::Native).then_some(shared.total),
        };
        match (native, self.slot) {
            (None, slot) => slot.map(Slot::number),
            (Some(total), Some(slot)) => {
                u32::try_from(u64::from(slot.number()) * u64::from(total) / u64::from(SLOTS)).ok()
            }
            (Some(total), None) => self.is_stable().then(|| total.saturating_sub(1)),
        }
    }
}

fn answer(decision: &Decision<'_>) -> String {
    let version = decision.version().map_or("-", |version| version.name());
    format!("{}/{}/{}", decision.rollout.name(), version, decision.reason.as_str())
}

/// The `cache-control` of a response that shared caches must not keep (RFC 9111 §5.2.2.7), made of what the application
/// sent; `None` if that says so already.
///
/// What the application allows browsers stays: only `public` and `s-maxage` give way.
pub fn private_cache_control(sent: Option<&[u8]>) -> Option<Cow<'static, [u8]>> {
    const PRIVATE: &[u8] = b"private";
    let Some(sent) = sent else { return Some(PRIVATE.into()) };
    let mut kept = PRIVATE.to_vec();
    for directive in sent.split(|byte| *byte == b',').map(crate::cookie::trim) {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("no-store") || (is("private") && name.len() == directive.len()) {
            return None;
        }
        if !directive.is_empty() && !is("public") && !is("s-maxage") && !is("private") {
            kept.extend_from_slice(b", ");
            kept.extend_from_slice(directive);
        }
    }
    Some(kept.into())
}
