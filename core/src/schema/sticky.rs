//! `sticky`: what keeps a unit on its version.

use schemars::JsonSchema;

use super::one_of;
use super::text::{CookieName, HeaderName, QueryName};

/// What keeps a visitor, or an id that the request carries, on its version.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Sticky {
    /// Ids that requests carry, such as a user id; the first that is there and not empty counts. Default: none, and the
    /// visitor cookie alone makes visitors stick.
    #[schemars(extend("examples" = [[{ "header": "x-user-id" }]], "minItems" = 1, "maxItems" = 16))]
    unit: Option<Vec<Unit>>,
    /// Which one wins where a request has both the visitor cookie and an id of `unit`. Default: `visitor`.
    #[schemars(extend("default" = "visitor"))]
    prefer: Option<Prefer>,
    /// What is kept. Default: `slot`.
    #[schemars(extend("default" = "slot"))]
    hold: Option<Hold>,
    /// What a weight of 0 does to those who hold the version. Default: `evict`.
    #[schemars(extend("default" = "evict"))]
    at_zero: Option<AtZero>,
    /// What somebody who carries nothing yet gets. Default: `draw`.
    #[schemars(extend("default" = "draw"))]
    first: Option<First>,
    /// Which responses get `cache-control: private`, so that no shared cache hands them to others. Default: `cookie`.
    #[schemars(extend("default" = "cookie"))]
    cache: Option<Cache>,
}

/// Where an id is found: exactly one of `header`, `cookie`, `query` and `source`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_of(&["header", "cookie", "query", "source"])))]
struct Unit {
    /// A request header.
    header: Option<HeaderName>,
    /// A cookie.
    cookie: Option<CookieName>,
    /// A query parameter.
    query: Option<QueryName>,
    /// The client's address, as Envoy determines it.
    source: Option<Source>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Source {
    /// The client's address; its port does not count.
    Address,
}

/// Which one wins where a request has both.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Prefer {
    /// The visitor cookie: logging in does not change the version.
    Visitor,
    /// The id: the same version on all devices of a user.
    Unit,
}

/// What is kept.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Hold {
    /// The slot: the version follows the weights exactly, and a ramp only moves visitors into the canary.
    Slot,
    /// The version, while it is listed and open; the share then trails the weight. Needs cookies.
    Version,
    /// The version until the next page: assets and calls of a page come from the page's version. Needs cookies.
    Page,
    /// Nothing: every request draws anew.
    None,
}

/// What a weight of 0 does to those who hold the version.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum AtZero {
    /// They leave it at once.
    Evict,
    /// They stay until their cookie ends; nobody new comes in. Needs `hold: version` or `page`.
    Drain,
}

/// What somebody who carries nothing yet gets.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum First {
    /// The version that the new visitor number falls to.
    Draw,
    /// Stable, with the cookie: bots and probes, which never bring it back, stay on stable.
    Stable,
}

/// Which responses get `cache-control: private`.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum Cache {
    /// Those that set one of our cookies.
    Cookie,
    /// Also every response of a version other than stable.
    All,
}
