//! Finding rules documents in files: bare ones, and those inside the resources that carry them to a proxy.

mod envoy;

use std::ops::Range;

use crate::tree::{Entry, Reader, Tree, Value};

/// A rules document in a file.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Where it is, such as `spec.pluginConfig of WasmPlugin shop/serin`; empty for a bare document.
    pub(crate) place: String,
    pub(crate) tree: Tree,
    /// Who reads it on its way to the filter.
    pub(crate) reader: Reader,
}

/// What was found in a value of a file, and what should have been one and is not.
#[derive(Debug)]
pub(crate) struct Search {
    /// Who reads the file.
    reader: Reader,
    pub(crate) found: Vec<Found>,
    pub(crate) problems: Vec<Problem>,
    /// Plugin configurations of something else.
    pub(crate) others: Vec<String>,
}

/// Why there is no document where one should be.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) span: Range<usize>,
    pub(crate) place: String,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) suggestion: Option<String>,
}

/// The fields of a document, by which it is known.
const FIELDS: [&str; 6] = ["rollouts", "cookie", "keys", "headers", "inbound", "access_log"];

/// Fields by which Envoy's own files are known.
const OF_ENVOY: [&str; 8] =
    ["static_resources", "dynamic_resources", "resources", "typed_config", "configuration", "@type", "admin", "node"];

/// The kinds of resources that carry a document in a place of its own.
const KINDS: [&str; 3] = ["WasmPlugin", "TrafficExtension", "EnvoyExtensionPolicy"];

/// Finds the documents in a value of a file.
pub(crate) fn find(file: &str, tree: &Tree) -> Search {
    let text = |name| tree.get(name).and_then(Tree::text);
    let is_bare = tree.get("rollouts").is_some();
    match (text("apiVersion"), text("kind")) {
        (Some(_), _) | (_, Some(_)) if !is_bare => {
            let mut search = Search::by(Reader::Kubernetes);
            search.resource(file, tree, text("kind").unwrap_or_default());
            search
        }
        _ if tree.entries().iter().any(|entry| OF_ENVOY.contains(&&*snake_case(&entry.name))) => {
            let mut search = Search::by(Reader::Envoy);
            search.envoy(file, tree, "");
            search
        }
        _ => {
            let found = vec![Found { place: String::new(), tree: tree.clone(), reader: Reader::Itself }];
            Search { found, ..Search::by(Reader::Itself) }
        }
    }
}

impl Search {
    fn by(reader: Reader) -> Self {
        Self { reader, found: Vec::new(), problems: Vec::new(), others: Vec::new() }
    }

    /// Whether there is neither a document nor anything that should have been one.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.problems.is_empty()
    }

    /// A resource of Kubernetes.
    fn resource(&mut self, file: &str, tree: &Tree, kind: &str) {
        let name = |field| tree.at(&["metadata", field]).and_then(Tree::text);
        let namespace = name("namespace").map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let resource = format!("{kind} {namespace}{}", name("name").unwrap_or("without a name"));
        match kind {
            "WasmPlugin" => self.plugin(tree, &["spec", "pluginConfig"], &resource),
            "TrafficExtension" if tree.at(&["spec", "lua"]).is_some() => {}
            "TrafficExtension" => self.plugin(tree, &["spec", "wasm", "pluginConfig"], &resource),
            "EnvoyExtensionPolicy" => {
                let filters = tree.at(&["spec", "wasm"]).map_or(&[][..], Tree::items);
                for (index, filter) in filters.iter().enumerate() {
                    let place = format!("spec.wasm[{index}].config of {resource}");
                    self.configuration(filter, "config", place);
                }
            }
            _ if kind.ends_with("List") => {
                for item in tree.get("items").map_or(&[][..], Tree::items) {
                    let within = find(file, item);
                    self.found.extend(within.found.into_iter().filter(|found| !found.place.is_empty()));
                    self.problems.extend(within.problems);
                    self.others.extend(within.others);
                }
            }
            "ConfigMap" => self.others.push(format!("the data of {resource}, whose texts are not looked into,")),
            _ => {
                self.envoy(file, tree, &format!(" of {resource}"));
                self.check_kind(tree, kind, resource);
            }
        }
    }

    /// A kind that is nearly one of ours.
    fn check_kind(&mut self, tree: &Tree, kind: &str, place: String) {
        let suggestion = serin_core::nearest(kind, KINDS).filter(|_| self.is_empty());
        let (span, message) = match tree.get("kind") {
            Some(found) if suggestion.is_some() => (&found.span, format!("found kind {kind}")),
            None => (&tree.span, "kind is missing; expected one such as WasmPlugin".to_owned()),
            Some(_) => return,
        };
        let code = if kind.is_empty() { "missing" } else { "wrong-value" };
        self.problems.push(Problem { span: span.clone(), place, code, message, suggestion });
    }

    /// The configuration of a plugin at a path of a resource.
    fn plugin(&mut self, tree: &Tree, path: &[&str], resource: &str) {
        let parent = path.split_last().and_then(|(_, parents)| tree.at(parents)).unwrap_or(tree);
        let name = path.last().copied().unwrap_or_default();
        self.configuration(parent, name, format!("{} of {resource}", path.join(".")));
    }

    /// The configuration in a field of an object.
    fn configuration(&mut self, parent: &Tree, name: &str, place: String) {
        match parent.get(name).filter(|tree| !tree.is_null()) {
            Some(tree) if is_ours(tree) => {
                self.found.push(Found { place, tree: tree.clone(), reader: self.reader });
            }
            Some(_) => self.others.push(place),
            None => {
                let is_near =
                    |entry: &&Entry| serin_core::nearest(&snake_case(&entry.name), [&*snake_case(name)]).is_some();
                let near = parent.entries().iter().find(is_near);
                let span = near.map_or(&parent.span, |entry| &entry.name_span).clone();
                let message = format!("{name} is missing; expected a rules document in it");
                let suggestion = near.map(|_| name.to_owned());
                self.problems.push(Problem { span, place, code: "missing", message, suggestion });
            }
        }
    }
}

/// Whether a configuration is meant as a rules document: it has rollouts, or nearly so, or nothing but other fields of one.
fn is_ours(tree: &Tree) -> bool {
    let is_rollouts = |entry: &Entry| serin_core::nearest(&entry.name, ["rollouts"]).is_some();
    match &tree.value {
        Value::Map(entries) => {
            entries.iter().any(is_rollouts) || entries.iter().all(|entry| FIELDS.contains(&&*entry.name))
        }
        // The configuration of something else would be an object, so this is some mistake.
        _ => true,
    }
}

/// Envoy takes the names of fields in either form.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
