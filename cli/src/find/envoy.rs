//! Configurations of Envoy's Wasm filter, wherever they are in a file.

use std::ops::Range;

use super::{Found, Problem, Search, is_ours};
use crate::tree::{Entry, Reader, SyntaxMistake, Tree, read_embedded};

/// Where a configuration is: a path, and the resource of Kubernetes that it is a path of, if it is one.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    of_resource: &'a str,
}

impl Search {
    /// Looks for configurations in all of a value; `of_resource` is how the name of a place ends.
    pub(super) fn envoy(&mut self, file: &str, tree: &Tree, of_resource: &str) {
        self.within(file, tree, Place { path: "", of_resource });
    }

    fn within(&mut self, file: &str, tree: &Tree, place: Place<'_>) {
        for (index, item) in tree.items().iter().enumerate() {
            self.within(file, item, Place { path: &format!("{}[{index}]", place.path), ..place });
        }
        for Entry { name, tree, .. } in tree.entries() {
            let dot = if place.path.is_empty() { "" } else { "." };
            let place = Place { path: &format!("{}{dot}{name}", place.path), ..place };
            if name == "configuration" { self.packed(file, tree, place) } else { self.within(file, tree, place) }
        }
    }

    /// A configuration in a `google.protobuf.Any`.
    fn packed(&mut self, file: &str, any: &Tree, place: Place<'_>) {
        let kind = any.get("@type").and_then(Tree::text).and_then(|name| name.rsplit(['/', '.']).next());
        match (kind, any.get("value")) {
            (Some("Struct"), Some(_)) => self.configuration(any, "value", place.value()),
            (Some("StringValue"), Some(value)) => self.packed_text(file, value, place),
            (None, _) if is_ours(any) => {
                let message = "Envoy wants to be told what this is; expected \"@type\": \
                               type.googleapis.com/google.protobuf.Struct, and the document as its value";
                self.problem(&any.span, place.name(), "missing", message);
                self.found.push(Found { place: place.name(), tree: any.clone(), reader: self.reader });
            }
            _ => self.others.push(place.name()),
        }
    }

    /// A configuration as a text, which is JSON if it is ours.
    fn packed_text(&mut self, file: &str, value: &Tree, place: Place<'_>) {
        match read_embedded(file, value) {
            None => self.problem(&value.span, place.value(), "wrong-value", "expected a text that holds JSON"),
            Some(Ok(tree)) if is_ours(&tree) => {
                self.found.push(Found { place: place.value(), tree, reader: Reader::Itself });
            }
            Some(Err(SyntaxMistake { at, message })) if value.text().is_some_and(|text| text.contains("rollouts")) => {
                self.problem(
                    &(at..at),
                    place.value(),
                    "syntax",
                    &format!("not JSON, as a StringValue has to be: {message}"),
                );
            }
            Some(_) => self.others.push(place.value()),
        }
    }

    fn problem(&mut self, span: &Range<usize>, place: String, code: &'static str, message: &str) {
        self.problems.push(Problem { span: span.clone(), place, code, message: message.to_owned(), suggestion: None });
    }
}

impl Place<'_> {
    fn name(self) -> String {
        format!("{}{}", self.path, self.of_resource)
    }

    /// That of the value inside of it.
    fn value(self) -> String {
        format!("{}.value{}", self.path, self.of_resource)
    }
}
