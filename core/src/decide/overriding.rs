//! The override layer: a request that names its version itself, and what is remembered of it.

use super::{Answer, Reason, Request};
use crate::cookie::{Kept, MOST_OF_ONE_NAME, Mark, Out, Visitor, trim};
use crate::facts::Source;
use crate::guard::Identity;
use crate::rules::{Hold, Trust, VersionId};
use crate::time::Time;
use crate::token::Token;

/// Clocks of workers and proxies differ by a second and more, since each looks at its own once a second.
const SLACK_SECONDS: u64 = 5;

/// What a request asks for.
#[derive(Clone, Copy)]
pub(super) enum Wish {
    /// This version.
    Version(VersionId),
    /// No override, nor one that was remembered.
    Auto,
}

impl<S: Source> Request<'_, '_, S> {
    /// Header, query, cookie: the first value that counts.
    #[inline]
    pub(super) fn wish(&self) -> Option<Wish> {
        let overrides = &self.shared.overrides;
        let judged = |value: &[u8]| {
            let wish = self.judged(value);
            self.ignored.set(self.ignored.get() || (wish.is_none() && !value.is_empty()));
            wish
        };
        let header = || judged(trim(self.facts.header(overrides.header.as_ref()?.as_str())?));
        let query = || self.facts.query(overrides.query.as_ref()?).take(MOST_OF_ONE_NAME).find_map(judged);
        // The visitor cookie may have the name of the override cookie.
        let override_cookie = |value: &[u8]| if Visitor::from_value(value).is_some() { None } else { judged(value) };
        header().or_else(query).or_else(|| self.cookie(overrides.cookie.as_ref()?, override_cookie))
    }

    /// What a value asks for, if it may.
    pub(super) fn judged(&self, value: &[u8]) -> Option<Wish> {
        if value == b"auto" {
            return Some(Wish::Auto);
        }
        let name = match &self.shared.overrides.trust {
            Trust::Open => value,
            Trust::Signed => Token::read(value, self.rules.keys.as_ref()?, &self.rollout.name, self.now)?.version,
            Trust::Secret(header, secret) => {
                let shown = self.facts.header(header.as_str())?;
                secret.as_ref()?.is(shown).then_some(value)?
            }
        };
        self.version_or_alias(name).map(Wish::Version)
    }

    /// The version that a value names, unless that version is off.
    fn version_or_alias(&self, value: &[u8]) -> Option<VersionId> {
        let aliases = &self.shared.overrides.aliases;
        let alias = aliases.binary_search_by(|(name, _)| name.as_bytes().cmp(value)).ok();
        let alias = alias.and_then(|at| aliases.get(at)).map(|(_, version)| *version);
        let version = alias.or_else(|| self.rollout.version_named(value))?;
        self.is_open(version).then_some(version)
    }

    /// What the rollout's own cookie keeps, but for what no longer counts.
    pub(super) fn kept(&self) -> Option<Box<Kept>> {
        let cookie = self.rules.cookie.as_ref()?;
        let find = |line| cookie.read_kept(line, self.rollout);
        let mut kept = self.facts.in_cookies(find, |name| self.is_ours(name))?;
        kept.remembered = kept.remembered.filter(|_| self.remembers());
        let holds = self.shared.sticky.hold.keeps_version() && !cookie.is_past(kept.issued, self.now.day());
        kept.held = kept.held.filter(|_| holds);
        let told = self.shared.tells_in_cookie() && !cookie.is_past(kept.issued, self.now.day());
        kept.out = kept.out.filter(|_| told);
        Some(Box::new(kept))
    }

    /// The version of an override that is remembered and still counts.
    pub(super) fn remembered(&self, kept: &Kept) -> Option<VersionId> {
        let (version, expiry) = kept.remembered?;
        (expiry > self.now && self.is_open(version)).then_some(version)
    }

    /// An override that not everybody may ask for is only remembered where nobody can forge the memory.
    fn remembers(&self) -> bool {
        let overrides = &self.shared.overrides;
        let safe = matches!(overrides.trust, Trust::Open) || self.rules.keys.is_some();
        overrides.remember.is_some() && safe
    }

    /// The rollout's cookie to write: if what it is to keep has changed, or it is due.
    pub(super) fn to_keep(&self, before: Option<&Kept>, wish: Option<Wish>, answer: &Answer) -> Option<Box<Kept>> {
        let cookie = self.rules.cookie.as_ref()?;
        let today = self.now.day();
        let (held, remembered, out) = before.map_or((None, None, None), |kept| (kept.held, kept.remembered, kept.out));
        let told = answer.instead_of.and_then(|version| self.to_tell(version));
        let after = Kept {
            held: answer.hold.or(held),
            remembered: match wish {
                Some(Wish::Version(version)) if self.remembers() => Some(self.remembered_from(version, remembered)),
                Some(Wish::Auto) => None,
                _ => remembered,
            },
            out: told.or(out),
            issued: today,
        };
        // A part of a page writes nothing that it only follows: the next page may have decided otherwise by then.
        let writes = answer.reason != Reason::Held || self.shared.sticky.hold == Hold::Version;
        let is_due = || before.is_some_and(|kept| cookie.is_due(kept.issued, today));
        let due = (answer.hold.is_some() || told.is_some()) && writes && is_due();
        let changed = (after.held, after.remembered, after.out) != (held, remembered, out);
        let remembered = after.remembered.filter(|(_, expiry)| *expiry > self.now);
        let out = after.out.filter(|out| out.lasts(self.now));
        (due || changed).then(|| Box::new(Kept { remembered, out, ..after }))
    }

    /// Whether another proxy's guard has written into the visitor's cookie that a version is out.
    pub(super) fn is_out_elsewhere(&self, version: VersionId, kept: &Kept) -> bool {
        let Some(out) = kept.out.filter(|out| out.lasts(self.now)) else { return false };
        self.mark_of(version) == Some(out.version)
    }

    /// That a version is out, as the visitor's cookie tells it to other proxies.
    fn to_tell(&self, version: VersionId) -> Option<Out> {
        let until = self.current?.out_until(version)?;
        Some(Out { version: self.mark_of(version)?, until })
    }

    /// What stands for a version in the cookie, where a guard tells other proxies.
    fn mark_of(&self, version: VersionId) -> Option<Mark> {
        let guard = self.shared.guard.as_ref().filter(|guard| guard.in_cookie)?;
        guard.identity(version).map(Identity::mark)
    }

    /// A version and until when it is remembered: as before while that is the same version with more than three quarters of
    /// the time left, and not more than all of it.
    fn remembered_from(&self, version: VersionId, before: Option<(VersionId, Time)>) -> (VersionId, Time) {
        let seconds = self.shared.overrides.remember.unwrap_or_default();
        let left = u64::from(seconds) * 3 / 4..=u64::from(seconds) + SLACK_SECONDS;
        let fresh =
            |(known, expiry): &(VersionId, Time)| *known == version && left.contains(&expiry.seconds_since(self.now));
        before.filter(fresh).unwrap_or((version, self.now.plus(seconds)))
    }
}
