//! Fields that are none where they stand.

use serin_core::ConfigError;

use super::SCHEMA;

/// What other systems call it, and what it is called here.
const ELSEWHERE: [(&str, &str); 22] = [
    ("value", "exact"),
    ("equals", "exact"),
    ("matches", "regex"),
    ("pattern", "regex"),
    ("startsWith", "prefix"),
    ("exists", "present"),
    ("host", "hosts"),
    ("hostnames", "hosts"),
    ("method", "methods"),
    ("queryParams", "query"),
    ("percent", "weight"),
    ("percentage", "weight"),
    ("setWeight", "weight"),
    ("duration", "for"),
    ("interval", "for"),
    ("service", "cluster"),
    ("backend", "cluster"),
    ("upstream", "cluster"),
    ("subset", "cluster"),
    ("default", "stable"),
    ("routes", "rules"),
    ("backends", "versions"),
];

/// So many places of one name are told.
const MOST_PLACES: usize = 3;

/// What the field is called here, where it belongs, or which fields there are.
pub(super) fn hint(error: &ConfigError, name: &str) -> Option<String> {
    let known = error.known()?;
    if error.suggestion().is_some() {
        return Some(format!("the fields here are {known}"));
    }
    let is_known = |wanted: &str| known.split(", ").any(|known| known == wanted);
    let here = ELSEWHERE.iter().find(|(other, here)| *other == name && is_known(here));
    here.map(|(_, here)| format!("here it is called {here}")).or_else(|| belongs(name))
}

/// Where a field of this name belongs.
fn belongs(name: &str) -> Option<String> {
    let places = SCHEMA.places_of(name);
    let told: Vec<&str> = places.iter().take(MOST_PLACES).map(String::as_str).collect();
    match (told.as_slice(), places.len()) {
        ([], _) => None,
        (_, count) if count > MOST_PLACES => None,
        _ => Some(format!("it belongs to {}", told.join(" or "))),
    }
}
