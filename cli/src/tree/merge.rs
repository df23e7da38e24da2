//! Merge keys (`<<: *anchor`), an addition to YAML 1.1 that the reader of Kubernetes knows.

use std::collections::BTreeSet;

use super::{Entry, Tree, Value};

/// The name of the field whose value is merged.
pub(crate) const MERGE: &str = "<<";

/// The fields with those that are merged into them: of one name the object's own comes first, then those of the values in their
/// order.
pub(super) fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let is_merge = |entry: &Entry| entry.name == MERGE && is_mergeable(&entry.tree);
    let (merges, mut fields): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(is_merge);
    let mut names: BTreeSet<String> = fields.iter().filter(|_| !merges.is_empty()).map(|of| of.name.clone()).collect();
    let objects = merges.into_iter().flat_map(|merge| match merge.tree.value {
        Value::List(items) => items,
        _ => vec![merge.tree],
    });
    for object in objects {
        let Value::Map(entries) = object.value else { continue };
        fields.extend(entries.into_iter().filter(|entry| names.insert(entry.name.clone())));
    }
    fields
}

/// Whether it is an object, or a list of objects.
fn is_mergeable(tree: &Tree) -> bool {
    let is_object = |tree: &Tree| matches!(tree.value, Value::Map(_));
    is_object(tree) || (!tree.items().is_empty() && tree.items().iter().all(is_object))
}
