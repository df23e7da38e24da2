//! Overrides: where a request may name its version itself, and whose requests may.

use super::VersionId;
use crate::header::HeaderName;
use crate::keys::Secret;

/// Where a request may name its version itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overrides {
    pub(crate) header: Option<HeaderName>,
    pub(crate) query: Option<String>,
    pub(crate) cookie: Option<String>,
    /// Other names for versions, sorted.
    pub(crate) aliases: Vec<(String, VersionId)>,
    pub(crate) trust: Trust,
    /// For so many seconds an override is remembered.
    pub(crate) remember: Option<u32>,
}

impl Overrides {
    /// The header that holds the secret, if there is one.
    pub(crate) fn secret_header(&self) -> Option<&HeaderName> {
        match &self.trust {
            Trust::Secret(header, _) => Some(header),
            Trust::Open | Trust::Signed => None,
        }
    }
}

/// Whose overrides count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Trust {
    /// Anybody's.
    #[default]
    Open,
    /// Those of a signed token.
    Signed,
    /// Those that come with this secret in this header; nobody's if the secret is not known.
    Secret(HeaderName, Option<Secret>),
}
