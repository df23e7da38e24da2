//! What is in force, in a few words, and the document that says so.

use serde_json::{Value, json};
use serin_core::SLOTS;

/// What pushes change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scene {
    /// The rollout `shop`, which `hold: slot` keeps.
    pub(crate) shop: Shop,
    /// The weight of v2 in `forms`, which `hold: version` keeps.
    pub(crate) forms: u32,
    /// Whether there is the rollout `extra`, which has half of its visitors on v3.
    pub(crate) extra: bool,
    /// What `beacon` shows, which is for nothing else: the number of the document.
    pub(crate) marker: u32,
}

/// The rollout with two canaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shop {
    /// The weight of v2, which lies low.
    pub(crate) low: u32,
    /// The weight of v3, which lies high.
    pub(crate) high: u32,
    /// Whether v3 is off.
    pub(crate) off: bool,
    /// What the header [`LANE`] says that goes with v2.
    pub(crate) lane: u32,
}

/// The name of the attempt, the same in all documents.
pub(crate) const RELEASE: &str = "soak";
/// The header that goes with versions.
pub(crate) const LANE: &str = "x-lane";
/// The header that carries the decision in the response.
pub(crate) const ANSWER: &str = "x-canary-answer";
/// The header that routes read.
pub(crate) const CLUSTER: &str = "x-canary-cluster";
/// All weights of a rollout.
const TOTAL: u32 = 100;
/// The weight of v2 for those whom the rule with weights is about.
const REGION: u32 = 50;

impl Shop {
    /// Who serves a slot: edges alone, asking no rules. `region` for those whom the rule with weights is about.
    pub(crate) fn owner(&self, slot: u32, region: bool) -> &'static str {
        let low = if region { REGION } else { self.low };
        let (low, high) = (low * (SLOTS / TOTAL), (TOTAL - self.high) * (SLOTS / TOTAL));
        match slot {
            slot if slot < low => "v2",
            slot if slot >= high && !self.off => "v3",
            _ => "v1",
        }
    }
}

impl Scene {
    /// The document that says so.
    pub(crate) fn document(&self) -> Value {
        let hosts = |name: &str| json!([{"hosts": [format!("{name}.example.com")]}]);
        let Shop { low, high, off, lane } = &self.shop;
        let shop = json!({
            "match": hosts("shop"), "stable": "v1", "release": RELEASE, "total": TOTAL,
            "versions": {
                "v1": {"cluster": "v1"},
                "v2": {"cluster": "v2", "weight": low, "place": "low", "set_headers": {LANE: format!("lane-{lane}")}},
                "v3": {"cluster": "v3", "weight": high, "place": "high", "off": off},
            },
            "override": {"header": "x-canary"},
            "rules": [
                {"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "v2"},
                {"when": {"headers": [{"name": "x-region", "exact": "eu"}]}, "weights": {"v2": REGION}},
            ],
            "sticky": {"unit": [{"header": "x-user-id"}]},
        });
        let forms = json!({
            "match": hosts("forms"), "stable": "v1", "release": RELEASE,
            "versions": {"v1": {"cluster": "v1"}, "v2": {"cluster": "v2", "weight": self.forms}},
            "sticky": {"hold": "version"},
        });
        let beacon = json!({
            "match": hosts("beacon"), "stable": "v1",
            "versions": {
                "v1": {"cluster": "v1"},
                "beacon": {"cluster": "beacon", "weight": 100, "set_headers": {LANE: self.marker.to_string()}},
            },
            "sticky": {"unit": [{"header": "x-user-id"}]},
        });
        let mut document = json!({
            "rollouts": {"shop": shop, "forms": forms, "beacon": beacon},
            "headers": {"cluster": CLUSTER, "answer": ANSWER}, "access_log": true,
        });
        if self.extra {
            document["rollouts"]["extra"] = json!({
                "match": hosts("extra"), "stable": "v1", "release": RELEASE,
                "versions": {"v1": {"cluster": "v1"}, "v3": {"cluster": "v3", "weight": 50}},
            });
        }
        document
    }
}
