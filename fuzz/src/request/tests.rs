//! The comparison is no rubber stamp: the inputs of the corpus are compared, and a wrong outcome is found with each of them.

use std::panic::catch_unwind;
use std::path::Path;
use std::{fs, iter};

use serin_core::OutputHeaders;

use super::refusals::{SPOOFED, assert_stripped, ours};
use super::*;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/request");
    let entries = fs::read_dir(folder).expect("a corpus");
    entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("an input")).collect()
}

/// Half of the corpus, which is chosen for what it does to the module, plays without a fault for a while.
#[test]
fn what_the_corpus_plays_is_compared_and_a_wrong_outcome_found() {
    let plants: [fn(&mut Outcome); 2] =
        [|outcome| outcome.request.add("x-other", "v2"), |outcome| outcome.response.add("set-cookie", "canary=v2")];
    let mut compared = [0, 0];
    for input in corpus() {
        let looked = play(&input, |_| ());
        for ((plant, count), compared) in plants.into_iter().zip(looked.compared).zip(&mut compared) {
            let is_found = catch_unwind(|| play(&input, plant)).is_err();
            assert_eq!(is_found, count > 0, "{:?} of {input:?}", looked.compared);
            *compared += usize::from(count > 0);
        }
    }
    assert!(compared.iter().all(|inputs| *inputs >= 30), "{compared:?}");
}

#[test]
fn what_a_host_refuses_is_looked_at() {
    let mut random = fastrand::Rng::with_seed(1);
    let inputs = iter::repeat_with(|| iter::repeat_with(|| random.u8(..)).take(800).collect::<Vec<_>>());
    let looked: Vec<Looked> = inputs.take(1_000).map(|input| play(&input, |_| ())).collect();
    let (stripped, blind) = looked.iter().fold((0, 0), |sum, of| (sum.0 + of.stripped, sum.1 + of.blind));
    assert!(stripped >= 100 && blind >= 3, "{stripped}, {blind}");
}

#[test]
fn a_header_of_a_client_is_found() {
    let ours = ours(&OutputHeaders::default(), false);
    assert_stripped(&ours, &HeaderMap::request().with("x-canary-version", "v2").with("x-other", SPOOFED));
    for value in [SPOOFED.to_owned(), format!("v2,{SPOOFED}")] {
        let passed = HeaderMap::request().with("x-canary-version", value);
        assert!(catch_unwind(|| assert_stripped(&ours, &passed)).is_err(), "{passed:?}");
    }
}
