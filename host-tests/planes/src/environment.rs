//! The environment of a proxy, whose variables come out of Secrets.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// An entry of a Secret in the namespace of the proxies.
#[derive(Clone, Copy, Debug)]
pub struct Secret<'a> {
    /// The Secret's name.
    pub name: &'a str,
    /// The entry's name.
    pub key: &'a str,
    /// What it holds.
    pub value: &'a str,
}

/// One variable of a container.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    value_from: Source,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Source {
    secret_key_ref: SecretKey,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct SecretKey {
    name: String,
    key: String,
}

impl Variable {
    /// Its value. A pod whose Secret is not there does not start.
    pub(crate) fn value<'a>(&self, secrets: &[Secret<'a>]) -> Result<&'a str> {
        let SecretKey { name, key } = &self.value_from.secret_key_ref;
        let found = secrets.iter().find(|secret| (secret.name, secret.key) == (name, key));
        Ok(found.with_context(|| format!("{}: there is no {key} in a Secret {name}", self.name))?.value)
    }
}

/// The variables of Istio's proxy in the `spec` of a Deployment, or of a patch of one.
pub(crate) fn of_istio_proxy(spec: &Value) -> Result<Vec<Variable>> {
    let containers = spec.pointer("/template/spec/containers").and_then(Value::as_array);
    let mut containers = containers.context("a Deployment has containers")?.iter();
    let proxy = containers.find(|container| container["name"] == "istio-proxy");
    let variables = proxy.and_then(|container| container.get("env"));
    variables.map_or_else(|| Ok(Vec::new()), |all| Ok(Vec::deserialize(all)?))
}
