//! The small formats inside a document: names, hosts, paths, clusters, durations.

use crate::rules::{HostPattern, PathPattern};

pub(super) const ROLLOUT_NAME: &str = "a name of 1 to 63 characters out of a-z, 0-9 and -";
pub(super) const VERSION_NAME: &str = "a name of 1 to 63 characters out of A-Z, a-z, 0-9, _ and -";
pub(super) const HOST: &str =
    "a host such as \"shop.example.com\" or \"*.example.com\", without a port, of at most 253 characters";
pub(super) const PATH: &str = "a path of at most 1024 characters that begins with / and has no //, ?, # or space";
pub(super) const QUERY_NAME: &str = "the name of a query parameter: 1 to 63 of A-Z, a-z, 0-9, -, ., _ and ~";
pub(super) const COOKIE_NAME: &str = "the name of a cookie: a token of at most 128 characters";
pub(super) const CLUSTER: &str = "the name of an Envoy cluster: 1 to 255 printable characters without spaces";

pub(super) fn rollout_name(text: &str) -> Option<String> {
    name(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

pub(super) fn version_name(text: &str) -> Option<String> {
    name(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn name(text: &str, allowed: impl Fn(u8) -> bool) -> Option<String> {
    (matches!(text.len(), 1..=63) && text.bytes().all(allowed)).then(|| text.to_owned())
}

/// A host, or `*.` and the rest of one. In lower case; labels hold letters, digits, `-` and `_`, or an IPv6 address
/// stands in brackets.
pub(super) fn host(text: &str) -> Option<HostPattern> {
    let lower = text.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix('*') {
        return (rest.len() > 1 && rest.starts_with('.') && is_host(&rest[1..]))
            .then(|| HostPattern::Suffix(rest.into()));
    }
    let address = lower.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let sound = address.map_or_else(|| is_host(&lower), is_ipv6);
    sound.then_some(HostPattern::Exact(lower))
}

/// What an IPv6 address is made of; one that is none simply never comes in.
fn is_ipv6(text: &str) -> bool {
    text.contains(':')
        && text.len() <= 45
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63)
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

pub(super) fn exact_path(text: &str) -> Option<PathPattern> {
    is_path(text).then(|| PathPattern::Exact(text.as_bytes().into()))
}

/// A prefix by whole segments: `/reviews/` means the same as `/reviews`, and `/` is every path.
pub(super) fn prefix_path(text: &str) -> Option<PathPattern> {
    let prefix = is_path(text).then(|| text.strip_suffix('/').unwrap_or(text))?;
    Some(if prefix.is_empty() { PathPattern::Any } else { PathPattern::Prefix(prefix.as_bytes().into()) })
}

fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
    text.starts_with('/') && text.len() <= 1024 && !text.contains("//") && text.bytes().all(plain)
}

/// Printable ASCII without spaces, so that it can stand in a header.
pub(super) fn cluster(text: &str) -> Option<String> {
    (matches!(text.len(), 1..=255) && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
}

/// A query parameter's name: what stands unescaped in a URL.
pub(super) fn query_name(text: &str) -> Option<String> {
    name(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A cookie's name: a token of RFC 9110 §5.6.2.
pub(super) fn cookie_name(text: &str) -> Option<String> {
    (matches!(text.len(), 1..=128) && text.bytes().all(crate::header::is_token_byte)).then(|| text.to_owned())
}

/// A duration in milliseconds.
pub(super) fn duration(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}
