//! The drafts are what they are meant to be: sound, and of all kinds.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serin_core::{Reason, Rules, Surroundings, Time};

use super::*;
use crate::given::Given;
use crate::judge::judge;
use crate::{env, visitors};

const DRAFTS: u64 = 2_000;

/// The choices of this number.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

#[test]
fn at_least_eight_of_ten_documents_are_sound() {
    let mut mistakes = BTreeMap::new();
    let mut sound = 0;
    for seed in 0..DRAFTS {
        let document = document(&mut Dice::new(&bytes(seed, 2_000))).to_string();
        let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env });
        sound += u64::from(parsed.errors.is_empty());
        parsed.errors.iter().for_each(|error| *mistakes.entry(error.to_string()).or_insert(0) += 1);
    }
    assert!(sound * 10 >= DRAFTS * 8, "{sound} of {DRAFTS}: {mistakes:#?}");
    assert!(sound < DRAFTS, "no document has a mistake");
}

/// But for those that only traffic, or another proxy's guard, brings about.
#[test]
fn every_reason_occurs() {
    let mut found = BTreeSet::new();
    for seed in 0..DRAFTS {
        let bytes = bytes(seed, 4_000);
        let dice = &mut Dice::new(&bytes);
        let document = document(dice).to_string();
        let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env });
        let Some(rules) = parsed.rules else { continue };
        let mut given = Given::default();
        given.add(document.as_bytes());
        let now = Time::from_unix_seconds(20_779 * 86_400);
        let request = request(dice);
        let first = judge(&rules, &given, &request, now, dice.bits());
        let again = visitors::again(&request, &first.cookies);
        let again = again.map(|request| judge(&rules, &given, &request, now, 1));
        found.extend([Some(first), again].into_iter().flatten().filter_map(|judged| judged.reason));
    }
    let needs_traffic = [Reason::Guard, Reason::Missing];
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .filter(|reason| !needs_traffic.contains(reason))
        .map(|reason| reason.as_str())
        .filter(|reason| !found.contains(reason))
        .collect();
    assert_eq!(missing, [""; 0]);
}
