//! What every resource says about itself, whatever its kind.

use anyhow::Result;
use serde_json::{Value, json};

use crate::kind::{self, Problem};

/// Where the names of a kind's resources are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere: no resource of the kind is in a namespace.
    Cluster,
    /// In a namespace, which each resource names; the one that somebody's `kubectl` happens to be set to is none.
    Namespaced,
}

impl Scope {
    /// That of a definition's `spec.scope`.
    pub(crate) fn of(text: &str) -> Option<Self> {
        match text {
            "Cluster" => Some(Self::Cluster),
            "Namespaced" => Some(Self::Namespaced),
            _ => None,
        }
    }

    /// What is wrong with a resource that is in a namespace, or in none.
    pub(crate) fn problem(self, resource: &Value) -> Option<Problem> {
        let message = match (self, resource["metadata"]["namespace"].is_null()) {
            (Self::Cluster, false) => "resources of the kind are in no namespace",
            (Self::Namespaced, true) => "required, since the kind is namespaced",
            _ => return None,
        };
        Some(Problem { place: "metadata.namespace".into(), message: message.into() })
    }
}

/// A name that may stand in an address: a DNS subdomain (RFC 1123).
pub(crate) const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The JSON Schema of the `metadata` in a manifest, with names of this pattern.
pub(crate) fn schema(name: &str) -> Value {
    let label = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
    let part = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let key = format!(r"^({part}(\.{part})*/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]$");
    json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "maxLength": 253, "pattern": name},
            "namespace": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            "labels": {
                "type": "object",
                "propertyNames": {"pattern": key},
                "additionalProperties": {"type": "string", "maxLength": 63, "pattern": label},
            },
            "annotations": {
                "type": "object",
                "propertyNames": {"pattern": key},
                "additionalProperties": {"type": "string"},
            },
        },
    })
}

/// What is wrong with the metadata of a resource of any kind that is named as most are.
///
/// # Errors
/// If the schema for it cannot be used.
pub fn metadata_problems(resource: &Value, scope: Scope) -> Result<Vec<Problem>> {
    problems(resource, scope, SUBDOMAIN)
}

/// As [`metadata_problems`], with names of this pattern.
pub(crate) fn problems(resource: &Value, scope: Scope, name: &str) -> Result<Vec<Problem>> {
    let schema = json!({"required": ["metadata"], "properties": {"metadata": schema(name)}});
    let validator = kind::validator(&schema)?;
    Ok(validator
        .iter_errors(resource)
        .flat_map(|error| kind::of_schema(&error))
        .chain(scope.problem(resource))
        .collect())
}
