//! Conditions: the entries of a rollout's `match` and of a rule's `when`.

use schemars::JsonSchema;

use super::one_of;
use super::text::{CookieName, HeaderName, Host, Matched, Method, Network, PathText, Pattern, QueryName};

/// Conditions that all have to hold. One that is left out always holds.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Entry {
    /// Hosts, one of which the request is for. The port and the case do not count. Default: every host.
    #[schemars(extend("minItems" = 1, "examples" = [["shop.example.com", "*.shop.example.com"]]))]
    hosts: Option<Vec<Host>>,
    /// The path, without its query string. Default: every path.
    #[schemars(extend("examples" = [{ "prefix": "/checkout" }, { "exact": "/" }]))]
    path: Option<Path>,
    /// Methods, one of which the request has. Default: every method.
    #[schemars(extend("examples" = [["GET", "HEAD"]], "minItems" = 1, "maxItems" = 64))]
    methods: Option<Vec<Method>>,
    /// Conditions on headers, all of which have to hold. Of a header that is there several times the first value counts.
    #[schemars(extend("examples" = [[{ "name": "x-team", "exact": "qa" }]], "minItems" = 1, "maxItems" = 16))]
    headers: Option<Vec<Condition<HeaderName>>>,
    /// Conditions on cookies, all of which have to hold.
    #[schemars(extend("examples" = [[{ "name": "beta", "present": true }]], "minItems" = 1, "maxItems" = 16))]
    cookies: Option<Vec<Condition<CookieName>>>,
    /// Conditions on query parameters, all of which have to hold. Values count as they stand in the URL, without
    /// percent-decoding.
    #[schemars(extend("examples" = [[{ "name": "preview", "exact": "1" }]], "minItems" = 1, "maxItems" = 16))]
    query: Option<Vec<Condition<QueryName>>>,
    /// Networks, one of which the client's address lies in, as Envoy determines that address. Default: every address.
    #[schemars(extend("examples" = [["10.0.0.0/8"]], "minItems" = 1, "maxItems" = 1000))]
    source: Option<Vec<Network>>,
}

/// A path: exactly one of `exact`, `prefix` and `regex`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_of(&["exact", "prefix", "regex"])))]
struct Path {
    /// This path alone.
    exact: Option<PathText>,
    /// This path and all below it, by whole segments: `/cart` covers `/cart/items`, not `/carts`. `/` covers every path.
    prefix: Option<PathText>,
    /// A regular expression that the whole path has to match.
    regex: Option<Pattern>,
}

/// The name of what is looked at, and what it has to be: exactly one of `exact`, `prefix`, `suffix`, `contains`, `regex`,
/// `present` and `in`.
#[derive(JsonSchema)]
#[schemars(
    rename = "ConditionOn{N}",
    deny_unknown_fields,
    extend("oneOf" = one_of(&["exact", "prefix", "suffix", "contains", "regex", "present", "in"]))
)]
struct Condition<N> {
    /// The name of what is looked at.
    name: N,
    /// The whole value.
    exact: Option<Matched>,
    /// How the value begins.
    #[schemars(extend("minLength" = 1))]
    prefix: Option<Matched>,
    /// How the value ends.
    #[schemars(extend("minLength" = 1))]
    suffix: Option<Matched>,
    /// What stands somewhere in the value.
    #[schemars(extend("minLength" = 1))]
    contains: Option<Matched>,
    /// A regular expression that the whole value has to match. A value of more than 2,048 bytes matches none.
    regex: Option<Pattern>,
    /// Whether it is there at all, whatever its value.
    present: Option<bool>,
    /// The whole value is one of these: up to 10,000.
    #[schemars(extend("examples" = [["qa", "dev"]], "minItems" = 1, "maxItems" = 10_000))]
    r#in: Option<Vec<Matched>>,
    /// Turns the condition round: what is not there then holds as well. Default: false.
    #[schemars(extend("default" = false))]
    invert: Option<bool>,
    /// The case of ASCII letters does not count. Not with `present`. Default: false.
    #[schemars(extend("default" = false))]
    ignore_case: Option<bool>,
}
