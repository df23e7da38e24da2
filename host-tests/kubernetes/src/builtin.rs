//! The kinds that Kubernetes has by itself, by their types in Rust.

use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::places;
use crate::resources::Resource;

/// Reads a resource into the type of its kind and writes it out again; `None` where the kind is none of these.
///
/// # Errors
/// If it cannot be read, or if it does not come back as it was: unknown fields are lost, and required ones turn up.
pub fn round_trip(resource: &Resource) -> Option<Result<()>> {
    let trip = match (resource.api_version(), resource.kind()) {
        ("v1", "ConfigMap") => trip::<ConfigMap>,
        ("v1", "Namespace") => trip::<Namespace>,
        ("v1", "Secret") => trip::<Secret>,
        ("v1", "Service") => trip::<Service>,
        ("v1", "ServiceAccount") => trip::<ServiceAccount>,
        ("apps/v1", "Deployment") => trip::<Deployment>,
        ("batch/v1", "Job") => trip::<Job>,
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => trip::<ClusterRole>,
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => trip::<ClusterRoleBinding>,
        ("rbac.authorization.k8s.io/v1", "Role") => trip::<Role>,
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => trip::<RoleBinding>,
        _ => return None,
    };
    Some(trip(&resource.value))
}

fn trip<T: DeserializeOwned + Serialize>(value: &Value) -> Result<()> {
    let typed: T = serde_json::from_value(value.clone())?;
    let back = serde_json::to_value(&typed)?;
    kept("", value, &back)
}

/// Whether a value has come back as it was; what is empty may be left out.
fn kept(place: &str, value: &Value, back: &Value) -> Result<()> {
    match (value, back) {
        (Value::Object(fields), Value::Object(back)) => {
            if let Some(name) = back.keys().find(|name| !fields.contains_key(*name)) {
                bail!("{}: required", places::field(place, name));
            }
            fields.iter().try_for_each(|(name, value)| {
                let place = places::field(place, name);
                let is_empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                match back.get(name) {
                    Some(back) => kept(&place, value, back),
                    None if is_empty => Ok(()),
                    None => bail!("{place}: unknown field"),
                }
            })
        }
        (Value::Array(items), Value::Array(back)) if items.len() == back.len() => {
            let mut pairs = items.iter().zip(back).enumerate();
            pairs.try_for_each(|(index, (value, back))| kept(&places::item(place, index), value, back))
        }
        _ if value == back => Ok(()),
        _ => bail!("{place}: {value} is read as {back}"),
    }
}
