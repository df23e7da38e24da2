//! What is pushed, in which order: documents that are sound, others that are not, and very long ones. Pure, by a seed.

use std::fmt;
use std::sync::LazyLock;

use fastrand::Rng;
use serde::Serialize;
use serde_json::{Value, json};
use serin_envoy::Configuration;

use crate::scene::Scene;

/// What a push is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Weights rise and fall, a version goes off and on; the release stays.
    Weights,
    /// A rollout is added or taken away.
    Rollouts,
    /// The headers that go with a version have other values.
    Headers,
    /// Other weights, in the midst of ten thousand rollouts.
    Huge,
    /// A mistake in one rollout, which keeps its form; what changes elsewhere takes effect.
    BadRollout,
    /// A mistake outside of the rollouts.
    BadTop,
    /// JSON that breaks off.
    BrokenJson,
    /// Nothing, or white space.
    Empty,
    /// Bytes that are no text.
    Binary,
    /// More than a document may have.
    TooLong,
}

impl Kind {
    /// Every kind, in the order of the report.
    pub(crate) const ALL: [Self; 10] = [
        Self::Weights,
        Self::Rollouts,
        Self::Headers,
        Self::Huge,
        Self::BadRollout,
        Self::BadTop,
        Self::BrokenJson,
        Self::Empty,
        Self::Binary,
        Self::TooLong,
    ];

    /// Whether the document has no mistake.
    pub(crate) fn is_sound(self) -> bool {
        matches!(self, Self::Weights | Self::Rollouts | Self::Headers | Self::Huge)
    }

    /// Whether anything of the document takes effect.
    pub(crate) fn takes_effect(self) -> bool {
        self.is_sound() || self == Self::BadRollout
    }

    /// Whether the document has several megabytes.
    pub(crate) fn is_long(self) -> bool {
        matches!(self, Self::Huge | Self::TooLong)
    }

    /// How many of them there are in a round that is drawn; each has all.
    fn times(self) -> usize {
        match self {
            Self::Weights => 5,
            Self::Rollouts | Self::BadRollout => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weights => "other weights",
            Self::Rollouts => "a rollout more or less",
            Self::Headers => "other set_headers",
            Self::Huge => "10,000 rollouts",
            Self::BadRollout => "a mistake in a rollout",
            Self::BadTop => "a mistake outside",
            Self::BrokenJson => "broken JSON",
            Self::Empty => "empty",
            Self::Binary => "binary",
            Self::TooLong => "over 8 MiB",
        })
    }
}

/// One push.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    /// What it is of.
    pub(crate) kind: Kind,
    /// What is handed to the filter.
    pub(crate) configuration: Configuration,
    /// What is in force once it has taken effect.
    pub(crate) scene: Scene,
}

/// Pushes without end.
#[derive(Debug)]
pub(crate) struct Plan {
    random: Rng,
    scene: Scene,
    /// The number of the push, so that no two are alike: Envoy skips what it has already.
    number: u32,
    /// What is left of the round, the last one first.
    round: Vec<Kind>,
    /// Of the next empty document.
    blanks: usize,
}

impl Plan {
    /// The plan of a seed. It begins with one of each kind, so that a short run has them all.
    pub(crate) fn new(seed: u64) -> Self {
        let round = Kind::ALL.into_iter().rev().collect();
        Self { random: Rng::with_seed(seed), scene: Scene::default(), number: 0, round, blanks: 0 }
    }

    /// What Envoy starts with.
    pub(crate) fn first(&self) -> Push {
        Push { kind: Kind::Weights, configuration: self.scene.document().into(), scene: self.scene.clone() }
    }

    /// The next push, of this kind or of whichever comes next.
    pub(crate) fn next(&mut self, kind: Option<Kind>) -> Push {
        self.number += 1;
        let kind = kind.unwrap_or_else(|| self.next_kind());
        let before = self.scene.clone();
        self.change(kind);
        let configuration = self.configuration(kind);
        if kind == Kind::BadRollout {
            self.scene.shop = before.shop;
        } else if !kind.takes_effect() {
            self.scene = before;
        }
        Push { kind, configuration, scene: self.scene.clone() }
    }

    fn next_kind(&mut self) -> Kind {
        if self.round.is_empty() {
            self.round = Kind::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, kind.times())).collect();
            self.random.shuffle(&mut self.round);
        }
        self.round.pop().unwrap_or(Kind::Weights)
    }

    /// What the document says anew, whether that takes effect or not.
    fn change(&mut self, kind: Kind) {
        let scene = &mut self.scene;
        scene.marker = self.number;
        match kind {
            Kind::Rollouts => scene.extra = !scene.extra,
            Kind::Headers => scene.shop.lane = self.number,
            _ => {
                // Small enough for both and a rule's 50, and none so small that a few hundred draws miss it.
                scene.shop.low = self.random.u32(0..=10) * 5;
                scene.shop.high = self.random.u32(0..=8) * 5;
                scene.shop.off = self.random.u8(..6) == 0;
                scene.forms = self.random.u32(0..=10) * 10;
            }
        }
    }

    fn configuration(&mut self, kind: Kind) -> Configuration {
        let mut document = self.scene.document();
        match kind {
            Kind::Weights | Kind::Rollouts | Kind::Headers => {}
            Kind::Huge => {
                if let Some(rollouts) = document["rollouts"].as_object_mut() {
                    let missing = MOST_ROLLOUTS - rollouts.len();
                    rollouts.extend(OTHERS.iter().take(missing).cloned());
                }
            }
            Kind::BadRollout => document["rollouts"]["shop"]["versions"]["v2"]["wieght"] = json!(1),
            Kind::BadTop => document["headers"]["vresion"] = json!("x-v"),
            Kind::BrokenJson => {
                let mut text = document.to_string();
                text.truncate(text.len() - 1 - self.random.usize(..text.len() / 2));
                return Configuration::Text(text);
            }
            // One blank more each time: Envoy leaves out the trial run of what it had before.
            Kind::Empty => {
                self.blanks += 1;
                return Configuration::Text(" ".repeat(self.blanks - 1));
            }
            Kind::Binary => {
                let bytes = std::iter::repeat_with(|| self.random.u8(..));
                return Configuration::Bytes(bytes.take(4_000).chain([0xff]).collect());
            }
            Kind::TooLong => {
                let mut text = document.to_string();
                text.push_str(&" ".repeat(serin_core::Rules::MOST_BYTES));
                return Configuration::Text(text);
            }
        }
        // Envoy itself takes seconds for a `Struct` of several megabytes.
        let is_text = kind.is_long() || self.random.bool();
        if is_text { Configuration::Text(document.to_string()) } else { document.into() }
    }
}

/// What surrounds the longest documents, the same in all.
static OTHERS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| (0..MOST_ROLLOUTS).map(other).collect());

/// A rollout of other hosts, with its name.
fn other(number: usize) -> (String, Value) {
    let hosts = [format!("fill-{number}.example.com"), format!("www.fill-{number}.example.com")];
    let rollout = json!({
        "match": [{"hosts": hosts, "path": {"prefix": "/"}}],
        "stable": "v1",
        "versions": {"v1": {"cluster": "v1"}, "v2": {"cluster": "v2", "weight": number % 100}},
        "release": format!("release-{number}"),
        "override": {"header": "x-canary", "aliases": {"always": "v2", "never": "v1"}},
        "rules": [{"when": {"headers": [{"name": "x-team", "in": ["qa", format!("team-{number}")]}]}, "use": "v2"}],
    });
    (format!("fill-{number}"), rollout)
}

/// What a document may have.
const MOST_ROLLOUTS: usize = 10_000;

#[cfg(test)]
mod tests {
    use serin_core::{Rules, Surroundings};

    use super::*;
    use crate::timeline::bytes;

    #[test]
    fn every_kind_is_what_it_is_called() {
        let mut plan = Plan::new(1);
        let mut before = Rules::parse(&bytes(&plan.first().configuration), &Surroundings::default()).rules.unwrap();
        for round in 0..3 {
            for kind in Kind::ALL {
                let push = plan.next(Some(kind));
                let text = bytes(&push.configuration);
                let last_good = Surroundings { last_good: Some(&before), ..Surroundings::default() };
                let parsed = Rules::parse(&text, &last_good);
                assert_eq!(kind.is_sound(), parsed.errors.is_empty(), "{kind}, {round}: {:?}", parsed.errors);
                assert_eq!(kind.takes_effect(), parsed.rules.is_some(), "{kind}, {round}");
                assert_eq!(kind == Kind::Huge, parsed.rules.iter().any(|rules| rules.rollouts().len() == 10_000));
                assert!(kind != Kind::Huge || text.len() > 3_000_000, "{}", text.len());
                before = parsed.rules.unwrap_or(before);
            }
        }
    }

    #[test]
    fn a_round_has_every_kind_and_no_push_is_like_the_one_before() {
        let mut plan = Plan::new(2);
        let mut last = plan.first().configuration;
        let mut seen = Vec::new();
        for _ in 0..Kind::ALL.len() + Kind::ALL.map(Kind::times).iter().sum::<usize>() {
            let push = plan.next(None);
            assert_ne!(last, push.configuration);
            seen.push(push.kind);
            last = push.configuration;
        }
        let (first, second) = seen.split_at(Kind::ALL.len());
        assert_eq!(Kind::ALL, first);
        assert!(Kind::ALL.iter().all(|kind| second.contains(kind)), "{second:?}");
    }

    #[test]
    fn what_takes_no_effect_changes_no_scene() {
        let mut plan = Plan::new(3);
        let mut before = plan.first().scene;
        for _ in 0..64 {
            let push = plan.next(None);
            assert_eq!(push.kind.takes_effect(), push.scene != before, "{}", push.kind);
            assert!(push.kind != Kind::BadRollout || push.scene.shop == before.shop);
            before = push.scene;
        }
    }
}
