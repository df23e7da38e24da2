//! What may have been in force, and which upstreams may have been down, at a time. The clock comes in as an argument.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serin_core::{Current, Rules, Surroundings, Time, Upstream};
use serin_envoy::Configuration;

use crate::plan::Push;
use crate::scene::Scene;

/// The versions that may be missing: each is a bit of a set.
pub(crate) const CANARIES: [&str; 2] = ["v2", "v3"];
/// All sets of them.
const SETS: usize = 1 << CANARIES.len();

/// A worker that finds a cluster missing has stable serve for ten seconds, knows of the time in whole seconds, and looks at the
/// clock once a second. On a machine with other things to do it takes seconds to read a long document, which may come before
/// the last failure is noticed and again before it looks at the clock.
const LINGERS: Duration = Duration::from_secs(18);
/// No request takes so long.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// A document in force.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) rules: Rules,
    /// The same in a few words.
    pub(crate) scene: Scene,
    /// What is different while the canaries of a set are missing.
    currents: [Current; SETS],
}

impl Document {
    /// What a push makes of the document before it.
    ///
    /// # Errors
    /// If nothing of it takes effect.
    pub(crate) fn new(push: &Push, before: Option<&Self>) -> Result<Self> {
        let surroundings = Surroundings { last_good: before.map(|before| &before.rules), ..Surroundings::default() };
        let parsed = Rules::parse(&bytes(&push.configuration), &surroundings);
        let rules = parsed.rules.with_context(|| format!("a document cannot be read: {}", push.kind))?;
        let currents = std::array::from_fn(|set| missing(&rules, set));
        Ok(Self { rules, scene: push.scene.clone(), currents })
    }

    /// What counts while the canaries of this set are missing.
    pub(crate) fn current(&self, set: usize) -> &Current {
        &self.currents[set]
    }
}

/// What the filter is handed, but a `Struct` as its JSON, which means the same.
pub(crate) fn bytes(configuration: &Configuration) -> Cow<'_, [u8]> {
    match configuration {
        Configuration::Struct(document) => document.to_string().into_bytes().into(),
        Configuration::Text(text) => text.as_bytes().into(),
        Configuration::Bytes(bytes) => bytes.into(),
    }
}

fn missing(rules: &Rules, set: usize) -> Current {
    let mut current = Current::default();
    for (index, rollout) in rules.rollouts().enumerate() {
        for name in members(set) {
            if let Some(version) = rollout.version_named(name.as_bytes()) {
                current.note(index, version, Upstream::Missing, false, Time::default());
            }
        }
    }
    current
}

/// The canaries of a set.
pub(crate) fn members(set: usize) -> impl Iterator<Item = &'static str> {
    CANARIES.into_iter().enumerate().filter(move |(bit, _)| set & (1 << bit) != 0).map(|(_, name)| name)
}

/// How an upstream fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Connections break and new ones are refused.
    Stops,
    /// Every request ends its connection.
    Resets,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stops => "stopped",
            Self::Resets => "reset",
        })
    }
}

#[derive(Clone, Debug)]
struct Trouble {
    upstream: &'static str,
    failure: Failure,
    from: Instant,
    until: Option<Instant>,
}

/// What may have been so while a request was under way.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// The documents, the oldest first.
    pub(crate) documents: Vec<Arc<Document>>,
    /// The upstreams that were down, or went down.
    pub(crate) down: Vec<(&'static str, Failure)>,
    /// The set of canaries that some worker may have taken for missing.
    pub(crate) missing: usize,
}

/// All that happens.
#[derive(Debug)]
pub(crate) struct Timeline {
    documents: Vec<(Arc<Document>, Option<Instant>)>,
    troubles: Vec<Trouble>,
}

impl Timeline {
    /// With the document that Envoy starts with.
    pub(crate) fn new(first: Document) -> Self {
        Self { documents: vec![(Arc::new(first), None)], troubles: Vec::new() }
    }

    /// The newest document.
    pub(crate) fn newest(&self) -> Option<Arc<Document>> {
        self.documents.last().map(|(document, _)| Arc::clone(document))
    }

    /// A document is about to be moved into place.
    pub(crate) fn announce(&mut self, document: Arc<Document>) {
        self.documents.push((document, None));
    }

    /// Every worker follows the newest document.
    pub(crate) fn confirm(&mut self, now: Instant) {
        let older = self.documents.len().saturating_sub(1);
        for (_, retired) in self.documents.iter_mut().take(older) {
            retired.get_or_insert(now);
        }
        let is_recent = |at: Option<Instant>| at.is_none_or(|at| now.duration_since(at) <= FORGOTTEN);
        self.documents.retain(|(_, retired)| is_recent(*retired));
        self.troubles.retain(|trouble| is_recent(trouble.until));
    }

    /// An upstream is about to fail.
    pub(crate) fn fail(&mut self, upstream: &'static str, failure: Failure, now: Instant) {
        self.troubles.push(Trouble { upstream, failure, from: now, until: None });
    }

    /// An upstream is back.
    pub(crate) fn recover(&mut self, upstream: &str, now: Instant) {
        for trouble in self.troubles.iter_mut().filter(|trouble| trouble.upstream == upstream) {
            trouble.until.get_or_insert(now);
        }
    }

    /// What may have been so from `started` to `ended`.
    pub(crate) fn window(&self, started: Instant, ended: Instant) -> Window {
        let documents = self.documents.iter().filter(|(_, retired)| retired.is_none_or(|at| at >= started));
        let lasts = |trouble: &&Trouble, more: Duration| {
            trouble.from <= ended && trouble.until.is_none_or(|until| until + more >= started)
        };
        let down = self.troubles.iter().filter(|trouble| lasts(trouble, Duration::ZERO));
        let stopped = self.troubles.iter().filter(|trouble| trouble.failure == Failure::Stops);
        let missing = stopped.filter(|trouble| lasts(trouble, LINGERS));
        Window {
            documents: documents.map(|(document, _)| Arc::clone(document)).collect(),
            down: down.map(|trouble| (trouble.upstream, trouble.failure)).collect(),
            missing: missing.filter_map(|trouble| bit(trouble.upstream)).fold(0, |set, bit| set | bit),
        }
    }
}

fn bit(name: &str) -> Option<usize> {
    CANARIES.iter().position(|known| *known == name).map(|bit| 1 << bit)
}

impl Window {
    /// All sets of canaries that may have been missing.
    pub(crate) fn sets(&self) -> impl Iterator<Item = usize> {
        (0..SETS).filter(|set| set & !self.missing == 0)
    }

    /// How this upstream failed, if it did.
    pub(crate) fn failure_of(&self, upstream: &str) -> Option<(&'static str, Failure)> {
        self.down.iter().find(|(down, _)| *down == upstream).copied()
    }

    /// Whether this version may have been missing.
    pub(crate) fn may_miss(&self, version: &str) -> bool {
        members(self.missing).any(|name| name == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Kind, Plan};

    fn scenes(window: &Window) -> Vec<u32> {
        window.documents.iter().map(|document| document.scene.marker).collect()
    }

    #[test]
    fn a_document_counts_from_its_move_until_every_worker_follows_the_next() {
        let mut plan = Plan::new(1);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timeline = Timeline::new(Document::new(&plan.first(), None).unwrap());
        assert_eq!([0], *scenes(&timeline.window(at(0), at(1))));
        timeline.announce(Arc::new(Document::new(&plan.next(Some(Kind::Weights)), None).unwrap()));
        assert_eq!([0, 1], *scenes(&timeline.window(at(1), at(2))));
        timeline.confirm(at(3));
        assert_eq!([0, 1], *scenes(&timeline.window(at(3), at(4))));
        assert_eq!([1], *scenes(&timeline.window(at(4), at(4))));
        timeline.confirm(at(100));
        assert_eq!([1], *scenes(&timeline.window(at(0), at(1))), "what is long past is forgotten");
    }

    #[test]
    fn a_stopped_canary_may_be_missing_for_a_while_longer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timeline = Timeline::new(Document::new(&Plan::new(1).first(), None).unwrap());
        timeline.fail("v2", Failure::Stops, at(10));
        timeline.fail("v3", Failure::Resets, at(10));
        timeline.fail("v1", Failure::Stops, at(10));
        for name in ["v1", "v2", "v3"] {
            timeline.recover(name, at(20));
        }
        for (seconds, down, missing) in [(9, 0, 0), (10, 3, 1), (20, 3, 1), (21, 0, 1), (38, 0, 1), (39, 0, 0)] {
            let window = timeline.window(at(seconds), at(seconds));
            assert_eq!((down, missing), (window.down.len(), window.missing), "{seconds}");
        }
    }
}
