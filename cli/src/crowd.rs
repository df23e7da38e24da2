//! Visitors who come again, keep their cookies, and are counted.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde::Serialize;
use serin_core::{
    Current, Effects, Explanation, Facts, Reason, Rollout, Rules, SLOTS, Source, Time, UnitKind, Version, decide,
    explain_layers,
};

use crate::request::Request;

/// Visitors of a document at a moment.
pub(crate) struct Crowd<'r> {
    rules: &'r Rules,
    current: Current,
    now: Time,
    visitors: u32,
    requests: u32,
    random: Rng,
}

/// Who got which version of a rollout.
#[derive(Debug, Serialize)]
pub(crate) struct Shares {
    pub(crate) rollout: String,
    /// The request of every visitor, without what tells them apart.
    pub(crate) request: String,
    /// What tells visitors apart.
    pub(crate) unit: String,
    /// Whether the rollout cannot be used, so that stable serves everybody.
    pub(crate) broken: bool,
    /// Why, then.
    #[serde(skip)]
    pub(crate) why_broken: Option<String>,
    pub(crate) versions: Vec<Share>,
}

/// What a version got.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) version: String,
    /// Of the visitors, by their last requests, 0 to 1.
    pub(crate) visitors: f64,
    /// Of the requests, 0 to 1.
    pub(crate) requests: f64,
    /// What the document says of the visitors, 0 to 1; none where the route decides.
    pub(crate) expected: Option<f64>,
    /// How far from that chance leads in 19 of 20 runs.
    pub(crate) margin: f64,
}

/// The rollout that covers a request.
pub(crate) fn covering<'r>(rules: &'r Rules, request: &Request) -> Option<&'r str> {
    let index = {
        let facts = Facts::new(request);
        decide(rules, &Current::default(), &facts, Time::default(), || 0)?.index
    };
    rules.rollout(index).map(Rollout::name)
}

/// How often a version served.
#[derive(Default)]
struct Count {
    last: u32,
    all: u64,
}

/// By the names of versions.
type Counts<'r> = BTreeMap<&'r str, Count>;

/// What the document says of visitors.
#[derive(Default)]
struct First {
    /// The version that all of them get, where that is certain.
    certain: Option<String>,
    /// What each version gets of them.
    odds: BTreeMap<String, f64>,
    why_broken: Option<String>,
}

/// What a request gets.
struct Answer<'r> {
    /// `-` where the route chooses it.
    version: &'r str,
    /// Whether chance had a say.
    drawn: bool,
    cookies: [Option<String>; 2],
}

impl<'r> Crowd<'r> {
    pub(crate) fn new(rules: &'r Rules, now: Time, visitors: u32, requests: u32, seed: u64) -> Self {
        Self { rules, current: Current::new(rules, now), now, visitors, requests, random: Rng::with_seed(seed) }
    }

    /// Has every visitor send a request so many times; `None` if no rollout covers it. An id that stands in `told` is that of
    /// everybody.
    pub(crate) fn visit(&mut self, request: &Request, told: &Request) -> Option<Shares> {
        let rollout = self.rules.rollout_named(covering(self.rules, request)?)?;
        let unit = rollout.first_unit().filter(|unit| !carries(told, unit));
        let mut counts = Counts::new();
        for visitor in 0..self.visitors {
            let mut sent = request.clone();
            if let Some(unit) = &unit {
                set_id(&mut sent, unit, visitor);
            }
            let last = self.come(&mut sent, &mut counts);
            counts.entry(last).or_default().last += 1;
        }
        let First { certain, odds, why_broken } = self.first(request, unit.is_some());
        let versions = self.shares(&certain.map_or(odds, |version| BTreeMap::from([(version, 1.0)])), counts);
        let shown = format!("{} {}{}", request.shown(":method"), request.shown(":authority"), request.shown(":path"));
        let unit = match (unit, rollout.first_unit()) {
            _ if why_broken.is_some() => "nothing that counts".to_owned(),
            (Some(unit), _) => format!("their own {}", in_words(&unit)),
            (None, Some(unit)) => format!("the same {}", in_words(&unit)),
            (None, None) => self.without_id(rollout, told),
        };
        let (rollout, broken) = (rollout.name().to_owned(), why_broken.is_some());
        Some(Shares { rollout, request: shown, unit, broken, why_broken, versions })
    }

    /// One visitor's requests; the version of the last one.
    fn come(&mut self, request: &mut Request, counts: &mut Counts<'r>) -> &'r str {
        let mut left = self.requests;
        loop {
            let Answer { version, drawn, cookies } = self.ask(request);
            // Where neither chance nor a cookie has a say all further requests are the same.
            let is_settled = !drawn && cookies == [None, None];
            let alike = if is_settled { left } else { 1 };
            counts.entry(version).or_default().all += u64::from(alike);
            cookies.iter().flatten().for_each(|cookie| keep(request, cookie));
            left -= alike;
            if left == 0 {
                return version;
            }
        }
    }

    /// One request.
    fn ask(&mut self, request: &Request) -> Answer<'r> {
        let mut drawn = false;
        let facts = Facts::new(request);
        let decision = decide(self.rules, &self.current, &facts, self.now, || {
            drawn = true;
            self.random.u64(..)
        });
        let Some(decision) = decision else { return Answer { version: "-", drawn, cookies: [None, None] } };
        let response = Effects::of(self.rules, Some(&decision), &facts, self.now).response;
        let cookies = response.map(|response| response.set_cookies).unwrap_or_default();
        let rollout = self.rules.rollout(decision.index);
        let version = decision.version.and_then(|version| rollout?.versions().get(version.index()));
        Answer { version: version.map_or("-", Version::name), drawn, cookies }
    }

    fn shares<'a>(&self, expected: &'a BTreeMap<String, f64>, mut counts: Counts<'a>) -> Vec<Share> {
        for version in expected.keys() {
            counts.entry(version).or_default();
        }
        let visitors = f64::from(self.visitors);
        let share = |(version, count): (&str, Count)| {
            let of_document =
                if version == "-" { None } else { Some(expected.get(version).copied().unwrap_or_default()) };
            let chance = of_document.unwrap_or_default();
            #[allow(clippy::cast_precision_loss)] // At most 10^10.
            let requests = count.all as f64 / (visitors * f64::from(self.requests));
            Share {
                visitors: f64::from(count.last) / visitors,
                requests,
                expected: of_document,
                margin: 1.96 * (chance * (1.0 - chance) / visitors).sqrt(),
                version: version.to_owned(),
            }
        };
        counts.into_iter().map(share).collect()
    }

    /// What the document says of visitors who come for the first time, and, with `first: stable`, then again.
    fn first(&mut self, request: &Request, have_ids: bool) -> First {
        let mut drawn = false;
        let facts = Facts::new(request);
        let decision = decide(self.rules, &self.current, &facts, self.now, || {
            drawn = true;
            self.random.u64(..)
        });
        let Some(decision) = decision else { return First::default() };
        let Explanation { odds, layers, .. } = explain_layers(self.rules, &self.current, &facts, self.now, &decision);
        let comes_once = decision.reason == Reason::First && self.requests == 1;
        let all_alike = !have_ids && !drawn;
        let is_certain = odds.is_empty() || comes_once || all_alike;
        First {
            certain: is_certain.then(|| decision.version().map_or("-", Version::name).to_owned()),
            odds: odds.into_iter().map(|(version, slots)| (version, f64::from(slots) / f64::from(SLOTS))).collect(),
            why_broken: layers.iter().find(|layer| layer.name == "broken").map(|layer| layer.notes.join("; ")),
        }
    }

    fn without_id(&self, rollout: &Rollout, told: &Request) -> String {
        match self.rules.cookie_name() {
            Some(name) if !rollout.draws_every_request() => {
                format!("the {}cookie {name}", if told.has_cookie(name) { "same " } else { "" })
            }
            _ => "nothing that sticks".to_owned(),
        }
    }
}

/// Takes over a cookie, or gives it up, as a browser does.
fn keep(request: &mut Request, set_cookie: &str) {
    let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
    let name = pair.split('=').next().unwrap_or_default();
    let line = request.shown("cookie");
    let others = line.split("; ").filter(|other| !other.is_empty() && other.split('=').next() != Some(name));
    let is_gone = attributes.split(';').any(|attribute| attribute.trim() == "Max-Age=0");
    let kept: Vec<&str> = others.chain((!is_gone).then_some(pair)).collect();
    request.set("cookie", &kept.join("; "));
}

/// Gives a visitor an id of its own.
fn set_id(request: &mut Request, unit: &UnitKind<'_>, visitor: u32) {
    let id = format!("visitor-{visitor}");
    match unit {
        UnitKind::Header(name) => request.set(name, &id),
        UnitKind::Cookie(name) => request.add("cookie", &format!("{name}={id}")),
        UnitKind::Query(name) => request.add_query(name, &id),
        UnitKind::Address => {
            request.source = Some(format!("{}:49152", std::net::Ipv4Addr::from(0x0a00_0000 + visitor)));
        }
    }
}

/// Whether a request has an id.
fn carries(request: &Request, unit: &UnitKind<'_>) -> bool {
    match unit {
        UnitKind::Header(name) => request.header(name).is_some(),
        UnitKind::Cookie(name) => request.has_cookie(name),
        UnitKind::Query(name) => request.has_query(name),
        UnitKind::Address => request.source.is_some(),
    }
}

fn in_words(unit: &UnitKind<'_>) -> String {
    match unit {
        UnitKind::Header(name) => format!("id in header {name}"),
        UnitKind::Cookie(name) => format!("id in cookie {name}"),
        UnitKind::Query(name) => format!("id in query parameter {name}"),
        UnitKind::Address => "address".to_owned(),
    }
}
