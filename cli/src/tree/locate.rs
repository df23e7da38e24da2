//! Where in a file an error of the core stands.

use std::ops::Range;

use serin_core::{About, ConfigError, Step};

use super::{Entry, Tree, Value};

/// The bytes of the file that an error is about: a name, a value, or, where something is missing, what it is missing in.
pub(crate) fn locate(file: &str, document: &Tree, error: &ConfigError) -> Range<usize> {
    let steps = error.steps();
    let found = follow(Spot { tree: document, name: None }, &steps, error.about());
    let arrived = found.steps == steps.len();
    let named = found.spot.name.filter(|_| !arrived || error.about() != About::Value || !is_scalar(found.spot.tree));
    first_line(file, named.unwrap_or(&found.spot.tree.span))
}

impl Tree {
    /// The value at a path, if there is one.
    pub(crate) fn follow(&self, steps: &[Step]) -> Option<&Self> {
        let found = follow(Spot { tree: self, name: None }, steps, About::Value);
        (found.steps == steps.len()).then_some(found.spot.tree)
    }
}

/// A value, and the name that it stands behind.
#[derive(Clone, Copy)]
struct Spot<'t> {
    tree: &'t Tree,
    name: Option<&'t Range<usize>>,
}

/// The last value on a path that is there, and how many steps lead to it.
struct Found<'t> {
    spot: Spot<'t>,
    steps: usize,
}

/// Goes as far as there is something. Where a field stands there twice, the first one that leads further is taken, and for what
/// is said of the repetition itself the last one.
fn follow<'t>(from: Spot<'t>, steps: &[Step], about: About) -> Found<'t> {
    let Some((step, rest)) = steps.split_first() else { return Found { spot: from, steps: 0 } };
    let next: Vec<Spot<'t>> = match step {
        Step::Item(index) => from.tree.items().get(*index).map(|tree| Spot { tree, name: None }).into_iter().collect(),
        Step::Field(name) => fields(from.tree, |found| found == name),
        Step::LongField(start) => fields(from.tree, |found| found.len() > start.len() && found.starts_with(&**start)),
    };
    if let (About::Repetition, [], Some(last)) = (about, rest, next.last()) {
        return Found { spot: *last, steps: 1 };
    }
    let ends = next.into_iter().map(|spot| follow(spot, rest, about));
    let furthest = ends.reduce(|best, other| if other.steps > best.steps { other } else { best });
    furthest.map_or(Found { spot: from, steps: 0 }, |found| Found { steps: found.steps + 1, ..found })
}

fn fields(tree: &Tree, wanted: impl Fn(&str) -> bool) -> Vec<Spot<'_>> {
    let named = tree.entries().iter().filter(|entry| wanted(&entry.name));
    named.map(|Entry { name_span, tree, .. }| Spot { tree, name: Some(name_span) }).collect()
}

fn is_scalar(tree: &Tree) -> bool {
    !matches!(tree.value, Value::List(_) | Value::Map(_))
}

/// The part of a span that stands on its first line.
fn first_line(file: &str, span: &Range<usize>) -> Range<usize> {
    let text = file.get(span.clone()).unwrap_or_default();
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    span.start..span.start + end
}
