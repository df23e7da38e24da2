//! `cookie`: how cookies are named, aged and written.

use schemars::JsonSchema;

use super::text::{CookieName, WholeDays};

#[derive(JsonSchema)]
#[schemars(inline, untagged)]
pub(super) enum CookieOrOff {
    Off(#[schemars(extend("enum" = [false]))] bool),
    Cookie(Cookie),
}

/// The visitor cookie. A rollout's own cookie, where there is one, has this name, `-` and the rollout's name, and the same
/// attributes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Cookie {
    /// Its name. Names with `__Host-`, `__Secure-` or `__Http-` need what browsers demand of them. Default: `canary`.
    #[schemars(extend("default" = "canary"))]
    name: Option<CookieName>,
    /// How long a visitor is known after the last time it was written; whole days, `1d` to `400d`. Default: `30d`.
    #[schemars(extend("default" = "30d"))]
    max_age: Option<WholeDays>,
    /// The `Path` attribute. Default: `/`.
    #[schemars(extend("default" = "/", "pattern" = "^/[ -:<-~]{0,1023}$"))]
    path: Option<String>,
    /// The `Domain` attribute; `""` for the host that set it. Default: `""`.
    #[schemars(extend(
        "default" = "",
        "pattern" = r"^(\.?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*)?$",
        "maxLength" = 254,
    ))]
    domain: Option<String>,
    /// The `SameSite` attribute. Default: `lax`.
    #[schemars(extend("default" = "lax"))]
    same_site: Option<SameSite>,
    /// The `Secure` attribute: `auto` sets it on https alone. Default: `auto`.
    #[schemars(extend("default" = "auto"))]
    secure: Option<Secure>,
    /// The `HttpOnly` attribute: scripts of the page cannot read the cookie. Default: true.
    #[schemars(extend("default" = true))]
    http_only: Option<bool>,
    /// The `Partitioned` attribute: inside a page of another site the cookie belongs to that site. Default: false.
    #[schemars(extend("default" = false))]
    partitioned: Option<bool>,
}

/// The `SameSite` attribute.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum SameSite {
    /// Sent only with requests from the same site.
    Strict,
    /// Also sent when a link leads here from another site.
    Lax,
    /// Always sent; needs a secure cookie.
    None,
}

#[derive(JsonSchema)]
#[schemars(inline, extend("enum" = ["auto", true, false]))]
struct Secure(serde_json::Value);
