//! What helps beside a mistake: an example of what may stand there, or what was probably meant.

use std::sync::LazyLock;

use serin_core::{ConfigError, Step, nearest};

use crate::schema::{Place, Schema};
use crate::tree::{Entry, Tree, Value};

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::new);

/// What to do about a mistake, if there is more to say than the mistake does.
pub(crate) fn hint(document: &Tree, error: &ConfigError) -> Option<String> {
    let steps = error.steps();
    match error.code() {
        "unknown-field" => error.suggestion().and(error.known()).map(|known| format!("the fields here are {known}")),
        "wrong-value" if error.message().contains("such as") => None,
        "wrong-value" => {
            let place = SCHEMA.at(&steps)?;
            let nearly = document.follow(&steps).and_then(|value| nearly_right(value, &steps, &place));
            nearly.or_else(|| Some(format!("such as {}", place.example()?)))
        }
        "missing" => match misnamed(document, &steps) {
            Some(Entry { name, .. }) => Some(format!("{name} is unknown, and may be meant for it")),
            None => Some(format!("such as {}: {}", name_of(&steps)?, SCHEMA.at(&steps)?.example()?)),
        },
        _ => None,
    }
}

/// The field that was probably meant to be the one that is missing at a path.
pub(crate) fn misnamed<'t>(document: &'t Tree, steps: &[Step]) -> Option<&'t Entry> {
    let (name, (_, parents)) = (name_of(steps)?, steps.split_last()?);
    let fields = SCHEMA.at(parents)?.fields();
    let is_field = |entry: &Entry| fields.iter().any(|field| field.name == entry.name);
    let mut entries = document.follow(parents)?.entries().iter();
    entries.find(|entry| !is_field(entry) && nearest(&entry.name, [name]).is_some())
}

/// The name at the end of a path.
pub(crate) fn name_of(steps: &[Step]) -> Option<&str> {
    if let Some(Step::Field(name)) = steps.last() { Some(name) } else { None }
}

/// What would make a value right that nearly is.
fn nearly_right(value: &Tree, steps: &[Step], place: &Place<'_>) -> Option<String> {
    match &value.value {
        Value::Text(text) => {
            let is_number = text.text.parse::<f64>().is_ok_and(f64::is_finite);
            let is_bool = matches!(&*text.text, "true" | "false");
            let wants_it = is_number && place.takes_number() || is_bool && place.takes("boolean");
            wants_it.then(|| format!("without quotes: {}", text.text))
        }
        Value::Number(number) if name_of(steps) == Some("weight") && number.fract() != 0.0 => {
            Some("parts of a percent need a larger total: with total: 1000 a weight of 5 is 0.5 %".to_owned())
        }
        _ => None,
    }
}
