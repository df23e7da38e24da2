//! Every rules document that stands in a text or a manifest of the repository is a sound one, and does what it says where
//! that is more than one feature.

mod common;
mod repository;

use std::path::Path;

use common::{Request, outcome, rules};
use serin_core::{Rules, Surroundings};

#[test]
fn documents_in_texts_and_manifests() {
    let documents = repository::documents();
    // The documents name their secrets by variables of the environment; any secret will do.
    let env = |_: &str| Some("a secret of no importance".to_owned());
    let surroundings = Surroundings { env: &env, ..Surroundings::default() };
    for (file, document) in &documents {
        let parsed = Rules::parse(document.to_string().as_bytes(), &surroundings);
        let errors: Vec<String> = parsed.errors.iter().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{}: {errors:?} in {document}", file.display());
    }
    for expected in ["README.md", "docs/rules.md", "manifests/envoy/serin.yaml"] {
        assert!(documents.iter().any(|(file, _)| file == Path::new(expected)), "no document found in {expected}");
    }
}

#[test]
fn new_sessions_alone_go_to_the_new_version() {
    let example = Path::new("manifests/rules/new-sessions.yaml");
    let (_, document) = repository::documents().into_iter().find(|(file, _)| file == example).unwrap();
    let at = |weight: u32| {
        let mut document = document.clone();
        document["rollouts"]["shop"]["versions"]["v2"]["weight"] = weight.into();
        rules(&document.to_string())
    };
    let shop = |cookies: &str| Request::to("shop.example.com", "/").with("cookie", cookies);
    assert_eq!(outcome(&at(100), &shop("sid=7"), 0).answer, "shop/v1/rule");
    for (weight, answers) in [(0, "shop/v1/slot"), (100, "shop/v2/slot")] {
        let first = outcome(&at(weight), &shop("a=b"), 0);
        assert_eq!(first.answer, answers);
        let back = shop(&format!("sid=7; {}", first.cookies()));
        for later in [0, 50, 100] {
            assert_eq!(outcome(&at(later), &back, 0).answer, answers.replace("slot", "held"), "{weight}, then {later}");
        }
    }
}
