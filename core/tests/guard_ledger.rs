//! What a guard counts as a failure, and what workers make of their counts together.

mod common;

use common::{Request, TODAY, outcome_with, rollout, rules};
use serin_core::{
    Change, Counted, Current, Guard, Identity, Ledger, Rules, Standing, Tally, Time, VersionId, Watchlist,
};

/// Rules whose second version has this guard, with further fields.
fn guarded(guard: &str, fields: &str) -> Rules {
    rules(&rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 100}}}}, "guard": {guard} {fields}"#
    )))
}

fn guard(rules: &Rules) -> &Guard {
    rules.rollout(0).unwrap().guard().unwrap()
}

fn at(second: u64) -> Time {
    Time::from_unix_seconds(TODAY + second)
}

/// One configuration.
struct Plugin {
    rules: Rules,
    list: Watchlist,
}

impl Plugin {
    fn new(guard: &str, release: u64) -> Self {
        let rules = guarded(guard, &format!(r#", "release": "{release}""#));
        let list = Watchlist::new(&rules);
        Self { rules, list }
    }

    fn version(&self, name: &str) -> VersionId {
        self.rules.rollout(0).unwrap().version_named(name.as_bytes()).unwrap()
    }

    fn identity(&self, name: &str) -> Identity {
        self.list.iter().find(|watched| watched.version == self.version(name)).unwrap().identity
    }

    /// What a tick makes of a count.
    fn update(
        &self,
        ledger: &mut Ledger,
        name: &str,
        tally: Tally,
        second: u64,
        judges: bool,
        prunes: bool,
    ) -> Vec<Change> {
        let counted = Counted { identity: self.identity(name), rollout: 0, version: self.version(name), tally };
        ledger.update(&[counted], &self.rules, &self.list, at(second), &|_, _| judges, prunes)
    }
}

const FAILING: Tally = Tally { requests: 12, failures: 10 };
const SOUND: Tally = Tally { requests: 12, failures: 0 };

#[test]
fn what_is_counted_is_judged_if_it_is_to_be_and_never_of_stable() {
    let plugin = Plugin::new(r#"{"max_percent": 5}"#, 0);
    for (name, tally, judges, expected) in [
        ("v2", FAILING, true, vec![Standing::Out { until: None }]),
        ("v2", FAILING, false, vec![]),
        ("v2", SOUND, true, vec![]),
        ("v1", FAILING, true, vec![]),
    ] {
        let mut ledger = Ledger::default();
        let changes = plugin.update(&mut ledger, name, tally, 0, judges, false);
        assert_eq!(changes.iter().map(|change| change.standing).collect::<Vec<_>>(), expected, "{name} {tally:?}");
        for change in changes {
            assert_eq!((change.rollout, change.version, change.tally), (0, plugin.version(name), tally));
            let line = change.in_words(&plugin.rules);
            assert!(line.contains("rollouts.r.versions.v2") && line.contains("10 of the last 12"), "{line}");
        }
    }
}

#[test]
fn each_version_has_a_standing_of_its_own() {
    let rules = rules(&rollout(
        r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 50, "place": "low"}, "v3": {"weight": 50, "place": "high"}},
        "guard": {"max_percent": 5, "for": "30s", "share": "cookie"}"#,
    ));
    let (list, mut ledger, mut current) = (Watchlist::new(&rules), Ledger::default(), Current::new(&rules, at(0)));
    let id = |name: &str| rules.rollout(0).unwrap().version_named(name.as_bytes()).unwrap();
    let out = |second| Standing::Out { until: Some(at(second)) };
    assert!(!current.follow_guards(&rules, &list, &ledger));
    for (second, name, expected) in [(0, "v2", [out(30), Standing::Serving]), (10, "v3", [out(30), out(40)])] {
        let identity = list.iter().find(|watched| watched.version == id(name)).unwrap().identity;
        ledger.add(identity, guard(&rules), FAILING, at(second));
        ledger.judge(&rules, &list, at(second), &|_, _| true);
        let news = [(); 2].map(|()| current.follow_guards(&rules, &list, &ledger));
        assert_eq!((news, ["v2", "v3"].map(|name| current.standing(0, id(name)))), ([true, false], expected), "{name}");
    }
    let ask = |current: &Current, n: u64| {
        outcome_with(&rules, current, &Request::new(), n.wrapping_mul(0x9e37_79b9_7f4a_7c15), TODAY + 11)
    };
    for n in 1..9 {
        let until = if ask(&Current::default(), n).version() == "v2" { 30 } else { 40 };
        let line = ask(&current, n).kept_cookie.unwrap();
        assert!(line.contains(&format!(".f{}.d", TODAY + until)), "{line}");
    }
}

/// Of the versions that the document lists no more, those that are out stay, and of the others those that were touched last.
#[test]
fn what_is_forgotten() {
    let releases: Vec<Plugin> = (0..100).map(|release| Plugin::new(r#"{"max_percent": 5}"#, release)).collect();
    let (mut ledger, mut expected) = (Ledger::default(), Ledger::default());
    for (release, plugin) in (0_u64..).zip(&releases) {
        let out = release < 10;
        let tally = if out { FAILING } else { SOUND };
        plugin.update(&mut ledger, "v2", tally, 60 * release, true, false);
        if out || release >= 99 - 54 {
            plugin.update(&mut expected, "v2", tally, 60 * release, true, false);
        }
    }
    let last = releases.last().unwrap();
    let mut kept = ledger.clone();
    last.update(&mut kept, "v2", Tally::default(), 60 * 99, true, false);
    assert_eq!(kept, ledger, "it is not for an older configuration to forget");
    last.update(&mut kept, "v2", Tally::default(), 60 * 99, true, true);
    assert_eq!(kept, expected);
    assert_eq!(kept, Ledger::from_bytes(&kept.to_bytes()));
}

#[test]
fn a_guard_watches_the_versions_of_its_own_rollout() {
    let [plugin, other] = [1, 2].map(|release| Plugin::new(r#"{"max_percent": 5}"#, release));
    for name in ["v1", "v2"] {
        assert!(
            guard(&plugin.rules).watches(plugin.identity(name)) && !guard(&plugin.rules).watches(other.identity(name)),
            "{name}"
        );
    }
    let unguarded = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}}"#));
    assert!(!plugin.list.is_empty() && Watchlist::new(&unguarded).is_empty());
}

#[test]
fn what_is_a_failure() {
    let failures = |failures: &str| guard(&guarded(&format!(r#"{{"max_percent": 5{failures}}}"#), "")).clone();
    let (plain, slow) =
        (failures(""), failures(r#", "failures": {"slower_than": "1500ms", "status": ["404", "500-502"]}"#));
    assert_eq!((plain.slower_than(), slow.slower_than()), (None, Some(1_500)));
    for (status, of_plain, of_slow) in [
        (200, false, false),
        (403, false, false),
        (404, false, true),
        (499, false, false),
        (500, true, true),
        (502, true, true),
        (503, true, false),
        (599, true, false),
    ] {
        assert_eq!((plain.is_failure(status, None), slow.is_failure(status, None)), (of_plain, of_slow), "{status}");
    }
}

/// Each status of gRPC counts as that of HTTP which Envoy takes it for in its access log and statistics.
#[test]
fn a_status_of_grpc_counts_as_one_of_http() {
    let http = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500];
    for (grpc, expected) in (0..).zip(http) {
        for status in [200, 400, 401, 403, 404, 409, 429, 499, 500, 501, 503, 504] {
            let rules = guarded(&format!(r#"{{"max_percent": 5, "failures": {{"status": ["{status}"]}}}}"#), "");
            let found = guard(&rules).is_failure(200, Some(grpc));
            assert_eq!(found, status == expected, "{grpc} as {status}");
        }
    }
}
