//! The top level of the document.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::cookie::CookieOrOff;
use super::one_of;
use super::rollout::Rollout;
use super::text::{OutputName, RolloutName, Secret, Variable};

/// Which version of a site serves a request: the rules document of Serin, canary routing inside Envoy.
#[derive(JsonSchema)]
#[schemars(title = "Serin rules document", deny_unknown_fields)]
pub(super) struct Document {
    /// The rollouts by name: 1 to 63 characters out of a-z, 0-9 and `-`. At most one covers a request, the one with the
    /// most specific match; their order here means nothing.
    #[schemars(extend("examples" = [{ "shop": { "stable": "v1", "versions": { "v1": {}, "v2": { "weight": 10 } } } }], "maxProperties" = 10_000))]
    rollouts: BTreeMap<RolloutName, Rollout>,
    /// The cookie that keeps a visitor on a version, the same for all rollouts; `false` for no cookies at all.
    #[schemars(extend("examples" = [{ "name": "canary", "max_age": "30d" }, false]))]
    cookie: Option<CookieOrOff>,
    /// Keys that sign cookies and check override tokens. The first one signs, all verify. Default: none, and cookies are not
    /// signed.
    #[schemars(extend("examples" = [[{ "id": "k1", "env": "SERIN_KEY_1" }]], "minItems" = 1, "maxItems" = 8))]
    keys: Option<Vec<Key>>,
    /// The names of the headers that carry a decision.
    #[schemars(extend("examples" = [{ "cluster": "x-canary-cluster" }]))]
    headers: Option<Headers>,
    /// What to do on a sidecar's inbound listener. Default: `skip`.
    #[schemars(extend("default" = "skip"))]
    inbound: Option<Inbound>,
    /// Write the decision into the filter state `wasm.serin` as rollout/version/reason, for the access log's
    /// `%FILTER_STATE(wasm.serin:PLAIN)%`. Default: false.
    #[schemars(extend("default" = false))]
    access_log: Option<bool>,
}

/// A key, from the environment (`env`) or in the document itself (`secret`).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_of(&["env", "secret"])))]
struct Key {
    /// Names the key inside what it signed: 1 to 16 characters out of A-Z, a-z, 0-9, `_` and `-`; no two the same.
    #[schemars(extend("examples" = ["k1"], "pattern" = "^[A-Za-z0-9_-]{1,16}$"))]
    id: String,
    /// The environment variable that holds the secret, of at least 16 bytes; white space at its ends does not count.
    env: Option<Variable>,
    /// The secret itself, of 16 to 256 characters. Better kept in the environment.
    secret: Option<Secret>,
}

/// The names of the headers that carry a decision; `""` is not written. None of them ever comes in from a client.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Headers {
    /// The request header with the version's name. Default: `x-canary-version`.
    #[schemars(extend("default" = "x-canary-version"))]
    version: Option<OutputName>,
    /// The request header with the version's cluster, for Envoy's `cluster_header`. Every version but stable then needs a
    /// `cluster`; for stable it is written with `mark_stable` alone, so that requests without it need a route. Default: not written.
    #[schemars(extend("default" = ""))]
    cluster: Option<OutputName>,
    /// The request header with the unit's slot, 0 to 999,999; with `split: native` its share of `total`, for
    /// `weighted_clusters.header_name`. Default: not written.
    #[schemars(extend("default" = ""))]
    slot: Option<OutputName>,
    /// The request header with the reason of the decision. Default: not written.
    #[schemars(extend("default" = ""))]
    reason: Option<OutputName>,
    /// The response header with rollout/version/reason. Default: not written.
    #[schemars(extend("default" = ""))]
    answer: Option<OutputName>,
}

/// What to do on a sidecar's inbound listener.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Inbound {
    /// Nothing: the caller's proxy has decided.
    Skip,
    /// Decide there as well (waypoints, and sidecars that only see inbound traffic).
    Decide,
}
