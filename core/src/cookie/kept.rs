//! A rollout's own cookie: the version that a unit holds, and the override that is remembered. Its form is spelled out in
//! `docs/formats.md`.

use super::{character, is_base64url, is_clean, push_number};
use crate::rules::{Rollout, Version, VersionId};
use crate::time::{Day, Time};

/// Four characters that tell units apart: the lower 24 bits of the unit's hash, in base64url. The slot is made of the
/// upper ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; 4]);

impl Mark {
    /// The mark of a unit's hash.
    pub fn from_hash(hash: u64) -> Self {
        Self([18, 12, 6, 0].map(|shift| character(hash >> shift)))
    }

    /// The four characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let characters = <[u8; 4]>::try_from(text).ok()?;
        characters.iter().all(|character| is_base64url(*character)).then_some(Self(characters))
    }
}

/// What a rollout's own cookie keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The version that the unit with this mark holds.
    pub held: Option<(Mark, VersionId)>,
    /// The override that counts until this moment.
    pub remembered: Option<(VersionId, Time)>,
    /// The version that a guard has taken out.
    pub out: Option<Out>,
    /// The day on which the cookie was written.
    pub issued: Day,
}

/// A version that the guard of some proxy has taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Out {
    /// What stands for the version, its cluster and release.
    pub version: Mark,
    /// When it may come back; `None` if not while the cookie lasts.
    pub until: Option<Time>,
}

impl Out {
    /// Whether it still counts.
    pub(crate) fn lasts(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Kept {
    /// Reads `r<release>` `u<mark>` `v<version>` `o<version>` `e<expiry>` `x<mark>` `f<until>` `d<issue day>`, joined by dots, in
    /// any order.
    /// Unknown fields are skipped; a known one twice, or a control character, makes the value invalid. What another
    /// release held, and a version that the rollout does not list, count as absent.
    pub(crate) fn from_value(value: &[u8], rollout: &Rollout) -> Option<Self> {
        let named = |name: &[u8]| rollout.version_named(name);
        let mut fields: [Option<&[u8]>; 8] = [None; 8];
        for field in value.split(|byte| *byte == b'.') {
            let Some((letter, text)) = field.split_first() else { continue };
            let known = b"ruvoexfd".iter().position(|known| known == letter);
            if known.and_then(|at| fields.get_mut(at)).is_some_and(|field| field.replace(text).is_some()) {
                return None;
            }
        }
        let [of_release, mark, version, remembered, expiry, out, until, issued] = fields;
        let issued = is_clean(value).then(|| Day::from_text(issued?))??;
        let of_this = of_release.unwrap_or_default() == rollout.release().as_bytes();
        let held = mark.and_then(Mark::from_text).zip(version.and_then(named)).filter(|_| of_this);
        let remembered = remembered.and_then(named).zip(expiry.and_then(Time::from_text));
        let until = until.map(Time::from_text);
        let out = out.and_then(Mark::from_text).filter(|_| until != Some(None));
        let out = out.map(|version| Out { version, until: until.flatten() });
        Some(Self { held, remembered, out, issued })
    }

    /// Appends the cookie's value.
    pub(super) fn write(&self, text: &mut String, rollout: &Rollout) {
        let name_of = |version| rollout.version(version).map_or("", Version::name);
        let mut field = |letter, value: &str| {
            text.push(letter);
            text.push_str(value);
            text.push('.');
        };
        if let Some((mark, version)) = &self.held {
            if !rollout.release().is_empty() {
                field('r', rollout.release());
            }
            field('u', mark.as_str());
            field('v', name_of(*version));
        }
        if let Some((version, expiry)) = self.remembered {
            field('o', name_of(version));
            field('e', &expiry.unix_seconds().to_string());
        }
        if let Some(out) = self.out {
            field('x', out.version.as_str());
            if let Some(until) = out.until {
                field('f', &until.unix_seconds().to_string());
            }
        }
        text.push('d');
        push_number(text, self.issued.number());
    }

    /// Whether there is nothing left to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_none() && self.remembered.is_none() && self.out.is_none()
    }
}
