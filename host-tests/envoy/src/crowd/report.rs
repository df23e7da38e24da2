//! What a crowd saw, in numbers. Nothing is judged here.

use std::collections::BTreeMap;

/// What a crowd saw, between one [`Crowd::take_report`](crate::Crowd::take_report) and the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Answers by version.
    pub requests: BTreeMap<String, u64>,
    /// Visitors by the version that answered them last, whenever that was.
    pub serving: BTreeMap<String, u64>,
    /// How often a visitor was answered by another version than the time before, by the two versions.
    pub moves: BTreeMap<(String, String), u64>,
    /// Visitors by the version that answered them last at the report before and the one that does now, where these differ.
    pub resettled: BTreeMap<(String, String), u64>,
    /// Requests that broke off or were answered with another status than 200.
    pub failed: u64,
    /// The first few failures in words.
    pub failures: Vec<String>,
}

impl Report {
    /// Answers of any version.
    pub fn answered(&self) -> u64 {
        self.requests.values().sum()
    }

    /// The share of the requests that `version` answered, 0 to 1; 0 if there was none.
    pub fn request_share(&self, version: &str) -> f64 {
        share(&self.requests, version)
    }

    /// The share of the visitors whom `version` answered last, 0 to 1; 0 if there was none.
    pub fn visitor_share(&self, version: &str) -> f64 {
        share(&self.serving, version)
    }

    /// How many requests `version` answered.
    pub fn requests_on(&self, version: &str) -> u64 {
        self.requests.get(version).copied().unwrap_or_default()
    }

    /// How many visitors `version` answered last.
    pub fn visitors_on(&self, version: &str) -> u64 {
        self.serving.get(version).copied().unwrap_or_default()
    }

    /// How often a visitor moved from one version to another.
    pub fn moved(&self, from: &str, to: &str) -> u64 {
        between(&self.moves, from, to)
    }

    /// How many visitors are on another version than at the report before, whatever came in between.
    pub fn resettled(&self, from: &str, to: &str) -> u64 {
        between(&self.resettled, from, to)
    }

    /// How often a visitor moved at all.
    pub fn moves(&self) -> u64 {
        self.moves.values().sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
fn share(counts: &BTreeMap<String, u64>, version: &str) -> f64 {
    let all: u64 = counts.values().sum();
    let part = counts.get(version).copied().unwrap_or_default();
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

fn between(counts: &BTreeMap<(String, String), u64>, from: &str, to: &str) -> u64 {
    counts.iter().filter(|((a, b), _)| a == from && b == to).map(|(_, count)| count).sum()
}
