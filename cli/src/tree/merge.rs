//! Merge keys (`<<: *anchor`), an addition to YAML 1.1 that the reader of Kubernetes knows.

use std::collections::BTreeMap;

use super::{Entry, Value};

/// The name of the field whose value is merged.
pub(crate) const MERGE: &str = "<<";

/// A field by its name: where in the object it is, and whether it was merged.
type Known = BTreeMap<String, (usize, bool)>;

/// The fields with those that are merged into them. As seen in sigs.k8s.io/yaml 1.6.0, of a merged and another one whichever
/// stands later counts, and of several objects in a list the first.
pub(super) fn merged(file: &str, entries: Vec<Entry>) -> Vec<Entry> {
    if !entries.iter().any(|entry| is_merge(file, entry)) {
        return entries;
    }
    let (mut fields, mut known) = (Vec::new(), Known::new());
    for entry in entries {
        if !is_merge(file, &entry) {
            add(&mut fields, &mut known, entry, false);
            continue;
        }
        let objects = if let Value::List(items) = entry.tree.value { items } else { vec![entry.tree] };
        for object in objects.into_iter().rev() {
            let Value::Map(entries) = object.value else { continue };
            entries.into_iter().for_each(|entry| add(&mut fields, &mut known, entry, true));
        }
    }
    fields
}

/// Adds a field, or puts it in the place of one with that name if either was merged.
fn add(fields: &mut Vec<Entry>, known: &mut Known, entry: Entry, is_merged: bool) {
    match known.get_mut(&entry.name) {
        Some((index, was_merged)) if is_merged || *was_merged => {
            *was_merged = is_merged;
            if let Some(field) = fields.get_mut(*index) {
                *field = entry;
            }
        }
        _ => {
            known.insert(entry.name.clone(), (fields.len(), is_merged));
            fields.push(entry);
        }
    }
}

/// Whether a field is a merge key, without quotes, with an object or a list of objects.
fn is_merge(file: &str, entry: &Entry) -> bool {
    let is_mergeable = match &entry.tree.value {
        Value::Map(_) => true,
        Value::List(items) => items.iter().all(|item| matches!(item.value, Value::Map(_))),
        _ => false,
    };
    is_mergeable && file.get(entry.name_span.clone()) == Some(MERGE)
}
