//! Effects: the header changes that carry a decision out.
//!
//! A decision for stable touches no request header, since in Envoy any change makes the routes match again; but for
//! `mark_stable`, and for a client's copies of our names, which are removed.

use std::borrow::Cow;

use crate::decide::Decision;
use crate::facts::{Facts, Source};
use crate::rules::{OutputHeaders, OutputKind, Plan, Rules};

/// What to change, as plain data. Only names and values from the document are ever written, and in the visitor cookie a
/// number that was checked to be base64url.
#[derive(Clone, Debug)]
pub struct Effects<'r> {
    outputs: &'r OutputHeaders,
    /// The decision that the output headers carry, if they carry one.
    carried: Option<&'r Decision<'r>>,
    /// Request headers to remove: our own names that came in with the request.
    pub remove: Vec<&'r str>,
    /// A `set-cookie` header to add to the response, unless its status is 5xx.
    pub set_cookie: Option<String>,
    /// The value of the answer header of the response, if the document wants one.
    pub answer: Option<String>,
}

impl<'r> Effects<'r> {
    /// The effects of a decision; without one, only the removal of our own names.
    pub fn of<S: Source>(rules: &'r Rules, decision: Option<&'r Decision<'r>>, facts: &Facts<'_, S>) -> Self {
        let carried = decision.filter(|decision| !decision.is_stable() || marks_stable(decision));
        let mut effects = Self { carried, ..Self::none(&rules.outputs) };
        effects.remove_ours(facts);
        if let Some(decision) = decision {
            effects.set_cookie = set_cookie(rules, decision, facts);
            effects.answer = rules.outputs.answer.is_some().then(|| answer(decision));
        }
        effects
    }

    /// The effects of a filter without rules: a client's copies of our names are removed, and nothing else.
    pub fn inert<S: Source>(outputs: &'r OutputHeaders, facts: &Facts<'_, S>) -> Self {
        let mut effects = Self::none(outputs);
        effects.remove_ours(facts);
        effects
    }

    /// Request headers to set, replacing any that came in: name and value.
    pub fn set(&self) -> impl Iterator<Item = (&'r str, Cow<'r, str>)> {
        self.outputs.on_request.iter().filter_map(|output| Some((output.name.as_str(), self.value(output.kind)?)))
    }

    fn none(outputs: &'r OutputHeaders) -> Self {
        Self { outputs, carried: None, remove: Vec::new(), set_cookie: None, answer: None }
    }

    /// What an output header carries.
    fn value(&self, kind: OutputKind) -> Option<Cow<'r, str>> {
        let decision = self.carried?;
        match kind {
            OutputKind::Version => Some(decision.version()?.name().into()),
            OutputKind::Cluster => Some(decision.version()?.cluster()?.into()),
            OutputKind::Slot => Some(decision.slot?.number().to_string().into()),
            OutputKind::Reason => Some(decision.reason.as_str().into()),
        }
    }

    /// What is set anyway need not be removed. Else it is read first: a miss is cheap, a removal is not.
    fn remove_ours<S: Source>(&mut self, facts: &Facts<'_, S>) {
        for output in &self.outputs.on_request {
            if !self.has_value(output.kind) && facts.has(output.name.as_str()) {
                self.remove.push(output.name.as_str());
            }
        }
    }

    fn has_value(&self, kind: OutputKind) -> bool {
        self.carried.is_some_and(|decision| match kind {
            OutputKind::Version | OutputKind::Reason => true,
            OutputKind::Cluster => decision.version().is_some_and(|version| version.cluster().is_some()),
            OutputKind::Slot => decision.slot.is_some(),
        })
    }
}

fn marks_stable(decision: &Decision<'_>) -> bool {
    matches!(&decision.rollout.plan, Plan::Share(shared) if shared.mark_stable)
}

fn set_cookie<S: Source>(rules: &Rules, decision: &Decision<'_>, facts: &Facts<'_, S>) -> Option<String> {
    let cookie = rules.cookie.as_ref()?;
    let visitor = decision.write?;
    let https = cookie.needs_scheme() && facts.header(":scheme") == Some(b"https");
    Some(cookie.write(visitor, https))
}

fn answer(decision: &Decision<'_>) -> String {
    let version = decision.version().map_or("", |version| version.name());
    format!("{}/{}/{}", decision.rollout.name(), version, decision.reason.as_str())
}
