//! The last layer in words: who the unit is, and where its slot lies.

use super::super::{Decision, Reason, Request};
use super::{Said, percent, why_barred};
use crate::cookie::{CookieSettings, Visitor, values};
use crate::facts::Source;
use crate::keys::Purpose;
use crate::rules::{Hold, Prefer, Shares, Split, UnitSource, VersionId};

impl<'r, S: Source> Request<'_, 'r, S> {
    /// Always answers.
    pub(super) fn explain_slot(&self, shares: &Shares, decision: &Decision<'_>) -> Said {
        let mut notes = self.explain_unit(decision);
        if decision.reason == Reason::First {
            let then = if decision.visitor.is_some() { ", and the slot decides from the next request on" } else { "" };
            notes.push(format!("by first: stable whoever carries nothing yet gets stable{then}"));
        }
        let Some(slot) = decision.slot else { return (true, notes) };
        let owner = shares.intervals.at(slot);
        let (start, end) = shares.intervals.around(slot);
        let name = self.shared.name_of(owner);
        let at = format!("slot {} is at {}", slot.number(), percent(slot.number()));
        match self.shared.ways.split {
            Split::Filter => {
                notes.push(format!("{at}, and {name} has {} to {}", percent(start), percent(end)));
                notes.extend(self.instead(owner, decision));
            }
            Split::Native => notes.push(format!("{at}; the route's weights choose by it")),
            Split::Route => match self.chosen_by_route() {
                Some(version) => {
                    notes.push(format!("the route's weights have chosen {}", self.shared.name_of(version)));
                    notes.extend(self.instead(version, decision));
                }
                None => notes.push("the route's weights choose, and it is not known here what".to_owned()),
            },
        }
        (true, notes)
    }

    /// Why stable serves in the place of the version that owns the slot.
    fn instead(&self, owner: VersionId, decision: &Decision<'_>) -> Option<String> {
        let name = self.shared.name_of(owner);
        if !self.is_open(owner) {
            return Some(format!("{name} is off: stable serves in its place"));
        }
        let reason = Some(decision.reason).filter(|reason| matches!(reason, Reason::Guard | Reason::Missing))?;
        Some(format!("{name} {}: stable serves in its place", why_barred(reason)))
    }

    /// Which unit counts, and why others do not.
    fn explain_unit(&self, decision: &Decision<'_>) -> Vec<String> {
        if decision.reason == Reason::Random && self.shared.sticky.hold == Hold::None {
            return vec!["hold: none draws every request".to_owned()];
        }
        let mut notes = Vec::new();
        let (visitor, ids) = (self.explain_visitor(), self.absent_ids());
        match (self.shared.sticky.prefer, self.visitor()) {
            (Prefer::Visitor, None) => notes.extend(visitor.into_iter().chain(ids)),
            (Prefer::Visitor, Some(_)) => notes.extend(self.id_beside_visitor()),
            (Prefer::Unit, _) => notes.extend(ids.into_iter().chain(visitor)),
        }
        notes.push(match (self.unit(), &decision.visitor) {
            (Some(unit), _) => format!("the unit is {}", unit.in_words()),
            (None, Some(new)) => format!("a new visitor, drawn as {}", new.number.as_str()),
            (None, None) => "nothing makes the request stick, so it is drawn".to_owned(),
        });
        notes
    }

    /// The ids that a request does not carry, up to the one that it does.
    fn absent_ids(&self) -> Option<String> {
        let absent = self.shared.sticky.units.iter().take_while(|source| !self.carries(source));
        let names: Vec<String> = absent.map(UnitSource::in_words).collect();
        (!names.is_empty())
            .then(|| format!("{} {} absent or empty", names.join(" and "), if names.len() > 1 { "are" } else { "is" }))
    }

    /// The id that does not count, since the visitor cookie is there as well.
    fn id_beside_visitor(&self) -> Option<String> {
        let source = self.shared.sticky.units.iter().find(|source| self.carries(source))?;
        Some(format!("{} is there, and does not count beside the visitor cookie: prefer: visitor", source.in_words()))
    }

    fn carries(&self, source: &'r UnitSource) -> bool {
        self.id_of(source).is_some()
    }

    /// Why there is no visitor; nothing if there is one, or no cookie at all.
    fn explain_visitor(&self) -> Option<String> {
        let cookie = self.rules.cookie.as_ref()?;
        if self.visitor().is_some() {
            return None;
        }
        Some(format!("cookie {} {}", cookie.name, self.why_no_visitor(cookie)))
    }

    fn why_no_visitor(&self, cookie: &CookieSettings) -> String {
        let Some(value) = self.visitor_cookie() else { return "is absent".to_owned() };
        let verified = match &cookie.keys {
            None => Some(value),
            Some(keys) => keys.verified(Purpose::Cookie(&cookie.name), value),
        };
        let why = match verified.map(Visitor::from_value) {
            None => "it is not signed by one of the keys",
            Some(None) if self.rollout.version_named(value).is_some() => {
                "it names a version, which a cookie does with override: {cookie: NAME} alone"
            }
            Some(None) => "it is not in the form of a visitor, such as nEjRWeJq83v.d20778",
            Some(Some(_)) => "it is past its max_age",
        };
        format!("does not count: {why}")
    }

    /// The value of the visitor cookie, whether it counts or not.
    pub(super) fn visitor_cookie(&self) -> Option<&[u8]> {
        let name = &self.rules.cookie.as_ref()?.name;
        self.facts.in_cookies(|line| values(line, name).next(), |name| self.is_ours(name))
    }
}

impl UnitSource {
    /// The source in words.
    fn in_words(&self) -> String {
        match self {
            Self::Header(name) => format!("header {}", name.as_str()),
            Self::Cookie(name) => format!("cookie {name}"),
            Self::Query(name) => format!("query parameter {name}"),
            Self::Address => "the client's address".to_owned(),
        }
    }
}
