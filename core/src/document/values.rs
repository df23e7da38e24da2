//! The small formats inside a document: names, hosts, paths, clusters, durations.

use std::net::IpAddr;

use crate::condition::{HostPattern, Network, PathPattern};
use crate::time::SECONDS_A_DAY;

pub(super) const ROLLOUT_NAME: &str = "a name of 1 to 63 characters out of a-z, 0-9 and -";
pub(super) const VERSION_NAME: &str = "a name of 1 to 63 characters out of A-Z, a-z, 0-9, _ and -";
pub(super) const HOST: &str =
    "a host such as \"shop.example.com\" or \"*.example.com\", without a port, of at most 253 characters";
pub(super) const PATH: &str = "a path of at most 1024 characters that begins with / and has no //, ?, # or space";
pub(super) const QUERY_NAME: &str = "the name of a query parameter: 1 to 63 of A-Z, a-z, 0-9, -, ., _ and ~";
pub(super) const COOKIE_NAME: &str = "the name of a cookie: a token of at most 128 characters";
pub(super) const METHOD: &str = "a method in upper case such as GET, of at most 32 characters";
pub(super) const NETWORK: &str = "an address or network such as 192.0.2.7, 10.0.0.0/8 or fd00::/8";
pub(super) const HEADER_VALUE: &str = "text of at most 1024 printable characters without spaces at its ends";
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
        return rest.strip_prefix('.').is_some_and(is_host).then(|| HostPattern::Suffix(rest.into()));
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
    // A search for text would be a kilobyte and a half of the module.
    let is_doubled = text.as_bytes().windows(2).any(|pair| pair == b"//");
    text.starts_with('/') && text.len() <= 1024 && !is_doubled && text.bytes().all(plain)
}

/// A method as RFC 9110 §9.1 has them: case counts, and all that are registered are in upper case.
pub(super) fn method(text: &str) -> Option<String> {
    let rest = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let sound =
        text.len() <= 32 && text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(rest);
    sound.then(|| text.to_owned())
}

/// A network, and whether it was written with its first address. A single address is a network of its own.
pub(super) fn network(text: &str) -> Option<(Network, bool)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let decimal = |bits: &str| {
        (matches!(bits.len(), 1..=3) && bits.bytes().all(|byte| byte.is_ascii_digit())).then(|| bits.parse().ok())?
    };
    let bits = bits.map_or(Some(most), decimal).filter(|bits| *bits <= most)?;
    Some(Network::around(address, bits))
}

/// Printable ASCII without spaces, so that it can stand in a header.
pub(super) fn cluster(text: &str) -> Option<String> {
    (matches!(text.len(), 1..=255) && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
}

/// A header's value that every proxy passes on as it is: printable ASCII (RFC 9110 §5.5).
pub(super) fn header_value(text: &str) -> Option<String> {
    let sound =
        text.len() <= 1024 && text.trim_matches(' ') == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    sound.then(|| text.to_owned())
}

/// A query parameter's name: what stands unescaped in a URL.
pub(super) fn query_name(text: &str) -> Option<String> {
    name(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A cookie's name: a token of RFC 9110 §5.6.2.
pub(super) fn cookie_name(text: &str) -> Option<String> {
    (matches!(text.len(), 1..=128) && text.bytes().all(crate::header::is_token_byte)).then(|| text.to_owned())
}

/// A duration of whole seconds, from so many up to 400 days.
pub(crate) fn whole_seconds(text: &str, least: u32) -> Option<u32> {
    let milliseconds = duration(text)?;
    let seconds = u32::try_from(milliseconds / 1_000).ok()?;
    (milliseconds.is_multiple_of(1_000) && (least..=400 * SECONDS_A_DAY).contains(&seconds)).then_some(seconds)
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
