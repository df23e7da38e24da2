//! What helps beside a mistake: an example of what may stand there, or what was probably meant.

mod names;
mod values;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serin_core::{ConfigError, Step, nearest};

use crate::schema::Schema;
use crate::tree::{Entry, Tree};

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::new);

/// The names of all fields that there are.
static FIELDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| SCHEMA.names());

/// Whether some object of a document has a field of this name.
pub(crate) fn is_field(name: &str) -> bool {
    FIELDS.contains(name)
}

/// What to do about a mistake in a document of a file, if there is more to say than the mistake does.
pub(crate) fn hint(file: &str, document: &Tree, error: &ConfigError) -> Option<String> {
    let steps = error.steps();
    match error.code() {
        "unknown-field" => names::hint(error, name_of(&steps)?),
        "wrong-value" => values::hint(file, document, &steps, &error.message()),
        "conflict" => one_of(document, &steps, &error.message()),
        "missing" => match (empty(document, &steps), misnamed(document, &steps)) {
            (Some(_), _) => Some("what belongs to it stands below it, indented further".to_owned()),
            (_, Some(Entry { name, .. })) => Some(format!("{name} is unknown, and may be meant for it")),
            _ => Some(format!("such as {}: {}", name_of(&steps)?, SCHEMA.at(&steps)?.example()?)),
        },
        _ => None,
    }
}

/// Which fields there are where one of some is expected.
fn one_of(document: &Tree, steps: &[Step], message: &str) -> Option<String> {
    let expected = message.strip_prefix("expected one of ")?.replace(" and ", ", ");
    let value = document.follow(steps)?;
    let is_there = |name: &&str| value.get(name).is_some_and(|tree| !tree.is_null());
    let found: Vec<&str> = expected.split(", ").filter(is_there).collect();
    Some(match found.as_slice() {
        [] => "there is none of them".to_owned(),
        found => format!("there are {}, of which one counts alone", found.join(" and ")),
    })
}

/// The field that was probably meant to be the one that is missing at a path.
pub(crate) fn misnamed<'t>(document: &'t Tree, steps: &[Step]) -> Option<&'t Entry> {
    let (name, (_, parents)) = (name_of(steps)?, steps.split_last()?);
    let fields = SCHEMA.at(parents)?.fields();
    let is_field = |entry: &Entry| fields.iter().any(|field| field.name == entry.name);
    let mut entries = document.follow(parents)?.entries().iter();
    entries.find(|entry| !is_field(entry) && nearest(&entry.name, [name]).is_some())
}

/// The field that is missing at a path since nothing stands behind its name.
pub(crate) fn empty<'t>(document: &'t Tree, steps: &[Step]) -> Option<&'t Entry> {
    let (name, (_, parents)) = (name_of(steps)?, steps.split_last()?);
    document.follow(parents)?.entries().iter().find(|entry| entry.name == name && entry.tree.is_null())
}

/// Whether an object may stand at a path.
pub(crate) fn takes_object(steps: &[Step]) -> bool {
    SCHEMA.at(steps).is_some_and(|place| place.takes("object"))
}

/// The name at the end of a path.
pub(crate) fn name_of(steps: &[Step]) -> Option<&str> {
    if let Some(Step::Field(name)) = steps.last() { Some(name) } else { None }
}
