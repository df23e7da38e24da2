//! Where two documents differ.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::secrets::is_secret;
use crate::tree::{Entry, Tree, Value, path_below};

/// A place at which two documents differ.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    pub(crate) path: String,
    /// What stands there in the old document; none if nothing does.
    pub(crate) from: Option<Json>,
    /// The same of the new one.
    pub(crate) to: Option<Json>,
}

/// The places at which documents differ, in the order of the old one.
pub(crate) fn changes(old: &Tree, new: &Tree) -> Vec<Change> {
    let mut found = Vec::new();
    Place { path: String::new(), names: Vec::new() }.compare(Some(old), Some(new), &mut found);
    found
}

/// The path to a value, as text, and the names on it.
struct Place<'t> {
    path: String,
    names: Vec<&'t str>,
}

impl<'t> Place<'t> {
    fn compare(&self, old: Option<&'t Tree>, new: Option<&'t Tree>, found: &mut Vec<Change>) {
        // As the core has it, nothing is what is not there.
        let there = |tree: Option<&'t Tree>| tree.filter(|tree| !tree.is_null());
        let (old, new) = (there(old), there(new));
        match (old.map(|old| &old.value), new.map(|new| &new.value)) {
            (None, None) => {}
            (Some(Value::Map(before)), Some(Value::Map(after))) => {
                let (old, new) = (by_name(before), by_name(after));
                let is_new = |entry: &&Entry| !old.contains_key(&*entry.name);
                for Entry { name, .. } in before.iter().chain(after.iter().filter(is_new)) {
                    self.field(name).compare(old.get(&**name).copied(), new.get(&**name).copied(), found);
                }
            }
            (Some(Value::List(before)), Some(Value::List(after))) => {
                for index in 0..before.len().max(after.len()) {
                    self.item(index).compare(before.get(index), after.get(index), found);
                }
            }
            _ => {
                let shown = |tree: Option<&Tree>| tree.map(|tree| self.json(tree, &self.names));
                let is_same = old.zip(new).is_some_and(|(old, new)| old.to_node() == new.to_node());
                found.extend((!is_same).then(|| Change { path: self.path.clone(), from: shown(old), to: shown(new) }));
            }
        }
    }

    fn field(&self, name: &'t str) -> Self {
        let path = path_below(&self.path, name);
        Self { path, names: self.names.iter().copied().chain([name]).collect() }
    }

    fn item(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), names: self.names.clone() }
    }

    /// A value as JSON, without its secrets.
    fn json(&self, tree: &Tree, names: &[&str]) -> Json {
        match &tree.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::from(*value),
            Value::Text(text) if is_secret(names, &text.text) => Json::from("…"),
            Value::Text(text) => Json::from(&*text.text),
            Value::Number(_) if is_secret(names, "") => Json::from("…"),
            #[allow(clippy::cast_possible_truncation)] // Whole, and far inside i64.
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => Json::from(*number as i64),
            Value::Number(number) => Json::from(*number),
            Value::List(items) => items.iter().map(|item| self.json(item, names)).collect(),
            Value::Map(entries) => {
                let below = |name| names.iter().copied().chain([name]).collect::<Vec<&str>>();
                let fields = entries.iter().map(|of| (of.name.clone(), self.json(&of.tree, &below(&of.name))));
                Json::Object(fields.collect::<Map<String, Json>>())
            }
        }
    }
}

fn by_name(entries: &[Entry]) -> HashMap<&str, &Tree> {
    entries.iter().map(|entry| (&*entry.name, &entry.tree)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::read_yaml;

    #[track_caller]
    fn check(old: &str, new: &str, expected: &[(&str, Option<&str>, Option<&str>)]) {
        let tree = |text: &str| read_yaml(text).documents.remove(0);
        let found = changes(&tree(old), &tree(new));
        let text = |value: &Option<Json>| value.as_ref().map(Json::to_string);
        let found: Vec<_> = found.iter().map(|of| (&*of.path, text(&of.from), text(&of.to))).collect();
        let found: Vec<_> = found.iter().map(|(path, from, to)| (*path, from.as_deref(), to.as_deref())).collect();
        assert_eq!(found, expected, "{old}\n{new}");
    }

    #[test]
    fn places() {
        check("a: {b: 1}", "a: {b: 1.0, c: null}", &[]);
        check("a: {b: 1}", "a: {b: 2}", &[("a.b", Some("1"), Some("2"))]);
        check("a: {b: 1}", "a: {b: '1'}", &[("a.b", Some("1"), Some("\"1\""))]);
        check("a: [x]", "a: [x, y]", &[("a[1]", None, Some("\"y\""))]);
        check("a: 1, ", "b: {\"c d\": 1}", &[("a", Some("\"1,\""), None), ("b", None, Some("{\"c d\":1}"))]);
        check("a b: {\"c.d\": 1}", "a b: {\"c.d\": [2]}", &[("[\"a b\"][\"c.d\"]", Some("1"), Some("[2]"))]);
        check("keys: [{secret: abc}]", "keys: [{secret: def}]", &[("keys[0].secret", Some("\"…\""), Some("\"…\""))]);
        check("a: 1", "a: 1\nkeys: [{id: k, secret: b}]", &[("keys", None, Some("[{\"id\":\"k\",\"secret\":\"…\"}]"))]);
    }
}
