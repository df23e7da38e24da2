//! Kubernetes resources as they stand in the manifests, and what `kubectl patch` makes of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::FOLDER;

/// The resources of a cluster, in the order in which they were applied.
#[derive(Clone, Debug, Default)]
pub struct Resources(Vec<Value>);

/// One resource with its specification, or the data of a `ConfigMap`.
#[derive(Clone, Debug)]
pub(crate) struct Resource<T> {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) spec: T,
}

impl Resources {
    /// The resources of these files in `manifests`, which may hold several each.
    ///
    /// # Errors
    /// If a file cannot be read, is no YAML, or holds something that is no resource of a known kind.
    pub fn read(files: &[&str]) -> Result<Self> {
        let mut all = Self::default();
        all.add(files)?;
        Ok(all)
    }

    /// Applies the resources of these files in `manifests` as well.
    ///
    /// # Errors
    /// As [`Resources::read`].
    pub fn add(&mut self, files: &[&str]) -> Result<()> {
        for file in files {
            let path = Path::new(FOLDER).join(file);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            self.apply(&text).with_context(|| format!("manifests/{file}"))?;
        }
        Ok(())
    }

    /// As `kubectl apply` does: what is there already is replaced.
    ///
    /// # Errors
    /// As [`Resources::read`].
    pub fn apply(&mut self, yaml: &str) -> Result<()> {
        for resource in serde_saphyr::from_multiple::<Value>(yaml)? {
            let head = Head::of(&resource)?;
            match self.0.iter_mut().find(|known| Head::of(known).is_ok_and(|known| known == head)) {
                Some(known) => *known = resource,
                None => self.0.push(resource),
            }
        }
        Ok(())
    }

    /// The specifications of all resources of a kind, such as `networking.istio.io/v1/Gateway`.
    ///
    /// # Errors
    /// If one of them has a field that is not known here, and so would not be rendered.
    pub(crate) fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<Resource<T>>> {
        let of_kind = self.0.iter().filter(|resource| Head::of(resource).is_ok_and(|head| head.full_kind() == kind));
        of_kind
            .map(|resource| typed(resource).with_context(|| format!("{kind} {}", resource["metadata"]["name"])))
            .collect()
    }

    /// Changes one resource, found by its kind in any case and by its name.
    ///
    /// # Errors
    /// If there is no such resource, or the change fails.
    pub fn edit(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
        let of = |resource: &&mut Value| {
            Head::of(resource).is_ok_and(|head| head.kind.eq_ignore_ascii_case(kind) && head.metadata.name == name)
        };
        let found = self.0.iter_mut().find(of).with_context(|| format!("there is no {kind} {name}"))?;
        change(found).with_context(|| format!("{kind} {name}"))
    }

    /// As `kubectl delete` does.
    pub fn delete(&mut self, kind: &str, name: &str) {
        self.0.retain(|resource| (&resource["kind"], &resource["metadata"]["name"]) != (&kind.into(), &name.into()));
    }
}

/// What every resource begins with.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize, PartialEq)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

impl Head {
    fn of(resource: &Value) -> Result<Self> {
        let head = Self::deserialize(resource).context("this is no resource")?;
        let kind = head.full_kind();
        ensure!(KNOWN.contains(&kind.as_str()), "resources of {kind} are not known here");
        Ok(head)
    }

    fn full_kind(&self) -> String {
        format!("{}/{}", self.api_version, self.kind)
    }
}

fn typed<T: DeserializeOwned>(resource: &Value) -> Result<Resource<T>> {
    let Head { metadata, .. } = Head::deserialize(resource)?;
    for field in resource.as_object().into_iter().flat_map(|fields| fields.keys()) {
        ensure!(["apiVersion", "kind", "metadata", "spec", "data"].contains(&field.as_str()), "unknown field {field}");
    }
    let spec = resource.get("spec").or_else(|| resource.get("data")).cloned().unwrap_or_default();
    let spec = serde_json::from_value(spec)?;
    Ok(Resource { name: metadata.name, namespace: metadata.namespace, spec })
}

/// The kinds that are rendered, and those that say nothing to a proxy.
const KNOWN: [&str; 16] = [
    "v1/Namespace",
    "v1/ConfigMap",
    "v1/Service",
    "apps/v1/Deployment",
    "extensions.istio.io/v1alpha1/WasmPlugin",
    "extensions.istio.io/v1alpha1/TrafficExtension",
    "networking.istio.io/v1/Gateway",
    "networking.istio.io/v1/VirtualService",
    "networking.istio.io/v1/DestinationRule",
    "networking.istio.io/v1alpha3/EnvoyFilter",
    "gateway.envoyproxy.io/v1alpha1/ClientTrafficPolicy",
    "gateway.networking.k8s.io/v1/GatewayClass",
    "gateway.networking.k8s.io/v1/Gateway",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy",
    "gateway.envoyproxy.io/v1alpha1/EnvoyProxy",
];
