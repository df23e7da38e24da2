//! The kinds that Kubernetes has by itself, by their types in Rust.

use std::any::TypeId;

use anyhow::{Result, bail, ensure};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::metadata::{self, SUBDOMAIN, Scope};
use crate::places;
use crate::resources::Resource;

/// Names that may be a part of a path, as those of roles.
const PATH_SEGMENT: &str = r"^([^/%.]|\.[^/%.]|\.\.[^/%])[^/%]*$";
/// Names that may be a label of an address (RFC 1123).
const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
/// Names of services, which begin with a letter (RFC 1035).
const SERVICE: &str = "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$";

/// Reads a resource into the type of its kind and writes it out again, and looks at its metadata; `None` where the kind is none
/// of these.
///
/// # Errors
/// If it cannot be read, or if it does not come back as it was (unknown fields are lost, and required ones turn up), or if its
/// metadata are wrong for the kind.
pub fn round_trip(resource: &Resource) -> Option<Result<()>> {
    let (trip, name): (fn(&Value, &str) -> Result<()>, _) = match (resource.api_version(), resource.kind()) {
        ("v1", "ConfigMap") => (trip::<ConfigMap>, SUBDOMAIN),
        ("v1", "Namespace") => (trip::<Namespace>, LABEL),
        ("v1", "Secret") => (trip::<Secret>, SUBDOMAIN),
        ("v1", "Service") => (trip::<Service>, SERVICE),
        ("v1", "ServiceAccount") => (trip::<ServiceAccount>, SUBDOMAIN),
        ("apps/v1", "Deployment") => (trip::<Deployment>, SUBDOMAIN),
        ("batch/v1", "Job") => (trip::<Job>, SUBDOMAIN),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => (trip::<ClusterRole>, PATH_SEGMENT),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => (trip::<ClusterRoleBinding>, PATH_SEGMENT),
        ("rbac.authorization.k8s.io/v1", "Role") => (trip::<Role>, PATH_SEGMENT),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => (trip::<RoleBinding>, PATH_SEGMENT),
        _ => return None,
    };
    Some(trip(&resource.value, name))
}

fn trip<T>(value: &Value, name: &str) -> Result<()>
where
    T: DeserializeOwned + Serialize + k8s_openapi::Resource<Scope: 'static>,
{
    let typed: T = serde_json::from_value(value.clone())?;
    let back = serde_json::to_value(&typed)?;
    kept("", value, &back)?;
    let is_namespaced = TypeId::of::<T::Scope>() == TypeId::of::<NamespaceResourceScope>();
    let scope = if is_namespaced { Scope::Namespaced } else { Scope::Cluster };
    let problems = metadata::problems(value, scope, name)?;
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
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
