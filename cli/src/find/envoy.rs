//! Configurations of Envoy's Wasm filter, wherever they are in a file.

use super::likeness::{Likeness, likeness};
use super::{Finder, kind_of};
use crate::finding::Finding;
use crate::tree::{Entry, Reader, SyntaxMistake, Tree, path_below, read_embedded};

/// How a document may stand there that is no JSON.
const AS_STRUCT: &str =
    "with \"@type\": type.googleapis.com/google.protobuf.Struct the document may stand here as YAML";

/// Where a configuration is: a path, and the resource of Kubernetes that it is a path of, if it is one.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    of_resource: &'a str,
}

impl Finder<'_> {
    /// Looks for configurations in all of a value; `of_resource` is how the name of a place ends.
    pub(super) fn envoy(&mut self, tree: &Tree, of_resource: &str) {
        self.within(tree, Place { path: "", of_resource });
    }

    fn within(&mut self, tree: &Tree, place: Place<'_>) {
        let before = self.search.found.len();
        for (index, item) in tree.items().iter().enumerate() {
            self.within(item, Place { path: &format!("{}[{index}]", place.path), ..place });
        }
        for Entry { name, tree, .. } in tree.entries() {
            let place = Place { path: &path_below(place.path, name), ..place };
            if name == "configuration" { self.packed(tree, place) } else { self.within(tree, place) }
        }
        if self.search.found.len() > before {
            self.repeated(tree, &place.name());
        }
    }

    /// A configuration in a `google.protobuf.Any`.
    fn packed(&mut self, any: &Tree, place: Place<'_>) {
        self.repeated(any, &place.name());
        let kind = any.get("@type").and_then(Tree::text).and_then(|name| name.rsplit(['/', '.']).next());
        match (kind, any.get("value"), likeness(any)) {
            (Some("Struct"), Some(_), _) => self.configuration(any, "value", place.value()),
            (Some("StringValue"), Some(value), _) => self.packed_text(value, place),
            (Some("Struct"), None, Likeness::Ours) => {
                let message = "value is missing; expected the document in it, beside \"@type\"";
                let finding = Finding::error("missing", any.span.clone(), message);
                self.search.problems.push(Finding { place: place.name(), ..finding });
            }
            (None, _, like @ (Likeness::Ours | Likeness::Perhaps)) => {
                let message = "Envoy wants to be told what this is; expected \"@type\": \
                               type.googleapis.com/google.protobuf.Struct, and the document as its value";
                let finding = Finding::error("missing", any.span.clone(), message);
                self.by(like).problems.push(Finding { place: place.name(), ..finding });
                self.take(like, place.name(), any.clone(), self.reader);
            }
            _ => self.search.others.push(place.name()),
        }
    }

    /// A configuration as a text, which is JSON if it is ours.
    fn packed_text(&mut self, value: &Tree, place: Place<'_>) {
        let like = likeness(value);
        let finding = match read_embedded(self.file, value) {
            Some(Ok(tree)) => return self.take(likeness(&tree), place.value(), tree, Reader::Itself),
            Some(Err(SyntaxMistake { at, message, .. })) if like == Likeness::Ours => {
                let is_json = value.text().is_some_and(|text| text.trim_start().starts_with('{'));
                let hint = (!is_json).then(|| AS_STRUCT.to_owned());
                let message = format!("not JSON, as a StringValue has to be: {message}");
                Finding { hint, ..Finding::error("syntax", at..at, message) }
            }
            None if like != Likeness::Other => {
                let message = format!("found {}; expected a text that holds JSON", kind_of(value));
                let finding = Finding::error("wrong-value", value.span.clone(), message);
                Finding { hint: Some(AS_STRUCT.to_owned()), ..finding }
            }
            _ => return self.search.others.push(place.value()),
        };
        self.by(like).problems.push(Finding { place: place.value(), ..finding });
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
