//! Cookies that browsers refuse, or do not send where they are asked for.

use super::Found;
use crate::condition::{HostPattern, MatchEntry, PathPattern};
use crate::cookie::CookieSettings;
use crate::rules::{Hold, Rollout, Rules, Shared};

pub(super) fn review(rules: &Rules, found: &mut Found) {
    let Some(cookie) = &rules.cookie else { return };
    let writers = || rules.rollouts().filter(|rollout| needs_cookie(rollout));
    if let Some(text) = why_refused(cookie, writers()) {
        found.warn_at("cookie-refused", "cookie.domain", text);
    }
    if let Some(rollout) = writers().find(|rollout| never_sent(cookie, rollout)) {
        let text = format!(
            "browsers send the cookie to paths below {} alone, and rollouts.{} covers none of them, so that every visitor is a \
             new one there; expected a path that covers it, such as /",
            cookie.path,
            rollout.name()
        );
        found.warn_at("cookie-unsent", "cookie.path", text);
    }
}

/// Whether a rollout does what it says by cookies alone. Where there are ids only the application knows who has none.
fn needs_cookie(rollout: &Rollout) -> bool {
    let by_visitor = |shared: &Shared| shared.sticky.hold != Hold::None && shared.sticky.units.is_empty();
    rollout.shared().is_some_and(|shared| !shared.ways.dry_run && (shared.keeps_cookie() || by_visitor(shared)))
}

/// Why browsers refuse the cookie for its domain (RFC 6265bis §5.7).
fn why_refused<'r>(cookie: &CookieSettings, writers: impl Iterator<Item = &'r Rollout>) -> Option<String> {
    let domain = cookie.domain.as_deref()?;
    // One that is the host itself is a cookie for that host alone.
    let is_host = |host: &HostPattern| matches!(host, HostPattern::Exact(name) if name == domain);
    let is_of_host = |entry: &MatchEntry| !entry.hosts.is_empty() && entry.hosts.iter().all(is_host);
    let mut writers = writers.filter(|rollout| !rollout.matches.iter().all(is_of_host)).peekable();
    writers.peek()?;
    if domain.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(format!("browsers know no sites below an address such as {domain}; expected no domain"));
    }
    if psl::domain_str(domain).is_none() {
        return Some(format!(
            "{domain} is a public suffix, below which anybody may have a site, so that browsers refuse the cookie; expected your \
             own domain, or none for the host alone"
        ));
    }
    let rollout = writers.find(|rollout| rollout.matches.iter().all(|entry| is_elsewhere(entry, domain)))?;
    let name = rollout.name();
    Some(format!(
        "browsers refuse a cookie for {domain} from the hosts of rollouts.{name}, which are not below it; expected a domain of \
         theirs, or none"
    ))
}

/// Whether no host of an entry belongs to a domain.
fn is_elsewhere(entry: &MatchEntry, domain: &str) -> bool {
    let belongs = |host: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_elsewhere = |host: &HostPattern| match host {
        HostPattern::Exact(name) => !belongs(name),
        // Some host below it may belong to the domain if the domain lies below.
        HostPattern::Suffix(rest) => !belongs(rest) && !domain.ends_with(rest.as_str()),
    };
    !entry.hosts.is_empty() && entry.hosts.iter().all(is_elsewhere)
}

/// Whether a cookie of this path is not sent with any request that the rollout covers.
fn never_sent(cookie: &CookieSettings, rollout: &Rollout) -> bool {
    let path = cookie.path.strip_suffix('/').unwrap_or(&cookie.path).as_bytes();
    let of_cookie = PathPattern::Prefix(path.into());
    !path.is_empty() && rollout.matches.iter().all(|entry| entry.path.excludes(&of_cookie))
}
