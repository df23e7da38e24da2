//! Fields that are none where they stand.

use serin_core::ConfigError;

use super::SCHEMA;

/// What other systems call it, a field that is known where it is meant, and what it is called there.
const ELSEWHERE: [(&str, &str, &str); 34] = [
    ("value", "suffix", "exact"),
    ("value", "prefix", "exact or prefix"),
    ("equals", "exact", "exact"),
    ("matches", "regex", "regex"),
    ("pattern", "regex", "regex"),
    ("startsWith", "prefix", "prefix"),
    ("exists", "present", "present"),
    ("host", "hosts", "hosts"),
    ("hostnames", "hosts", "hosts"),
    ("authority", "hosts", "hosts"),
    ("uri", "path", "path"),
    ("method", "methods", "methods"),
    ("queryParams", "query", "query"),
    ("queryParameters", "query", "query"),
    ("withoutHeaders", "headers", "headers, with invert: true"),
    ("match", "when", "when"),
    ("version", "use", "use"),
    ("route", "use", "use"),
    ("percent", "weight", "weight"),
    ("percentage", "weight", "weight"),
    ("setWeight", "weight", "weight"),
    ("canary-weight", "weight", "weight"),
    ("from", "weight", "weight"),
    ("pause", "for", "for, of the step before it"),
    ("interval", "window", "window"),
    ("duration", "for", "for"),
    ("service", "cluster", CLUSTER),
    ("backend", "cluster", CLUSTER),
    ("upstream", "cluster", CLUSTER),
    ("subset", "cluster", CLUSTER),
    ("default", "stable", "stable"),
    ("analysis", "guard", "guard"),
    ("strategy", "schedule", "schedule"),
    ("backends", "versions", "versions"),
];

/// What a service or a subset is to a version.
const CLUSTER: &str = "cluster, which is the name of an Envoy cluster, as config_dump shows it";

/// What people look for in `sticky`, which is so without it.
const UNNEEDED: [&str; 2] = ["cookie", "cookieName"];

/// So many places of one name are told.
const MOST_PLACES: usize = 3;

/// What the field is called here, where it belongs, or which fields there are.
pub(super) fn hint(error: &ConfigError, name: &str) -> Option<String> {
    let known = error.known()?;
    if error.suggestion().is_some() {
        return Some(format!("the fields here are {known}"));
    }
    if let Some((name, value)) = name.split_once(':') {
        return Some(format!("a space stands behind a colon: {name}: {value}"));
    }
    let is_known = |wanted: &str| known.split(", ").any(|of| of == wanted);
    if UNNEEDED.contains(&name) && is_known("hold") {
        let text = "the visitor cookie keeps visitors as it is; its name is cookie.name at the top of the document";
        return Some(text.to_owned());
    }
    let here = ELSEWHERE.iter().find(|(other, wanted, _)| *other == name && is_known(wanted));
    here.map(|(.., here)| format!("here it is called {here}")).or_else(|| belongs(name))
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
