//! A kind of resources, and all that is wrong with one of them.

use std::fmt;

use anyhow::{Context, Result};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::cel::Rules;
use crate::metadata::Scope;
use crate::{defaults, lists, places, schema};

/// Something that is wrong with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, such as `spec.rules[0].matches`; empty for the resource as a whole.
    pub place: String,
    /// What.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// A kind of resources in one of its versions.
#[derive(Debug)]
pub struct Kind {
    schema: Value,
    scope: Scope,
    validator: Validator,
    rules: Rules,
}

impl Kind {
    /// The kind that a definition's `openAPIV3Schema` describes, with its scope.
    ///
    /// # Errors
    /// If the schema says something that is not understood, or if one of its rules cannot be compiled.
    pub fn new(schema: &Value, scope: Scope) -> Result<Self> {
        let validator = validator(&schema::of_resource(schema)?)?;
        Ok(Self { rules: Rules::of(schema)?, schema: schema.clone(), scope, validator })
    }

    /// All that an API server would find wrong with a new resource, with `fieldValidation: Strict`. As there, rules are asked only
    /// where the schema and the lists are right.
    pub fn problems(&self, resource: &Value) -> Vec<Problem> {
        let mut resource = resource.clone();
        defaults::fill_in(&mut resource, &self.schema);
        let mut problems: Vec<Problem> =
            self.validator.iter_errors(&resource).flat_map(|error| of_schema(&error)).collect();
        problems.extend(self.scope.problem(&resource));
        lists::check(&resource, &self.schema, "", &mut problems);
        if problems.is_empty() {
            self.rules.check(&resource, &self.schema, &mut problems);
        }
        problems
    }
}

/// What finds all that is wrong by a JSON Schema, with the formats of Kubernetes.
pub(crate) fn validator(schema: &Value) -> Result<Validator> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_format("byte", is_base64)
        .build(schema)
        .map_err(ValidationError::to_owned)
        .context("the schema cannot be used")
}

/// What is wrong by the schema; an unknown field is its own place.
pub(crate) fn of_schema(error: &ValidationError<'_>) -> Vec<Problem> {
    let place = places::of_pointer(error.instance_path());
    let unknown = |place| Problem { place, message: "unknown field".into() };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| unknown(places::field(&place, name))).collect()
        }
        ValidationErrorKind::FalseSchema => vec![unknown(place)],
        _ => vec![Problem { place, message: error.to_string() }],
    }
}

/// The alphabet and the length of base64 (RFC 4648 §4), which is what `format: byte` asks for.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    text.len().is_multiple_of(4) && text.len() - digits.len() <= 2 && digits.bytes().all(known)
}
