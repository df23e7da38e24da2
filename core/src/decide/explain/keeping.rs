//! The held layer in words: what the rollout's own cookie keeps, and whether it counts.

use super::super::Request;
use super::super::unit::Unit;
use super::{Said, why_barred};
use crate::cookie::{CookieSettings, Kept, Mark, values};
use crate::facts::Source;
use crate::keys::Purpose;
use crate::rules::{Hold, Shares, VersionId};
use crate::slot::Slot;

impl<S: Source> Request<'_, '_, S> {
    pub(super) fn explain_held(&self, shares: &Shares, kept: Option<&Kept>) -> Said {
        let passed = |text: &str| (false, vec![text.to_owned()]);
        match self.shared.sticky.hold {
            Hold::Slot => return passed("hold: slot keeps no version"),
            Hold::None => return passed("hold: none keeps nothing"),
            Hold::Version | Hold::Page => {}
        }
        let Some(cookie) = &self.rules.cookie else { return passed("there is no cookie") };
        let name = format!("{}-{}", cookie.name, self.rollout.name);
        let Some((mark, version)) = kept.and_then(|kept| kept.held) else {
            return (false, vec![format!("cookie {name} {}", self.why_nothing_held(cookie, &name))]);
        };
        let told = format!("cookie {name} holds {}", self.shared.name_of(version));
        match self.why_not_held(mark, version, shares, kept) {
            Some(why) => (false, vec![format!("{told}, {why}")]),
            None => {
                let slot = self.unit().map(|unit| Slot::from_bits(self.shared.key.hash(unit.as_bytes())));
                let barred = self.barred(version, kept, slot);
                let instead = barred.map_or_else(String::new, |reason| {
                    format!(", which {}: stable serves in its place", why_barred(reason))
                });
                (true, vec![format!("{told} for this unit{instead}")])
            }
        }
    }

    /// Why a version that the cookie holds does not count.
    fn why_not_held(&self, mark: Mark, version: VersionId, shares: &Shares, kept: Option<&Kept>) -> Option<String> {
        let unit = self.unit();
        let mine = unit.as_ref().map(|unit| Mark::from_hash(self.shared.key.hash(unit.as_bytes())));
        if mine != Some(mark) {
            return Some("for another unit".to_owned());
        }
        if !self.is_open(version) {
            return Some("which is off".to_owned());
        }
        if !self.keeps_its_units(version, shares) {
            return Some("whose weight is 0, and at_zero: evict takes its units out".to_owned());
        }
        let decides_anew = self.shared.sticky.hold == Hold::Page && self.is_navigation();
        (decides_anew && kept.is_some()).then(|| "and a page is decided anew".to_owned())
    }

    /// Why a cookie keeps no version, as the end of a sentence.
    fn why_nothing_held(&self, cookie: &CookieSettings, name: &str) -> &'static str {
        let found = self.facts.in_cookies(|line| values(line, name).next(), |name| self.is_ours(name));
        let Some(value) = found else { return "is absent" };
        let purpose = Purpose::RolloutCookie(&cookie.name, &self.rollout.name);
        let verified = match &cookie.keys {
            None => Some(value),
            Some(keys) => keys.verified(purpose, value),
        };
        let Some(value) = verified else { return "does not count: it is not signed by one of the keys" };
        let Some(kept) = Kept::from_value(value, self.rollout) else { return "does not count: it is not in its form" };
        if cookie.is_past(kept.issued, self.now.day()) {
            return "does not count: it is past its max_age";
        }
        let has = |letter| value.split(|byte| *byte == b'.').any(|field| field.first() == Some(&letter));
        match (has(b'v'), kept.held) {
            (true, None) => "holds what does not count: a version of another release, or one that is not listed",
            _ => "holds no version",
        }
    }
}

impl Unit<'_> {
    /// The unit in words.
    pub(super) fn in_words(&self) -> String {
        use crate::tools::shown;
        match self {
            Self::Visitor(visitor) => format!("visitor {}", visitor.number.as_str()),
            Self::Id(id) => format!("id {}", shown(id)),
            Self::V4(octets) => format!("address {}", std::net::Ipv4Addr::from(*octets)),
            Self::V6(octets) => format!("address {}", std::net::Ipv6Addr::from(*octets)),
        }
    }
}
