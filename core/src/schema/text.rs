//! The small formats inside a document: names, hosts, paths, networks, durations.

use schemars::JsonSchema;

/// A name of 1 to 63 characters out of a-z, 0-9 and `-`.
#[derive(JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[schemars(inline, extend("pattern" = "^[a-z0-9-]{1,63}$"))]
pub(super) struct RolloutName(String);

/// A name of 1 to 63 characters out of A-Z, a-z, 0-9, `_` and `-`.
#[derive(JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[schemars(inline, extend("pattern" = "^[A-Za-z0-9_-]{1,63}$"))]
pub(super) struct VersionName(String);

/// Another name for a version: 1 to 63 characters out of A-Z, a-z, 0-9, `_` and `-`; not `auto`.
#[derive(JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[schemars(inline, extend("pattern" = "^[A-Za-z0-9_-]{1,63}$", "not" = { "const": "auto" }))]
pub(super) struct Alias(String);

/// A host such as `shop.example.com`, or `*.example.com` for one or more labels in front; without a port.
#[derive(JsonSchema)]
#[schemars(inline, extend(
    "pattern" = r"^((\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*\])$",
    "maxLength" = 255,
))]
pub(super) struct Host(String);

/// A path that begins with `/` and has no `//`, `?`, `#` or space; at most 1,024 characters.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r#"^/([!"$-.0->@-~]+/)*[!"$-.0->@-~]*$"#, "maxLength" = 1024))]
pub(super) struct PathText(String);

/// A regular expression that the whole value has to match; 1 to 512 characters and at most 4 capturing groups. No
/// look-around, no back-references, no Unicode classes.
#[derive(JsonSchema)]
#[schemars(inline, extend("minLength" = 1, "maxLength" = 512))]
pub(super) struct Pattern(String);

/// What a value is compared with: at most 1,024 characters, no control characters.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r"^[^\x00-\x1f\x7f]*$", "maxLength" = 1024))]
pub(super) struct Matched(String);

/// A method in upper case, such as `GET`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^[A-Z][A-Z0-9_-]{0,31}$", "examples" = ["GET", "POST"]))]
pub(super) struct Method(String);

/// The name of a header, in any case: a token of at most 256 characters, not one of the output headers.
#[derive(JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[schemars(inline, extend("pattern" = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$"))]
pub(super) struct HeaderName(String);

/// The name of a header that HTTP does not reserve, or `""` for none.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{0,256}$"))]
pub(super) struct OutputName(String);

/// What a header is set to: at most 1,024 printable ASCII characters without spaces at the ends.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^([!-~]([ -~]{0,1022}[!-~])?)?$"))]
pub(super) struct HeaderValue(String);

/// The name of a cookie: a token of at most 128 characters. Its case counts.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"))]
pub(super) struct CookieName(String);

/// The name of a query parameter, as it stands in the URL: 1 to 63 characters out of A-Z, a-z, 0-9, `-`, `.`, `_` and `~`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^[A-Za-z0-9._~-]{1,63}$"))]
pub(super) struct QueryName(String);

/// The name of an Envoy cluster: 1 to 255 printable ASCII characters without spaces.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^[!-~]{1,255}$"))]
pub(super) struct Cluster(String);

/// A network or a single address: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = network(), "examples" = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]))]
pub(super) struct Network(String);

/// Leading zeros are none of an IPv4 address, but may stand in the number of bits.
fn network() -> String {
    const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    const V4_BITS: &str = "(0{0,2}[0-9]|0?[12][0-9]|0?3[0-2])";
    const V6_BITS: &str = "(0{0,2}[0-9]|0?[1-9][0-9]|1[01][0-9]|12[0-8])";
    const GROUP: &str = "[0-9A-Fa-f]{0,4}";
    let v4 = format!(r"{OCTET}(\.{OCTET}){{3}}");
    let v6 = format!("({GROUP}(:{GROUP}){{2,8}}|({GROUP}:){{2,7}}{v4})");
    format!("^({v4}(/{V4_BITS})?|{v6}(/{V6_BITS})?)$")
}

/// Whole days from `1d` to `400d`; also in `h`, `m`, `s` or `ms`, where they come to that.
#[derive(JsonSchema)]
#[schemars(inline, extend(
    "pattern" = "^0*(([1-9][0-9]?|[1-3][0-9]{2}|400)d|[1-9][0-9]{0,2}[02468]h|[1-9][0-9]{2,4}0m|[1-9][0-9]{2,5}00(000m)?s)$",
    "examples" = ["1d", "30d", "400d"],
))]
pub(super) struct WholeDays(String);

/// Whole seconds from `1m` to `400d`: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(JsonSchema)]
#[schemars(inline, extend(
    "pattern" = "^0*(([1-9][0-9]?|[1-3][0-9]{2}|400)d|[1-9][0-9]{0,3}h|[1-9][0-9]{0,5}m|([6-9][0-9]|[1-9][0-9]{2,7})(000m)?s)$",
    "examples" = ["30m", "8h"],
))]
pub(super) struct WholeSeconds(String);

/// The name of an environment variable of Envoy's process that is handed to the filter.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]{0,127}$", "examples" = ["SERIN_KEY_1"]))]
pub(super) struct Variable(String);

/// The secret itself: 16 to 256 characters. Better kept in the environment.
#[derive(JsonSchema)]
#[schemars(inline, extend("minLength" = 16, "maxLength" = 256))]
pub(super) struct Secret(String);

/// A moment as RFC 3339 has them, with `Z` or an offset: `2026-11-21T09:00:00Z`, `2026-11-21T10:00:00+01:00`.
#[derive(JsonSchema)]
#[schemars(inline, extend(
    "pattern" = concat!(
        r"^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
        r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    ),
    "examples" = ["2026-11-21T09:00:00Z", "2026-11-21T10:00:00+01:00"],
))]
pub(super) struct Moment(String);

/// Whole seconds from `1s` to `400d`: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = format!("^{SECONDS}$"), "examples" = ["30s", "10m", "1h"]))]
pub(super) struct Seconds(String);

/// `never`, or whole seconds from `1s` to `400d`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = format!("^(never|{SECONDS})$"), "examples" = ["never", "10m"]))]
pub(super) struct OutFor(String);

const SECONDS: &str = "0*(([1-9][0-9]?|[1-3][0-9]{2}|400)d|[1-9][0-9]{0,3}h|[1-9][0-9]{0,5}m|[1-9][0-9]{0,7}(000m)?s)";

/// Whole seconds from `10s` to `1h`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^0*([1-9][0-9]{1,3}(000m)?s|([1-9]|[1-5][0-9]|60)m|1h)$", "examples" = ["60s", "5m"]))]
pub(super) struct Window(String);

/// From `1ms` to `1h`.
#[derive(JsonSchema)]
#[schemars(inline, extend(
    "pattern" = "^0*([1-9][0-9]{0,6}ms|[1-9][0-9]{0,3}s|([1-9]|[1-5][0-9]|60)m|1h)$",
    "examples" = ["800ms", "2s"],
))]
pub(super) struct Slow(String);

/// A class such as `5xx`, a status such as 503, or a range such as `500-504`.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
pub(super) enum Status {
    One(#[schemars(range(min = 100, max = 599))] u16),
    Many(
        #[schemars(extend("pattern" = "^([1-5]xx|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$", "examples" = ["5xx", "500-504"]))]
        String,
    ),
}
