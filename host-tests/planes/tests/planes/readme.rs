//! The lines of `kubectl patch` in the READMEs of the manifests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serin_kubernetes::{PatchLine, lines_of_text, root};

/// The patch of a resource of this kind that has this text in it, as JSON without spaces and with fields by their names.
pub(crate) fn patch(readme: &str, kind: &str, has: &str) -> Result<PatchLine> {
    let file = Path::new("manifests").join(readme);
    let text = fs::read_to_string(root().join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = lines_of_text(&root(), &file, &text)?;
    let found = lines.into_iter().find(|line| line.kind == kind && line.patch.to_string().contains(has));
    found.with_context(|| format!("{readme} has no patch of {kind} with {has}"))
}
