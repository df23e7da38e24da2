//! The JSON Schema of the rules document, with which editors complete and check it.
//!
//! The types of this module mirror the document: their comments are what an editor shows, and nothing else uses them.
//! What makes a document right is the reader in `document`; the schema says of it what a schema can say about one value
//! at a time. It never refuses what the reader takes, with one exception: a `null`, which the reader takes as absent,
//! is in a file that a person writes nearly always a value that was forgotten.

#![allow(dead_code, reason = "the fields are there for the derive alone")]

mod condition;
mod cookie;
mod document;
mod guard;
mod rollout;
mod schedule;
mod sticky;
mod text;
mod transforms;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The JSON Schema of the rules document, in draft 7, which editors know best.
///
/// The same value at every call. Objects refuse fields that they do not list, and no value may be `null`.
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft07();
    // First, since those of draft 7 look at what these leave.
    settings.transforms.splice(0..0, transforms::all());
    settings.into_generator().into_root_schema_for::<document::Document>().to_value()
}

/// The branches of an object that has one of these fields: in `oneOf` exactly one, in `anyOf` at least one.
fn one_of(fields: &[&str]) -> Value {
    fields.iter().map(|field| json!({ "required": [field] })).collect()
}
