//! The definitions of the kinds of Istio, Gateway API and Envoy Gateway, by their releases.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kind::Kind;
use crate::metadata::Scope;
use crate::resources::Resource;

/// The definitions of a release.
#[derive(Debug)]
pub struct Set {
    /// Whose they are.
    pub name: &'static str,
    /// Their folder.
    folder: &'static str,
    /// The group of its kinds, or what the groups end in.
    group: &'static str,
    /// Kinds of its groups that it lacks, though resources of them are valid elsewhere.
    pub lacks: &'static [&'static str],
}

/// Every set that resources are held against.
pub const SETS: [Set; 7] = [
    Set { name: "Istio 1.29.6", folder: "istio/1.29.6", group: "istio.io", lacks: &["TrafficExtension"] },
    Set { name: "Istio 1.30.3", folder: "istio/1.30.3", group: "istio.io", lacks: &[] },
    Set { name: "Istio 1.31.0-rc.0", folder: "istio/1.31.0-rc.0", group: "istio.io", lacks: &[] },
    Set {
        name: "Gateway API 1.4.1",
        folder: "gateway-api/v1.4.1-standard",
        group: "gateway.networking.k8s.io",
        lacks: &[],
    },
    Set {
        name: "Gateway API 1.6.1",
        folder: "gateway-api/v1.6.1-standard",
        group: "gateway.networking.k8s.io",
        lacks: &[],
    },
    Set { name: "Envoy Gateway 1.7.5", folder: "envoy-gateway/v1.7.5", group: "gateway.envoyproxy.io", lacks: &[] },
    Set { name: "Envoy Gateway 1.9.0", folder: "envoy-gateway/v1.9.0", group: "gateway.envoyproxy.io", lacks: &[] },
];

impl Set {
    /// Whether resources of this group are its own.
    pub fn has_group(&self, group: &str) -> bool {
        group == self.group || group.strip_suffix(self.group).is_some_and(|before| before.ends_with('.'))
    }
}

/// All sets, read as far as somebody asks for them.
#[derive(Debug)]
pub struct Catalogue {
    folder: PathBuf,
    kinds: HashMap<String, Option<Rc<Kind>>>,
}

impl Catalogue {
    /// That of a folder; `None` where it is not there.
    pub fn open(folder: &Path) -> Option<Self> {
        folder.is_dir().then(|| Self { folder: folder.to_owned(), kinds: HashMap::new() })
    }

    /// The kind of a resource, as a set defines it; `None` where it does not have it.
    ///
    /// # Errors
    /// If the definition cannot be read, or says something that is not understood.
    pub fn kind(&mut self, set: &Set, resource: &Resource) -> Result<Option<Rc<Kind>>> {
        let name = format!("{} {} in {}", resource.api_version(), resource.kind(), set.name);
        if let Some(kind) = self.kinds.get(&name) {
            return Ok(kind.clone());
        }
        let found = definition(&self.folder.join(set.folder), resource)?;
        let kind = found.map(|(schema, scope)| Kind::new(&schema, scope).map(Rc::new));
        let kind = kind.transpose().with_context(|| name.clone())?;
        self.kinds.insert(name, kind.clone());
        Ok(kind)
    }
}

/// The schema and the scope of a resource's kind and version in a folder of definitions.
fn definition(folder: &Path, resource: &Resource) -> Result<Option<(Value, Scope)>> {
    let mentioned = format!("\n    kind: {}\n", resource.kind());
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        for document in text.split("\n---").filter(|document| document.contains(&mentioned)) {
            let crd: Value = serde_saphyr::from_str(document).with_context(|| path.display().to_string())?;
            let spec = &crd["spec"];
            if spec["names"]["kind"] == resource.kind() && spec["group"] == resource.group() {
                let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
                let version = versions.iter().find(|one| one["name"] == resource.version() && one["served"] == true);
                let scope = spec["scope"].as_str().and_then(Scope::of);
                let scope = scope.with_context(|| format!("{}: Cluster or Namespaced is expected", path.display()))?;
                return Ok(version.map(|version| (version["schema"]["openAPIV3Schema"].clone(), scope)));
            }
        }
    }
    Ok(None)
}
