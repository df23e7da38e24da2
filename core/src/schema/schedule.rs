//! `schedule`: a weight that follows the clock.

use schemars::JsonSchema;

use super::text::{Moment, Seconds, VersionName};

/// The weight of one version over time. Every proxy works it out from its clock. A weight of 0 or `off` on the version wins.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Schedule {
    /// The version whose weight it is; not stable.
    #[schemars(extend("examples" = ["v2"]))]
    version: VersionName,
    /// When the first step begins. Until then the version has its own weight, or none.
    start: Moment,
    /// The steps, one after the other. The last one's weight stays.
    #[schemars(extend(
        "examples" = [[{ "weight": 5, "for": "1h" }, { "weight": 50 }]],
        "minItems" = 1,
        "maxItems" = 100
    ))]
    steps: Vec<Step>,
    /// Times in which the clock of the schedule stands still; one without `to` lasts until the document says otherwise.
    #[schemars(extend("examples" = [[{ "from": "2026-11-21T18:00:00Z", "to": "2026-11-22T08:00:00Z" }]], "maxItems" = 100))]
    pauses: Option<Vec<Pause>>,
}

/// A weight for some time, or a straight ramp from `weight` to `to`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("dependencies" = { "to": ["for"] }))]
struct Step {
    /// The weight, or that at the beginning of a ramp; at most `total`.
    #[schemars(extend("examples" = [5]), range(max = 1_000_000))]
    weight: u32,
    /// The weight at the end of a ramp; needs `for`. Default: no ramp.
    #[schemars(extend("examples" = [50]), range(max = 1_000_000))]
    to: Option<u32>,
    /// How long. Default: until the document changes.
    r#for: Option<Seconds>,
}

/// A time in which the clock of the schedule stands still.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Pause {
    /// Its beginning.
    from: Moment,
    /// Its end. Default: paused until the document changes.
    to: Option<Moment>,
}
