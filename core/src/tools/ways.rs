//! How requests name a version, and what tells units apart: what one has to know of a rollout to make a request for it.

use crate::cookie::CookieSettings;
use crate::rules::{Hold, Rollout, Rules, Trust, UnitSource, VersionId};

/// Where a request may name its version, and who may.
#[derive(Clone, Copy, Debug)]
pub struct OverrideNames<'r> {
    /// The header.
    pub header: Option<&'r str>,
    /// The query parameter.
    pub query: Option<&'r str>,
    /// The cookie.
    pub cookie: Option<&'r str>,
    /// Whose overrides count.
    pub trust: Trusts,
    /// For so many seconds a browser's cookie remembers the version.
    pub remember: Option<u32>,
}

/// Whose overrides count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trusts {
    /// Anybody's.
    Open,
    /// Those of a signed token.
    Signed,
    /// Those beside a secret.
    Secret,
}

/// Where the id of a unit stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind<'r> {
    /// In this header.
    Header(&'r str),
    /// In this cookie.
    Cookie(&'r str),
    /// In this query parameter.
    Query(&'r str),
    /// It is the client's address.
    Address,
}

impl Rollout {
    /// Where a request may name its version; `None` for a broken rollout.
    pub fn override_names(&self) -> Option<OverrideNames<'_>> {
        let overrides = &self.shared()?.overrides;
        Some(OverrideNames {
            header: overrides.header.as_ref().map(crate::header::HeaderName::as_str),
            query: overrides.query.as_deref(),
            cookie: overrides.cookie.as_deref(),
            trust: match overrides.trust {
                Trust::Open => Trusts::Open,
                Trust::Signed => Trusts::Signed,
                Trust::Secret(..) => Trusts::Secret,
            },
            remember: overrides.remember,
        })
    }

    /// The version that an override may call so: by its name, or by an alias.
    pub fn version_or_alias_named(&self, name: &str) -> Option<VersionId> {
        let aliases = self.shared().map_or(&[][..], |shared| &shared.overrides.aliases);
        let alias = aliases.iter().find(|(alias, _)| alias == name).map(|(_, version)| *version);
        alias.or_else(|| self.version_named(name.as_bytes()))
    }

    /// The id that is asked for first, if the rollout asks for any.
    pub fn first_unit(&self) -> Option<UnitKind<'_>> {
        self.shared()?.sticky.units.first().map(|unit| match unit {
            UnitSource::Header(name) => UnitKind::Header(name.as_str()),
            UnitSource::Cookie(name) => UnitKind::Cookie(name),
            UnitSource::Query(name) => UnitKind::Query(name),
            UnitSource::Address => UnitKind::Address,
        })
    }

    /// Whether this is its stable version.
    pub fn is_stable(&self, version: VersionId) -> bool {
        self.shared().is_some_and(|shared| shared.stable == version)
    }

    /// Whether it decides, and changes nothing.
    pub fn is_dry_run(&self) -> bool {
        self.shared().is_some_and(|shared| shared.ways.dry_run)
    }

    /// Whether nothing makes a request stick.
    pub fn draws_every_request(&self) -> bool {
        self.shared().is_none_or(|shared| shared.sticky.hold == Hold::None)
    }
}

impl Rules {
    /// The name of the visitor cookie, if there is one.
    pub fn cookie_name(&self) -> Option<&str> {
        self.cookie.as_ref().map(CookieSettings::name)
    }
}

impl CookieSettings {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The seconds of a duration of whole seconds from 1s to 400d, such as `8h`.
pub fn duration_seconds(text: &str) -> Option<u32> {
    crate::document::whole_seconds(text, 1)
}

/// A time span in its two largest units, such as `1 d 2 h`.
pub fn span_in_words(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units {
        if rest >= length && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}
