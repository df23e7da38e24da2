//! Finding rules documents in files: bare ones, and those inside the resources that carry them to a proxy.

mod envoy;
mod kubernetes;
mod likeness;

use std::collections::HashSet;

use crate::finding::Finding;
use crate::tree::{Entry, Reader, Tree, Value};
use likeness::{Likeness, has_field_of_ours, likeness};

/// A rules document in a file.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Where it is, such as `spec.pluginConfig of WasmPlugin shop/serin`; empty for a bare document.
    pub(crate) place: String,
    pub(crate) tree: Tree,
    /// Who reads it on its way to the filter.
    pub(crate) reader: Reader,
}

/// What was found in a file, and what should have been there and is not.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub(crate) found: Vec<Found>,
    /// Why there is no document where one should be.
    pub(crate) problems: Vec<Finding>,
    /// Plugin configurations of something else.
    pub(crate) others: Vec<String>,
}

/// Fields at the top of Envoy's own files, in case nothing else tells that they are that.
const OF_ENVOY: [&str; 9] = [
    "static_resources",
    "dynamic_resources",
    "resources",
    "configs",
    "filter_chains",
    "http_filters",
    "typed_config",
    "admin",
    "node",
];

/// Finds the documents in the values of a file.
pub(crate) fn find(file: &str, trees: &[Tree]) -> Search {
    let mut finder = Finder { file, reader: Reader::Itself, search: Search::default(), doubtful: Search::default() };
    trees.iter().for_each(|tree| finder.value(tree));
    finder.settled()
}

/// A search under way.
struct Finder<'f> {
    file: &'f str,
    /// Who reads the value in hand.
    reader: Reader,
    search: Search,
    /// What is a document, or a problem, only if there is nothing else: it may well be somebody else's.
    doubtful: Search,
}

impl Finder<'_> {
    fn settled(mut self) -> Search {
        if self.search.found.is_empty() && self.search.problems.is_empty() {
            self.search.found = self.doubtful.found;
            self.search.problems = self.doubtful.problems;
        }
        self.search
    }

    /// A value that stands in the file for itself.
    fn value(&mut self, tree: &Tree) {
        let is_of_envoy = || tree.entries().iter().any(|entry| OF_ENVOY.contains(&&*snake_case(&entry.name)));
        if is_resource(tree) {
            self.reader = Reader::Kubernetes;
            self.resource(tree, tree.get("kind").and_then(Tree::text).unwrap_or_default());
        } else if tree.items().iter().any(is_resource) {
            tree.items().iter().filter(|item| is_resource(item)).for_each(|item| self.value(item));
        } else if tree.get("rollouts").is_none() && (holds_configuration(tree) || is_of_envoy()) {
            self.reader = Reader::Envoy;
            self.envoy(tree, "");
        } else {
            self.reader = Reader::Itself;
            let like = if has_field_of_ours(tree) { Likeness::Ours } else { Likeness::Perhaps };
            self.take(like, String::new(), tree.clone(), self.reader);
        }
    }

    /// What goes where, by how much it looks like a document.
    fn by(&mut self, like: Likeness) -> &mut Search {
        if like == Likeness::Ours { &mut self.search } else { &mut self.doubtful }
    }

    /// Takes a value for a document, if it may be one.
    fn take(&mut self, like: Likeness, place: String, tree: Tree, reader: Reader) {
        match like {
            Likeness::Other => self.search.others.push(place),
            _ => self.by(like).found.push(Found { place, tree, reader }),
        }
    }

    /// The configuration in a field of an object.
    fn configuration(&mut self, parent: &Tree, name: &str, place: String) {
        if let Some(tree) = parent.get(name).filter(|tree| !tree.is_null()) {
            return self.take(likeness(tree), place, tree.clone(), self.reader);
        }
        let is_near = |entry: &&Entry| serin_core::nearest(&snake_case(&entry.name), [&*snake_case(name)]).is_some();
        let near = parent.entries().iter().find(is_near);
        let like = near.map_or(Likeness::Perhaps, |entry| likeness(&entry.tree));
        let span = near.map_or(&parent.span, |entry| &entry.name_span).clone();
        let finding = Finding::error("missing", span, format!("{name} is missing; expected a rules document in it"));
        let suggestion = near.map(|_| name.to_owned());
        self.by(like).problems.push(Finding { place, suggestion, ..finding });
    }

    /// Reports fields that stand twice in an object on the way to a document: of which one counts readers have their own views.
    fn repeated(&mut self, tree: &Tree, place: &str) {
        let mut seen = HashSet::new();
        for entry in tree.entries().iter().filter(|entry| !seen.insert(&*entry.name)) {
            let message = format!("{} stands here twice; expected it once", entry.name);
            let finding = Finding::error("duplicate-field", entry.name_span.clone(), message);
            self.search.problems.push(Finding { place: place.to_owned(), ..finding });
        }
    }
}

/// Whether a value is a resource of Kubernetes.
fn is_resource(tree: &Tree) -> bool {
    let is_text = |name| tree.get(name).and_then(Tree::text).is_some();
    (is_text("apiVersion") || is_text("kind")) && tree.get("rollouts").is_none()
}

/// Whether anything below is named as only Envoy's configurations are.
fn holds_configuration(tree: &Tree) -> bool {
    let is_one = |name: &str| matches!(name, "configuration" | "@type");
    tree.items().iter().any(holds_configuration)
        || tree.entries().iter().any(|entry| is_one(&entry.name) || holds_configuration(&entry.tree))
}

/// What stands somewhere, without its content.
fn kind_of(tree: &Tree) -> &'static str {
    match tree.value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
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
