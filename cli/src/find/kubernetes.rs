//! Configurations in the resources of Kubernetes.

use super::likeness::{Likeness, likeness};
use super::{Finder, is_resource, kind_of};
use crate::finding::Finding;
use crate::tree::{Entry, Tree, Value};

/// The kinds of resources that carry a document in a place of its own.
const KINDS: [&str; 3] = ["WasmPlugin", "TrafficExtension", "EnvoyExtensionPolicy"];

/// Names that a document goes by in one of them, or that its own field has.
const NAMES: [&str; 3] = ["pluginConfig", "config", "rollouts"];

/// The field of a resource that a document belongs to.
#[derive(Clone, Copy)]
struct Home<'a> {
    /// The kind of the resource, as it stands in a sentence.
    kind: &'a str,
    /// The path of the field.
    path: &'a str,
    /// Its name.
    name: &'a str,
}

impl Finder<'_> {
    /// A resource of a kind.
    pub(super) fn resource(&mut self, tree: &Tree, kind: &str) {
        let name = |field| tree.at(&["metadata", field]).and_then(Tree::text);
        let namespace = name("namespace").map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let resource = format!("{kind} {namespace}{}", name("name").unwrap_or("without a name"));
        match (kind, kind.strip_suffix("List")) {
            ("WasmPlugin", _) => self.plugin(tree, "a WasmPlugin", &["spec"], &resource),
            ("TrafficExtension", _) if tree.at(&["spec", "lua"]).is_some() => {}
            ("TrafficExtension", _) => self.plugin(tree, "a TrafficExtension", &["spec", "wasm"], &resource),
            ("EnvoyExtensionPolicy", _) => self.policy(tree, &resource),
            (_, Some(of_items)) => self.list(tree, of_items, &resource),
            ("ConfigMap", _) => {
                self.search.others.push(format!("the data of {resource}, whose texts are not looked into,"));
            }
            _ => self.of_another_kind(tree, kind, resource),
        }
    }

    /// A list of resources. Those of one kind need not say it again.
    fn list(&mut self, tree: &Tree, of_items: &str, resource: &str) {
        self.repeated(tree, resource);
        for item in tree.get("items").map_or(&[][..], Tree::items) {
            match item.get("kind").and_then(Tree::text) {
                None if !of_items.is_empty() => self.resource(item, of_items),
                kind if is_resource(item) => self.resource(item, kind.unwrap_or_default()),
                _ => {}
            }
        }
    }

    /// A resource that may hold a configuration of Envoy, or whose kind is nearly one of ours.
    fn of_another_kind(&mut self, tree: &Tree, kind: &str, resource: String) {
        let before = self.search.found.len();
        self.envoy(tree, &format!(" of {resource}"));
        let span = tree.get("kind").map_or(&tree.span, |kind| &kind.span).clone();
        let suggestion = serin_core::nearest(kind, KINDS).filter(|_| self.search.found.len() == before);
        let finding = match suggestion {
            _ if kind.is_empty() => Finding::error("missing", span, "kind is missing; expected one such as WasmPlugin"),
            Some(_) => Finding::error("wrong-value", span, format!("found kind {kind}")),
            None => return,
        };
        self.search.problems.push(Finding { place: resource, suggestion, ..finding });
    }

    /// A resource with one plugin, whose configuration is in an object at a path.
    fn plugin(&mut self, tree: &Tree, kind: &str, parents: &[&str], resource: &str) {
        for length in 0..=parents.len() {
            let parent = parents.get(..length).and_then(|path| tree.at(path));
            parent.into_iter().for_each(|parent| self.repeated(parent, resource));
        }
        let path = format!("{}.pluginConfig", parents.join("."));
        let home = Home { kind, path: &path, name: "pluginConfig" };
        let place = format!("{path} of {resource}");
        let nothing = Tree { span: tree.span.clone(), value: Value::Null };
        let parent = tree.at(parents).unwrap_or(&nothing);
        let is_missing = parent.get(home.name).is_none_or(Tree::is_null);
        let objects = [Some(tree), tree.get("spec"), tree.at(&["spec", "wasm"])];
        let mut objects = objects.into_iter().flatten().filter(|_| is_missing);
        match objects.find_map(|object| misplaced(object, parent, home, &place)) {
            Some(finding) => self.search.problems.push(finding),
            None => self.configuration(parent, home.name, place),
        }
    }

    /// A resource with any number of plugins.
    fn policy(&mut self, tree: &Tree, resource: &str) {
        let (spec, wasm) = (tree.get("spec"), tree.at(&["spec", "wasm"]));
        [Some(tree), spec].into_iter().flatten().for_each(|object| self.repeated(object, resource));
        let home = Home { kind: "an EnvoyExtensionPolicy", path: "spec.wasm[].config", name: "config" };
        let place = format!("{} of {resource}", home.path);
        let nothing = Tree { span: tree.span.clone(), value: Value::Null };
        let objects = [Some(tree), spec].into_iter().flatten();
        self.search.problems.extend(objects.filter_map(|object| misplaced(object, &nothing, home, &place)));
        if let Some(wasm) = wasm.filter(|wasm| !matches!(wasm.value, Value::List(_) | Value::Null)) {
            let message = format!("found {}; expected a list of filters, such as - name: serin", kind_of(wasm));
            let finding = Finding::error("wrong-value", wasm.span.clone(), message);
            let place = format!("spec.wasm of {resource}");
            self.search.problems.push(Finding { place, ..finding });
        }
        for (index, filter) in wasm.map_or(&[][..], Tree::items).iter().enumerate() {
            let path = format!("spec.wasm[{index}].config");
            let place = format!("{path} of {resource}");
            self.repeated(filter, &place);
            match misplaced(filter, filter, Home { path: &path, ..home }, &place) {
                Some(finding) if filter.get(home.name).is_none_or(Tree::is_null) => self.search.problems.push(finding),
                _ => self.configuration(filter, home.name, place),
            }
        }
    }
}

/// A document in another field of an object than it belongs to; `parent` is the object that has the right one.
fn misplaced(object: &Tree, parent: &Tree, home: Home<'_>, place: &str) -> Option<Finding> {
    let Home { kind, path, name } = home;
    let is_parent = std::ptr::eq(object, parent);
    let is_one = |entry: &&Entry| {
        let is_ours = entry.name == "rollouts" || likeness(&entry.tree) == Likeness::Ours;
        NAMES.contains(&&*entry.name) && is_ours && !(is_parent && entry.name == name)
    };
    let entry = object.entries().iter().find(is_one)?;
    let found = &entry.name;
    let is_called_so = is_parent && found != "rollouts";
    let message = if is_called_so {
        format!("{found} stands here; in {kind} it is called {name}")
    } else {
        format!("{found} stands here; in {kind} the document belongs to {path}")
    };
    let suggestion = is_called_so.then(|| name.to_owned());
    let finding = Finding::error("missing", entry.name_span.clone(), message);
    Some(Finding { place: place.to_owned(), suggestion, ..finding })
}
