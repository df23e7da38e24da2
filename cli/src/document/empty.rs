//! Fields behind whose names nothing stands, which is as if they were not there.

use serin_core::steps;

use crate::finding::{Finding, Severity};
use crate::hints::takes_object;
use crate::secrets::steps_to_secret;
use crate::tree::{Tree, path_below};

/// A warning for each of them. A `null` that is written out is surely meant.
pub(super) fn empty_fields(file: &str, document: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    collect(file, document, "", &mut found);
    found
}

fn collect(file: &str, tree: &Tree, path: &str, found: &mut Vec<Finding>) {
    for (index, item) in tree.items().iter().enumerate() {
        collect(file, item, &format!("{path}[{index}]"), found);
    }
    for entry in tree.entries() {
        let below = path_below(path, &entry.name);
        if steps_to_secret(&steps(&below)).is_some() {
            continue;
        }
        let is_empty = entry.tree.is_null() && file.get(entry.tree.span.clone()).is_none_or(str::is_empty);
        if is_empty {
            let none = if takes_object(&steps(&below)) { ", or {} for one without fields" } else { "" };
            let message =
                format!("nothing stands behind {}, as if it were not there; expected a value{none}", entry.name);
            let finding = Finding::error("empty-field", entry.name_span.clone(), message);
            found.push(Finding { severity: Severity::Warning, path: below, ..finding });
        } else {
            collect(file, &entry.tree, &below, found);
        }
    }
}
