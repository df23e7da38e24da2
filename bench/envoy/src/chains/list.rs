//! Which chains there are, and what is measured on each.

use serde_json::{Value, json};

use super::{Does, Filter};
use crate::calls::Calls;
use crate::job::{Brings, Match, by_user, elsewhere, keys};

/// One Envoy, with everything that is measured on it: the series, what the request brings, and what is done with it.
pub(super) struct Chain {
    pub(super) filter: Filter,
    pub(super) scenarios: Vec<(String, Brings, Does)>,
}

/// All chains. A scenario is named as in [`serin_bench::results::SCENARIOS`]; a chain that does nothing, by kind of request.
pub(super) fn all() -> Vec<Chain> {
    yardsticks().into_iter().chain(scripts()).chain(ours()).collect()
}

/// What does nothing, and twins of two chains in processes of their own: what differs between twins is noise.
fn yardsticks() -> Vec<Chain> {
    let (untrimmed, trimmed) = (Filter::Empty { trimmed: false }, Filter::Empty { trimmed: true });
    vec![
        chain(Filter::None, kinds("none")),
        chain(untrimmed.clone(), kinds("empty_sdk")),
        chain(trimmed, kinds("empty_trimmed")),
        chain(untrimmed, one("empty_twin/cookie", Brings::Stable, Does::Nothing)),
        chain(plain(Match::All), one("serin_twin/match_all_stable", Brings::Stable, Does::Stable)),
        chain(Filter::Calls(Calls::None), one("callbacks/cookie", Brings::Stable, Does::Nothing)),
        chain(Filter::Calls(Calls::Headers), one("calls/match_all_stable", Brings::Stable, Does::Nothing)),
        chain(Filter::Calls(Calls::Pairs), one("calls/hosts_stable", Brings::Stable, Does::Nothing)),
    ]
}

fn scripts() -> impl Iterator<Item = Chain> {
    EVERY_MATCH.into_iter().map(|covers| chain(Filter::Lua(covers), visitors("lua", covers)))
}

fn ours() -> impl Iterator<Item = Chain> {
    let by_match = EVERY_MATCH.into_iter().map(|covers| chain(plain(covers), visitors("serin", covers)));
    let all = |rollout: Value, document: Value| Filter::Serin(Match::All, rollout, document);
    by_match.chain([
        chain(all(elsewhere(), json!({})), one("serin/hosts_not_covered", Brings::Stable, Does::Nothing)),
        chain(all(by_user(), json!({})), one("serin/user_hash", Brings::User, Does::Stable)),
        chain(all(json!({}), keys()), one("serin/signed", Brings::Signed, Does::Stable)),
        chain(all(guarded(), json!({})), one("serin/guard", Brings::Canary, Does::Canary)),
    ])
}

/// A guard that looks at statuses and times of the canary.
fn guarded() -> Value {
    json!({"guard": {"max_percent": 5, "failures": {"slower_than": "800ms"}}})
}

const EVERY_MATCH: [Match; 3] = [Match::All, Match::Hosts, Match::Paths];

fn plain(covers: Match) -> Filter {
    Filter::Serin(covers, json!({}), json!({}))
}

fn chain(filter: Filter, scenarios: Vec<(String, Brings, Does)>) -> Chain {
    Chain { filter, scenarios }
}

fn one(name: &str, brings: Brings, does: Does) -> Vec<(String, Brings, Does)> {
    vec![(name.to_owned(), brings, does)]
}

/// Every kind of request, to a filter that does nothing with it.
fn kinds(filter: &str) -> Vec<(String, Brings, Does)> {
    let kinds = [Brings::Nothing, Brings::Stable, Brings::Large, Brings::User, Brings::Signed];
    kinds.into_iter().map(|brings| (format!("{filter}/{}", brings.kind()), brings, Does::Nothing)).collect()
}

/// Every kind of visitor, to a filter that decides.
fn visitors(filter: &str, covers: Match) -> Vec<(String, Brings, Does)> {
    let (covered, new) = match covers {
        Match::All => ("match_all", "new"),
        Match::Hosts => ("hosts", "hosts_new"),
        Match::Paths => ("paths", "paths_new"),
    };
    vec![
        (format!("{filter}/{covered}_stable"), Brings::Stable, Does::Stable),
        (format!("{filter}/{covered}_stable_large"), Brings::Large, Does::Stable),
        (format!("{filter}/{covered}_canary"), Brings::Canary, Does::Canary),
        (format!("{filter}/{new}"), Brings::Nothing, Does::Cookie),
    ]
}
