//! How our cookies are named, aged, signed and written.

use std::sync::Arc;

use super::kept::{Kept, Out};
use super::visitor::Visitor;
use super::{values, values_behind};
use crate::keys::{Keys, Purpose};
use crate::rules::Rollout;
use crate::time::{Day, SECONDS_A_DAY, Time};

/// So many cookies or query parameters of one name are looked at: each may cost a signature's check, and a client may send
/// hundreds.
pub(crate) const MOST_OF_ONE_NAME: usize = 8;

/// How our cookies are named, aged, signed and written. The document's reader has checked every part.
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// The visitor cookie's name. That of a rollout's own cookie is this, `-` and the rollout's name.
    pub(crate) name: String,
    /// Seconds; whole days at least.
    pub(crate) max_age: u32,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) same_site: SameSite,
    pub(crate) secure: Secure,
    pub(crate) http_only: bool,
    pub(crate) partitioned: bool,
    /// All attributes but `Max-Age` and `Secure`, as they stand in the header.
    pub(crate) attributes: String,
    /// The same with `Max-Age`, for the visitor cookie.
    pub(crate) visitor_attributes: String,
    /// With keys, what is not signed counts as absent.
    pub(crate) keys: Option<Arc<Keys>>,
}

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Strict,
    Lax,
    None,
}

/// Whether the cookie gets the `Secure` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secure {
    /// As the request's scheme is https.
    Auto,
    Always,
    Never,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            name: "canary".into(),
            max_age: 30 * SECONDS_A_DAY,
            path: "/".into(),
            domain: None,
            same_site: SameSite::Lax,
            secure: Secure::Auto,
            http_only: true,
            partitioned: false,
            attributes: String::new(),
            visitor_attributes: String::new(),
            keys: None,
        }
        .spelled_out()
    }
}

impl CookieSettings {
    /// The first valid visitor cookie of a `Cookie` header that is not past its age.
    #[inline]
    pub fn read(&self, line: &[u8], today: Day) -> Option<Visitor> {
        let candidates = values(line, &self.name);
        let fresh = |visitor: &Visitor| !self.is_past(visitor.issued, today);
        match &self.keys {
            None => candidates.filter_map(Visitor::from_value).find(fresh),
            Some(keys) => {
                let signed = candidates.take(MOST_OF_ONE_NAME);
                let verified = signed.filter_map(|value| keys.verified(Purpose::Cookie(&self.name), value));
                verified.filter_map(Visitor::from_value).find(fresh)
            }
        }
    }

    /// The first of a rollout's own cookies in a `Cookie` header that keeps something which counts; else the first valid one.
    pub(crate) fn read_kept(&self, line: &[u8], rollout: &Rollout) -> Option<Kept> {
        let name = &rollout.name;
        let candidates = values_behind(line, |pair| self.behind_kept_name(pair, name)).take(MOST_OF_ONE_NAME);
        let mut first = None;
        for value in candidates {
            let verified = match &self.keys {
                None => Some(value),
                Some(keys) => keys.verified(Purpose::RolloutCookie(&self.name, name), value),
            };
            match verified.and_then(|value| Kept::from_value(value, rollout)) {
                Some(kept) if !kept.is_empty() => return Some(kept),
                found => first = first.or(found),
            }
        }
        first
    }

    /// What stands behind the name of a rollout's own cookie.
    fn behind_kept_name<'a>(&self, pair: &'a [u8], rollout: &str) -> Option<&'a [u8]> {
        pair.strip_prefix(self.name.as_bytes())?.strip_prefix(b"-")?.strip_prefix(rollout.as_bytes())
    }

    /// Whether a cookie of this day has to be written again: past a quarter of its age, or dated after tomorrow, so that
    /// a proxy whose clock runs ahead cannot make a cookie last for ever.
    #[inline]
    pub fn is_due(&self, issued: Day, today: Day) -> bool {
        let days = today.days_since(issued);
        let ahead = issued.days_since(today) > 1;
        ahead || u64::from(days) * u64::from(SECONDS_A_DAY) >= u64::from(self.max_age / 4)
    }

    /// Days are whole, so a cookie counts as past its age only once that is certain.
    #[inline]
    pub(crate) fn is_past(&self, issued: Day, today: Day) -> bool {
        let surely = today.days_since(issued).saturating_sub(1);
        u64::from(surely) * u64::from(SECONDS_A_DAY) >= u64::from(self.max_age)
    }

    /// The value of a `Set-Cookie` header (RFC 6265bis §4.1) with the visitor cookie. `https` is the scheme of the
    /// request.
    #[inline]
    pub fn write(&self, visitor: Visitor, https: bool) -> String {
        const ROOM: usize = "=n0123456789.d1234567.k0123456789abcdef.t0123456789012345678901; Secure".len();
        let mut text = String::with_capacity(self.name.len() + self.visitor_attributes.len() + ROOM);
        text.push_str(&self.name);
        text.push('=');
        let start = text.len();
        visitor.write(&mut text);
        if let Some(keys) = &self.keys {
            keys.sign(Purpose::Cookie(&self.name), &mut text, start);
        }
        text.push_str(&self.visitor_attributes);
        self.secured(text, https)
    }

    /// The value of a `Set-Cookie` header with a rollout's own cookie; one that keeps nothing is taken from the browser.
    pub(crate) fn write_kept(&self, rollout: &Rollout, kept: &Kept, now: Time, https: bool) -> String {
        let name = &rollout.name;
        let mut text = format!("{}-{name}=", self.name);
        let start = text.len();
        if !kept.is_empty() {
            kept.write(&mut text, rollout);
            if let Some(keys) = &self.keys {
                keys.sign(Purpose::RolloutCookie(&self.name, name), &mut text, start);
            }
        }
        let of_version = kept.held.map_or(0, |_| self.max_age.into());
        let of_override = kept.remembered.map_or(0, |(_, expiry)| expiry.seconds_since(now));
        let until = |out: Out| out.until.map_or(self.max_age.into(), |until| until.seconds_since(now));
        let of_guard = kept.out.map_or(0, until);
        text.push_str("; Max-Age=");
        text.push_str(&of_version.max(of_override).max(of_guard).to_string());
        text.push_str(&self.attributes);
        self.secured(text, https)
    }

    #[inline]
    fn secured(&self, mut text: String, https: bool) -> String {
        if self.secure == Secure::Always || (self.secure == Secure::Auto && https) {
            text.push_str("; Secure");
        }
        text
    }

    /// The same settings with their attributes spelled out, once and not for every visitor.
    #[must_use]
    pub(crate) fn spelled_out(mut self) -> Self {
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let http_only = if self.http_only { "; HttpOnly" } else { "" };
        let partitioned = if self.partitioned { "; Partitioned" } else { "" };
        let path = &self.path;
        self.attributes = format!("; Path={path}{domain}{http_only}; SameSite={same_site}{partitioned}");
        self.visitor_attributes = format!("; Max-Age={}{}", self.max_age, self.attributes);
        self
    }

    /// Whether writing depends on the request's scheme.
    pub(crate) fn needs_scheme(&self) -> bool {
        self.secure == Secure::Auto
    }
}
