//! The resources of `manifests/` and `docs/`: valid in every release that they are for, pinned, and open to the patches of the texts.

mod bad;
mod documents;
mod patches;
mod pins;
mod schemas;
mod valid;

use std::io::Write as _;
use std::path::Path;
use std::sync::Once;

use serin_kubernetes::{Catalogue, Resource, resources, root};

/// Where documents stand that are no resources.
const OTHERS: [&str; 5] = [
    "manifests/docker-compose",
    "manifests/envoy",
    "manifests/istio/keys/gateway-values.yaml",
    "manifests/istio/telemetry/mesh-config.yaml",
    "manifests/rules",
];

/// All resources of manifests and texts.
fn all() -> Vec<Resource> {
    [manifests(), resources(&root(), "docs", &[]).unwrap()].concat()
}

/// The resources of manifests and their texts.
fn manifests() -> Vec<Resource> {
    resources(&root(), "manifests", &OTHERS).unwrap()
}

/// The definitions, which stand beside the repository; `None` where they do not, and then what needs them is skipped.
fn catalogue() -> Option<Catalogue> {
    let folder = root().join("../shared/crds");
    let catalogue = Catalogue::open(&folder);
    static SAID: Once = Once::new();
    if catalogue.is_none() {
        let line = format!(
            "   SKIPPED  nothing is held against definitions of kinds, which are not at {}\n",
            folder.display()
        );
        // The macros write into the output of a test, which nobody sees where it passes.
        SAID.call_once(|| std::io::stderr().write_all(line.as_bytes()).unwrap());
    }
    catalogue
}

/// Whether a file is one of the manifests, and not a text about them.
fn is_manifest(file: &Path) -> bool {
    file.starts_with("manifests") && file.extension().is_some_and(|end| end != "md")
}
