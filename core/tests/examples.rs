//! Every rules document that stands in a text or a manifest of the repository is a sound one.

mod repository;

use std::path::Path;

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
