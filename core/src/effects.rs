//! Effects: the header changes that carry a decision out.
//!
//! A decision for stable touches no request header, since in Envoy any change makes the routes match again.

use crate::decide::Decision;
use crate::facts::{Facts, Source};
use crate::header::HeaderName;
use crate::rules::{OutputHeaders, Plan, Rules};

/// What to change, as plain data. Only names and values from the document are ever written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects<'r> {
    /// Request headers to remove: our own names that came in with the request.
    pub remove: Vec<&'r str>,
    /// Request headers to set, replacing any that came in.
    pub set: Vec<(&'r str, String)>,
    /// A `set-cookie` header to add to the response, unless its status is 5xx.
    pub set_cookie: Option<String>,
    /// A header to set on the response.
    pub answer: Option<(&'r str, String)>,
}

impl<'r> Effects<'r> {
    /// The effects of a decision; without one, only the removal of our own names.
    pub fn of<S: Source>(rules: &'r Rules, decision: Option<&Decision<'r>>, facts: &Facts<'r, S>) -> Self {
        let mut effects = Self::default();
        let carried = decision.filter(|decision| !decision.is_stable() || marks_stable(decision));
        let outputs = &rules.outputs;
        let values: [(&Option<HeaderName>, Option<String>); 4] = [
            (&outputs.version, carried.and_then(version)),
            (&outputs.cluster, carried.and_then(cluster)),
            (&outputs.slot, carried.and_then(|decision| Some(decision.slot?.number().to_string()))),
            (&outputs.reason, carried.map(|decision| decision.reason.as_str().to_owned())),
        ];
        for (name, value) in values {
            match (name, value) {
                (Some(name), Some(value)) => effects.set.push((name.as_str(), value)),
                (Some(name), None) => effects.remove_if_there(name, facts),
                (None, _) => {}
            }
        }
        if let Some(decision) = decision {
            effects.set_cookie = set_cookie(rules, decision, facts);
            effects.answer = outputs.answer.as_ref().map(|name| (name.as_str(), answer(decision)));
        }
        effects
    }

    /// The effects of a filter without rules: a client's copies of our names are removed, and nothing else.
    pub fn inert<S: Source>(outputs: &'r OutputHeaders, facts: &Facts<'r, S>) -> Self {
        let mut effects = Self::default();
        for name in outputs.on_request() {
            effects.remove_if_there(name, facts);
        }
        effects
    }

    /// A miss is cheap, a removal is not.
    fn remove_if_there<S: Source>(&mut self, name: &'r HeaderName, facts: &Facts<'r, S>) {
        if facts.header(name.as_str()).is_some() {
            self.remove.push(name.as_str());
        }
    }
}

fn marks_stable(decision: &Decision<'_>) -> bool {
    matches!(&decision.rollout.plan, Plan::Share(shared) if shared.mark_stable)
}

fn version(decision: &Decision<'_>) -> Option<String> {
    Some(decision.version()?.name().to_owned())
}

/// Stable needs no cluster header: the routes send whoever has none to stable.
fn cluster(decision: &Decision<'_>) -> Option<String> {
    Some(decision.version()?.cluster()?.to_owned())
}

fn set_cookie<'r, S: Source>(rules: &'r Rules, decision: &Decision<'r>, facts: &Facts<'r, S>) -> Option<String> {
    let cookie = rules.cookie.as_ref()?;
    let visitor = decision.write?;
    let https = cookie.needs_scheme() && facts.header(":scheme") == Some(b"https");
    Some(cookie.write(visitor, https))
}

fn answer(decision: &Decision<'_>) -> String {
    let version = decision.version().map_or("", |version| version.name());
    format!("{}/{}/{}", decision.rollout.name(), version, decision.reason.as_str())
}
