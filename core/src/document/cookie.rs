//! `cookie`: how our cookies are named, aged and written.

use std::sync::Arc;

use super::reader::{Object, Report, text};
use super::values;
use crate::cookie::{CookieSettings, SameSite, Secure};
use crate::keys::Keys;
use crate::node::Node;

const MAX_AGE: &str = "a duration of whole days from 1d to 400d";
const COOKIE_PATH: &str = "a path of at most 1024 characters that begins with / and has no ; or control character";
const DOMAIN: &str = "a domain such as example.com";
const EXPECTED: &str = "false or an object";

/// The settings of our cookies; `None` for `cookie: false`.
pub(super) fn read(document: &Object<'_>, keys: Option<&Arc<Keys>>, report: &mut Report<'_>) -> Option<CookieSettings> {
    let default = CookieSettings { keys: keys.cloned(), ..CookieSettings::default() };
    let Some(node) = document.get("cookie") else { return Some(default) };
    let path = document.field("cookie");
    match node {
        Node::Bool(false) => return None,
        Node::Map(_) => {}
        _ => {
            report.wrong(&path, node, EXPECTED);
            return None;
        }
    }
    let known = ["name", "max_age", "path", "domain", "same_site", "secure", "http_only", "partitioned"];
    let object = Object::read(node, path, &known, report)?;
    let same_site = [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
    let cookie = CookieSettings {
        name: object.text("name", values::COOKIE_NAME, values::cookie_name, report).unwrap_or(default.name),
        max_age: object.text("max_age", MAX_AGE, max_age, report).unwrap_or(default.max_age),
        path: object.text("path", COOKIE_PATH, cookie_path, report).unwrap_or(default.path),
        domain: object.text("domain", DOMAIN, domain, report).flatten(),
        same_site: object.choice("same_site", &same_site, report).unwrap_or(default.same_site),
        secure: read_secure(&object, report).unwrap_or(default.secure),
        http_only: object.bool("http_only", report).unwrap_or(default.http_only),
        partitioned: object.bool("partitioned", report).unwrap_or(default.partitioned),
        attributes: String::new(),
        visitor_attributes: String::new(),
        keys: default.keys,
    };
    check(&cookie, &object, report);
    Some(cookie.spelled_out())
}

/// What browsers refuse (RFC 6265bis §5.7): such a cookie would never come back, and nobody would stick.
fn check(cookie: &CookieSettings, object: &Object<'_>, report: &mut Report<'_>) {
    let never_secure = cookie.secure == Secure::Never;
    let lower = cookie.name.to_ascii_lowercase();
    if lower.starts_with("__secure-") && cookie.secure != Secure::Always {
        object.conflict(report, "secure", "a cookie named __Secure- needs secure: true");
    }
    if lower.starts_with("__host-")
        && (cookie.secure != Secure::Always || cookie.path != "/" || cookie.domain.is_some())
    {
        object.conflict(report, "name", "a cookie named __Host- needs secure: true, path: / and no domain");
    }
    if lower.starts_with("__http-") || lower.starts_with("__host-http-") {
        let sound = cookie.http_only && cookie.secure == Secure::Always;
        if !sound {
            object.conflict(
                report,
                "name",
                "a cookie named __Http- or __Host-Http- needs secure: true and http_only: true",
            );
        }
    }
    if cookie.same_site == SameSite::None && never_secure {
        object.conflict(report, "same_site", "same_site: none needs a secure cookie; expected secure: true or auto");
    }
    if cookie.partitioned && never_secure {
        object.conflict(
            report,
            "partitioned",
            "a partitioned cookie needs a secure one; expected secure: true or auto",
        );
    }
}

fn read_secure(object: &Object<'_>, report: &mut Report<'_>) -> Option<Secure> {
    object.with("secure", |node, path| match node {
        Node::Bool(true) => Some(Secure::Always),
        Node::Bool(false) => Some(Secure::Never),
        _ => text(node, path, "auto, true or false", |text| (text == "auto").then_some(Secure::Auto), report),
    })
}

fn max_age(text: &str) -> Option<u32> {
    const DAY: u64 = 86_400_000;
    let milliseconds = values::duration(text)?;
    let whole_days = milliseconds.is_multiple_of(DAY) && (DAY..=400 * DAY).contains(&milliseconds);
    whole_days.then(|| u32::try_from(milliseconds / 1000).ok())?
}

fn cookie_path(text: &str) -> Option<String> {
    let sound = text.starts_with('/')
        && text.len() <= 1024
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';');
    sound.then(|| text.to_owned())
}

/// `Some(None)` for `""`: the host that set it.
fn domain(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    match values::host(text.strip_prefix('.').unwrap_or(text))? {
        crate::condition::HostPattern::Exact(host) if !host.starts_with('[') => Some(Some(host)),
        _ => None,
    }
}
