//! Places in a resource, as Kubernetes writes them: `spec.rules[0].matches`.

use std::fmt::Display;

/// The place of a field.
pub(crate) fn field(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// The place of an item of a list.
pub(crate) fn item(place: &str, index: usize) -> String {
    format!("{place}[{index}]")
}

/// The place that a JSON pointer names.
pub(crate) fn of_pointer(pointer: &dyn Display) -> String {
    let pointer = pointer.to_string();
    pointer.split('/').skip(1).fold(String::new(), |place, part| match part.parse() {
        Ok(index) => item(&place, index),
        Err(_) => field(&place, &part.replace("~1", "/").replace("~0", "~")),
    })
}
