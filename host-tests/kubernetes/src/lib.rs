//! What Kubernetes would say to the resources of the repository, without a cluster: whether each is valid by the definitions of
//! Istio, Gateway API and Envoy Gateway, and what becomes of it by the `kubectl patch` lines of the READMEs.

mod builtin;
mod cel;
mod crds;
mod defaults;
mod kind;
mod lists;
mod markdown;
mod metadata;
mod patch;
mod places;
mod resources;
mod schema;
mod shell;

use std::path::{Path, PathBuf};

pub use builtin::round_trip;
pub use crds::{Catalogue, SETS, Set};
pub use kind::{Kind, Problem};
pub use metadata::{Scope, metadata_problems};
pub use patch::{Form, PatchLine, lines_of_resource, lines_of_text};
pub use resources::{Resource, read, read_among_others, resources};

/// The root of the repository.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder).to_owned()
}
