//! `guard`: when a version is taken out because it fails.

use schemars::JsonSchema;

use super::text::{OutFor, Slow, Status, Window};

/// Takes a version out of traffic that fails more often than it may. Each Envoy decides by its own traffic.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Guard {
    /// The time that is looked at. Default: `60s`.
    #[schemars(extend("default" = "60s"))]
    window: Option<Window>,
    /// What a failure is. Default: a status of 5xx.
    #[schemars(extend("examples" = [{ "status": ["5xx"], "slower_than": "2s" }]))]
    failures: Option<Failures>,
    /// The percentage of requests that may fail.
    #[schemars(extend("examples" = [5]), range(min = 0.0, max = 99.0))]
    max_percent: f64,
    /// How sure, in percent, it has to be that more than that fail. Default: 99.9.
    #[schemars(extend("default" = 99.9), range(min = 50.0, max = 99.999))]
    confidence: Option<f64>,
    /// It also has to fail so many times as often as stable surely does. Default: stable is not looked at.
    #[schemars(range(min = 1.0, max = 100.0))]
    worse_than_stable: Option<f64>,
    /// How long the version stays out; then a tenth of its slots comes back for one window, then the rest. `never`: until its
    /// cluster or the release changes. Default: `never`.
    #[schemars(extend("default" = "never"))]
    r#for: Option<OutFor>,
    /// Whether visitors carry it to other proxies. Default: `none`.
    #[schemars(extend("default" = "none"))]
    share: Option<Share>,
}

/// What a failure is: any of these.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Failures {
    /// Statuses; one that gRPC sends in its headers counts as the HTTP status of the same meaning. Default: `[5xx]`.
    #[schemars(extend("maxItems" = 32, "default" = ["5xx"]))]
    status: Option<Vec<Status>>,
    /// A response whose headers come later than this, or not at all. Default: time does not count.
    slower_than: Option<Slow>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Share {
    /// Each proxy finds out by itself.
    None,
    /// Whoever would have had the version carries it in the rollout's cookie that it is out, and other proxies heed that. Needs
    /// cookies.
    Cookie,
}
