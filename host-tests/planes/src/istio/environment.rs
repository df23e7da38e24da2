//! The environment of a proxy of the mesh: that of the pod that Helm, Istio or the injector makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{GATEWAY_NAME, Place, Proxy};
use crate::FOLDER;
use crate::environment::{Variable, of_istio_proxy};
use crate::gateway_api::{Gateway, Reference};
use crate::resources::{Resource, Resources};
use crate::services::{Labels, selected};

/// What the manifests use of the values of Istio's chart `gateway`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Values {
    env_var_from: Vec<Variable>,
}

/// The variables that this file of values in `manifests` gives to a gateway.
pub(super) fn of_values(file: &str) -> Result<Vec<Variable>> {
    let path = Path::new(FOLDER).join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let Values { env_var_from } = serde_saphyr::from_str(&text).with_context(|| format!("manifests/{file}"))?;
    Ok(env_var_from)
}

/// The variables of the proxy.
pub(super) fn of(resources: &Resources, proxy: &Proxy) -> Result<Vec<Variable>> {
    let mut all = proxy.values.clone();
    match proxy.place {
        Place::Gateway | Place::Waypoint => {
            for gateway in resources.all::<Gateway>("gateway.networking.k8s.io/v1/Gateway")? {
                let made_of_it = match proxy.labels.get(GATEWAY_NAME) {
                    Some(name) => *name == gateway.name,
                    None => selected(&gateway.spec.infrastructure.labels, &proxy.labels),
                };
                if made_of_it && gateway.namespace == proxy.namespace {
                    all.extend(of_gateway(resources, &gateway)?);
                }
            }
        }
        Place::Outbound | Place::Inbound => {
            for deployment in resources.all::<Value>("apps/v1/Deployment")? {
                let labels = Labels::deserialize(&deployment.spec["template"]["metadata"]["labels"])?;
                if selected(&labels, &proxy.labels) && deployment.namespace == proxy.namespace {
                    all.extend(of_istio_proxy(&deployment.spec)?);
                }
            }
        }
    }
    Ok(all)
}

/// Out of the patch of the Deployment that Istio makes of a Gateway.
fn of_gateway(resources: &Resources, gateway: &Resource<Gateway>) -> Result<Vec<Variable>> {
    let Some(Reference { group, kind, name, .. }) = &gateway.spec.infrastructure.parameters_ref else {
        return Ok(Vec::new());
    };
    ensure!((group.as_deref(), kind.as_deref()) == (Some(""), Some("ConfigMap")), "parametersRef is no ConfigMap");
    let maps = resources.all::<BTreeMap<String, String>>("v1/ConfigMap")?;
    let found = maps.into_iter().find(|map| (&map.name, &map.namespace) == (name, &gateway.namespace));
    let data = found.with_context(|| format!("there is no ConfigMap {}/{name}", gateway.namespace))?.spec;
    let patch: Value = serde_saphyr::from_str(data.get("deployment").context("the ConfigMap has no deployment")?)?;
    of_istio_proxy(&patch["spec"])
}
