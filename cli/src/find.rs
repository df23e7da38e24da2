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
}

/// The fields of a document, by which it is known.
const FIELDS: [&str; 6] = ["rollouts", "cookie", "keys", "headers", "inbound", "access_log"];

/// Fields by which Envoy's own files are known.
const OF_ENVOY: [&str; 8] =
    ["static_resources", "dynamic_resources", "resources", "typed_config", "configuration", "@type", "admin", "node"];

/// Finds the documents in a value of a file.
pub(crate) fn find(file: &str, tree: &Tree) -> Search {
    let text = |name| tree.get(name).and_then(Tree::text);
    match (text("apiVersion"), text("kind")) {
        (Some(_), Some(kind)) => {
            let mut search = Search::by(Reader::Kubernetes);
            search.resource(file, tree, kind);
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
                    self.configuration(filter.get("config"), &filter.span, place);
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
            _ => self.envoy(file, tree, &format!(" of {resource}")),
        }
    }

    /// The configuration of a plugin at a path of a resource.
    fn plugin(&mut self, tree: &Tree, path: &[&str], resource: &str) {
        let parent = path.split_last().and_then(|(_, parents)| tree.at(parents)).unwrap_or(tree);
        self.configuration(tree.at(path), &parent.span, format!("{} of {resource}", path.join(".")));
    }

    fn configuration(&mut self, tree: Option<&Tree>, parent: &Range<usize>, place: String) {
        match tree.filter(|tree| !tree.is_null()) {
            Some(tree) if is_ours(tree) => {
                self.found.push(Found { place, tree: tree.clone(), reader: self.reader });
            }
            Some(_) => self.others.push(place),
            None => {
                let message = "no configuration; expected a rules document".to_owned();
                self.problems.push(Problem { span: parent.clone(), place, code: "missing", message });
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
