//! What `hold: version` costs in share: weeks of visitors who come back, driven through the real decision with browsers
//! that keep their cookies. Prints the table of `docs/rules.md`; the same on every run.

#![allow(clippy::print_stdout)] // Printing the table is its job.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use cookie::Cookie;
use serin_core::{Current, Effects, Facts, Rules, Source, Surroundings, Time, decide};

/// The canary's weight and the release, week by week.
const WEEKS: [(u32, &str); 8] = [(5, "a"), (10, "a"), (25, "a"), (50, "a"), (100, "a"), (5, "a"), (5, "a"), (5, "b")];
const HOLDS: [&str; 3] = ["slot", "version", "page"];
/// So many new visitors of each habit come every day.
const ARRIVALS: [(Habit, usize); 3] = [(Habit::Daily, 5), (Habit::Weekly, 20), (Habit::Once, 200)];
/// So many days do those who come back keep coming back. So long before the first week the first of them came.
const LOYALTY: i64 = 182;
/// So many scripts and images has a page.
const PARTS: usize = 2;
/// The first day of the first week, as days since 1970.
const START: i64 = 20_778;
const SECONDS_A_DAY: i64 = 86_400;

fn main() {
    print!("{}", table());
}

/// The whole table, as it stands in the documentation.
fn table() -> String {
    let of_holds = HOLDS.map(simulate);
    let columns = HOLDS.map(|hold| format!("| `{hold}`: visitors, requests | changed "));
    let mut text = format!("| week | weight {}|\n|---|---{}|\n", columns.concat(), "|---|---".repeat(HOLDS.len()));
    for (at, (weight, release)) in WEEKS.iter().enumerate() {
        let note = if at > 0 && WEEKS[at - 1].1 != *release { ", new `release`" } else { "" };
        let cells = of_holds.each_ref().map(|weeks| weeks[at].cells());
        text += &format!("| {} | {weight} %{note} {}|\n", at + 1, cells.concat());
    }
    let torn = of_holds.map(|weeks| format!("| {} | ", weeks.iter().map(|week| week.torn).sum::<usize>()));
    text + &format!("| | parts from another version than their page {}|\n", torn.concat())
}

/// How often a visitor comes.
#[derive(Clone, Copy)]
enum Habit {
    Daily,
    Weekly,
    Once,
}

impl Habit {
    /// Whether the visitor comes so many days after the first visit.
    fn comes(self, age: i64) -> bool {
        match self {
            Self::Daily => (0..LOYALTY).contains(&age),
            Self::Weekly => (0..LOYALTY).contains(&age) && age % 7 == 0,
            Self::Once => age == 0,
        }
    }
}

/// What was seen in a week.
#[derive(Default)]
struct Week {
    /// Who came, and whether their last page was the canary's.
    visitors: HashMap<usize, bool>,
    /// Who got another version on a page than on the page before.
    changed: HashSet<usize>,
    requests: usize,
    canary_requests: usize,
    /// Requests for a part that another version answered than its page.
    torn: usize,
}

impl Week {
    fn count(&mut self, canary: bool) {
        self.requests += 1;
        self.canary_requests += usize::from(canary);
    }

    fn cells(&self) -> String {
        let canary = self.visitors.values().filter(|canary| **canary).count();
        let visitors = percent(canary, self.visitors.len());
        let requests = percent(self.canary_requests, self.requests);
        format!("| {visitors}, {requests} | {} ", self.changed.len())
    }
}

/// A visitor's browser.
struct Browser {
    habit: Habit,
    /// The day of the first visit.
    first: i64,
    /// The random bits that a proxy would draw for its first request.
    bits: u64,
    jar: HashMap<String, Stored>,
    /// Whether the page that is open is the canary's.
    page: Option<bool>,
}

/// A cookie, and the second at which the browser drops it.
struct Stored {
    value: String,
    end: i64,
}

impl Browser {
    /// One day's visit. The page of the day before is still open and asks for one more part first.
    fn visit(&mut self, me: usize, rules: &Rules, now: i64, week: &mut Week) {
        let before = self.page;
        if matches!(self.habit, Habit::Daily) && before.is_some() {
            self.part(rules, now, week);
        }
        let canary = self.request(rules, now, "document");
        week.count(canary);
        self.page = Some(canary);
        week.visitors.insert(me, canary);
        if before.is_some_and(|before| before != canary) {
            week.changed.insert(me);
        }
        (0..PARTS).for_each(|_| self.part(rules, now, week));
    }

    fn part(&mut self, rules: &Rules, now: i64, week: &mut Week) {
        let canary = self.request(rules, now, "script");
        week.count(canary);
        week.torn += usize::from(self.page != Some(canary));
    }

    /// Whether the canary answers; keeps the cookies of the response.
    fn request(&mut self, rules: &Rules, now: i64, destination: &'static str) -> bool {
        self.jar.retain(|_, stored| now < stored.end);
        let pairs: Vec<String> = self.jar.iter().map(|(name, stored)| format!("{name}={}", stored.value)).collect();
        let request = Request { cookies: pairs.join("; "), destination };
        let facts = Facts::new(&request);
        let moment = Time::from_unix_seconds(now.unsigned_abs());
        let decision =
            decide(rules, &Current::default(), &facts, moment, || self.bits).expect("the rollout covers every request");
        let effects = Effects::of(rules, Some(&decision), &facts, moment);
        let lines = effects.response.map(|response| response.set_cookies).unwrap_or_default();
        for line in lines.into_iter().flatten() {
            let cookie = Cookie::parse(line).expect("what is set is a cookie");
            let age = cookie.max_age().expect("every cookie has an age").whole_seconds();
            self.jar.insert(cookie.name().to_owned(), Stored { value: cookie.value().to_owned(), end: now + age });
        }
        decision.version().is_some_and(|version| version.name() == "v2")
    }
}

/// A request as the filter sees it.
struct Request {
    cookies: String,
    destination: &'static str,
}

impl Source for Request {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        match name {
            "cookie" => (!self.cookies.is_empty()).then(|| self.cookies.as_bytes().into()),
            "sec-fetch-dest" => Some(self.destination.as_bytes().into()),
            _ => None,
        }
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.header(name).into_iter().map(Cow::into_owned).collect()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        None
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        None
    }
}

/// All weeks with one `hold`. The visitors, and their random bits, are the same for each.
fn simulate(hold: &str) -> [Week; WEEKS.len()] {
    let mut browsers = browsers();
    let mut first_day = START;
    WEEKS.map(|(weight, release)| {
        let rules = rules(hold, weight, release);
        let mut week = Week::default();
        for day in first_day..first_day + 7 {
            let here = browsers.iter_mut().enumerate().filter(|(_, browser)| browser.habit.comes(day - browser.first));
            here.for_each(|(me, browser)| browser.visit(me, &rules, day * SECONDS_A_DAY, &mut week));
        }
        first_day += 7;
        week
    })
}

fn rules(hold: &str, weight: u32, release: &str) -> Rules {
    let document = format!(
        r#"{{"rollouts": {{"shop": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {weight}}}}},
            "release": "{release}", "sticky": {{"hold": "{hold}"}}}}}}, "cookie": {{"max_age": "30d"}}}}"#
    );
    Rules::parse(document.as_bytes(), &Surroundings::default()).rules.expect("the document is sound")
}

/// Everybody who comes, before or within the weeks.
fn browsers() -> Vec<Browser> {
    let mut random = fastrand::Rng::with_seed(1);
    let days = START - LOYALTY..START + 7 * i64::try_from(WEEKS.len()).expect("a few weeks");
    let of_day = |first| ARRIVALS.iter().flat_map(move |(habit, number)| vec![(*habit, first); *number]);
    let mut browser = |(habit, first)| Browser { habit, first, bits: random.u64(..), jar: HashMap::new(), page: None };
    days.flat_map(of_day).map(&mut browser).collect()
}

/// With one decimal, halves up.
fn percent(part: usize, whole: usize) -> String {
    let tenths = (part * 2000 + whole) / (2 * whole);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_stands_in_the_documentation() {
        let text = include_str!("../../docs/rules.md");
        let table = super::table();
        assert!(text.contains(&table), "docs/rules.md lacks this table:\n{table}");
    }
}
