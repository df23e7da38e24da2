//! One rollout.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::condition::Entry;
use super::guard::Guard;
use super::one_of;
use super::schedule::Schedule;
use super::sticky::Sticky;
use super::text::{
    Alias, Cluster, CookieName, HeaderName, HeaderValue, QueryName, Secret, Variable, VersionName, WholeSeconds,
};

/// One named experiment: which requests it covers, its versions and how they share traffic.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Rollout {
    /// Which requests it covers: those for which one entry holds. Default: every request.
    #[schemars(extend("examples" = [[{ "hosts": ["shop.example.com"] }]], "minItems" = 1))]
    r#match: Option<Vec<Entry>>,
    /// The version that takes whatever no other version takes.
    #[schemars(extend("examples" = ["v1"]))]
    stable: VersionName,
    /// The versions by name: 1 to 63 characters out of A-Z, a-z, 0-9, `_` and `-`.
    #[schemars(extend("examples" = [{ "v1": {}, "v2": { "weight": 10 } }], "maxProperties" = 64))]
    versions: BTreeMap<VersionName, Version>,
    /// What a weight is a share of: 1 to 1,000,000. Default: 100, so that weights are per cent.
    #[schemars(extend("examples" = [1000], "default" = 100), range(min = 1, max = 1_000_000))]
    total: Option<u32>,
    /// The name of the current attempt. A new one reshuffles who gets what, and forgets held versions. Default: none.
    #[schemars(extend("examples" = ["2026-11"]))]
    release: Option<VersionName>,
    /// Rollouts with the same cohort and release put a visitor into the same slot. Default: the rollout's name.
    cohort: Option<VersionName>,
    /// How a request may name its version itself. Default: it may not.
    #[schemars(extend("examples" = [{ "header": "x-canary" }]))]
    r#override: Option<Override>,
    /// Segments with a version, or weights, of their own; the first rule that holds decides.
    #[schemars(extend("examples" = [[{ "when": { "headers": [{ "name": "x-team", "exact": "qa" }] }, "use": "v2" }]], "minItems" = 1, "maxItems" = 1000))]
    rules: Option<Vec<Rule>>,
    /// Follow the version that an earlier hop wrote into our version header. Only where nobody else can send that header.
    /// Default: false.
    #[schemars(extend("default" = false))]
    inherit: Option<bool>,
    /// What keeps a visitor on its version. Default: the visitor cookie, and the version follows the weights.
    #[schemars(extend("examples" = [{ "unit": [{ "header": "x-user-id" }] }]))]
    sticky: Option<Sticky>,
    /// Who steers a request to its version. Default: `filter`.
    #[schemars(extend("default" = "filter"))]
    split: Option<Split>,
    /// Write the headers that carry the decision for stable too, the version's and the cluster's. Default: false, so that routes
    /// take requests without them for stable.
    #[schemars(extend("default" = false))]
    mark_stable: Option<bool>,
    /// Decide, count and explain, but change nothing. Default: false.
    #[schemars(extend("default" = false))]
    dry_run: Option<bool>,
    /// The weight of one version over time. Default: weights stay as they are. Needs `split: filter`.
    #[schemars(extend("examples" = [{ "version": "v2", "start": "2026-11-21T09:00:00Z", "steps": [{ "weight": 5, "for": "1h" }, { "weight": 50 }] }]))]
    schedule: Option<Schedule>,
    /// Takes a version out of traffic that fails. Default: nothing does. Not with `split: native`.
    #[schemars(extend("examples" = [{ "max_percent": 5 }]))]
    guard: Option<Guard>,
    /// Who serves in the place of a version whose cluster is missing or has no healthy host. Default: `stable`.
    #[schemars(extend("default" = "stable"))]
    missing_cluster: Option<MissingCluster>,
}

/// Who serves in the place of a version whose cluster is missing or has no healthy host.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum MissingCluster {
    /// Stable, for ten seconds at a time.
    Stable,
    /// Nobody: its visitors get Envoy's 503.
    Fail,
}

/// One deployable variant.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Version {
    /// Its Envoy cluster; needed where `headers.cluster` is set, and with `split: route`.
    #[schemars(extend("examples" = ["shop-v2"]))]
    cluster: Option<Cluster>,
    /// Its share of `total`. On stable only if all weights then add up to `total`. Default: none; it is reached by override,
    /// rule or inheritance alone.
    #[schemars(extend("examples" = [10]))]
    weight: Option<Weight>,
    /// Where its interval lies in the slots: `low` grows up from slot 0, `high` down from the top; numbers stack several
    /// versions, -1 at the very top. Needed where two or more versions have a weight. Default: `low`.
    #[schemars(extend("default" = "low"))]
    place: Option<Place>,
    /// Kill switch: nobody gets this version, not by override either. Default: false.
    #[schemars(extend("default" = false))]
    off: Option<bool>,
    /// Request headers that go with this version. They never come in from a client.
    #[schemars(extend("examples" = [{ "x-variant": "b" }], "maxProperties" = 16))]
    set_headers: Option<BTreeMap<HeaderName, HeaderValue>>,
}

/// A whole number from 0 to 1,000,000.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Weight(#[schemars(range(max = 1_000_000))] u32);

#[derive(JsonSchema)]
#[schemars(inline, untagged)]
enum Place {
    Side(Side),
    Number(#[schemars(range(min = -64, max = 63))] i8),
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Side {
    /// Grows up from slot 0: the number 0.
    Low,
    /// Grows down from the top: the number -1.
    High,
}

/// How a request may name its version, or an alias, itself: by header, then query, then cookie. `auto` there means no
/// override, and forgets a remembered one.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = one_of(&["header", "query", "cookie"])))]
struct Override {
    /// The request header that may name the version.
    header: Option<HeaderName>,
    /// The query parameter that may name the version.
    query: Option<QueryName>,
    /// The cookie that may name the version.
    cookie: Option<CookieName>,
    /// Other names for versions, such as `{always: v2, never: v1}`.
    #[schemars(extend("examples" = [{ "always": "v2", "never": "v1" }], "maxProperties" = 256, "propertyNames" = { "not": { "const": "auto" } }))]
    aliases: Option<BTreeMap<Alias, VersionName>>,
    /// Whose overrides count: `open` takes them from anybody, `signed` only as a token that one of `keys` signed,
    /// `{header: NAME, env: NAME}` only from requests that show a secret in that header. Default: `open`.
    #[schemars(extend("examples" = ["signed", { "header": "x-canary-secret", "env": "CANARY_SECRET" }], "default" = "open"))]
    trust: Option<Trust>,
    /// Keep an override in a cookie for so long, `1m` to `400d`. Needs cookies, and `keys` with any trust but `open`. Default:
    /// not remembered.
    remember: Option<WholeSeconds>,
}

#[derive(JsonSchema)]
#[schemars(inline, untagged)]
enum Trust {
    Word(TrustWord),
    Secret(SharedSecret),
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum TrustWord {
    /// Everybody's.
    Open,
    /// Those of a token that one of the document's `keys` signed.
    Signed,
}

/// A secret that a request has to show in a header, from the environment (`env`) or in the document itself (`secret`). The
/// header is removed from every request; it is none that HTTP reserves.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_of(&["env", "secret"])))]
struct SharedSecret {
    /// The request header that shows the secret.
    header: HeaderName,
    /// The environment variable that holds the secret.
    env: Option<Variable>,
    /// The secret itself. Better kept in the environment.
    secret: Option<Secret>,
}

/// A segment: when it holds, and either the version to `use` or `weights` of its own.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_of(&["use", "weights"])))]
struct Rule {
    /// Conditions that all have to hold. Default: every request.
    #[schemars(extend("examples" = [{ "headers": [{ "name": "x-team", "exact": "qa" }] }]))]
    when: Option<Entry>,
    /// The version that the segment gets.
    #[schemars(extend("examples" = ["v2"]))]
    r#use: Option<VersionName>,
    /// Weights by version; those of versions that are not named here stay.
    #[schemars(extend("examples" = [{ "v2": 50 }], "minProperties" = 1))]
    weights: Option<BTreeMap<VersionName, Weight>>,
}

/// Who steers a request to its version.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Split {
    /// The filter names the version in a header, and routes match on it.
    Filter,
    /// The route's own weights choose for whoever holds nothing; the filter holds what they chose. Needs `hold: version` and
    /// a cluster of its own for every version; no weights here.
    Route,
    /// The filter writes the slot into a header, and the route's own weights choose by it; stable stands last in the route.
    /// Needs `headers.slot`; no weights, places, `off` or `set_headers` here.
    Native,
}
