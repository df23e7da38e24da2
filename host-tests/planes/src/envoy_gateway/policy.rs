//! Policies: filters that the listener has disabled, and the routes that enable them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::Module;
use super::resources::{ExtensionPolicy, Wasm};
use crate::draft::{Draft, WASM};
use crate::gateway_api::{Gateway, HttpRoute, Reference};
use crate::resources::{Resource, Resources};

/// Which filters there are, and who wants them.
pub(super) struct Plan<'a> {
    policies: Vec<Resource<ExtensionPolicy>>,
    gateway: &'a Resource<Gateway>,
    module: &'a Module,
}

impl<'a> Plan<'a> {
    pub(super) fn of(resources: &Resources, gateway: &'a Resource<Gateway>, module: &'a Module) -> Result<Self> {
        let policies = resources.all::<ExtensionPolicy>("gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy")?;
        for wasm in policies.iter().flat_map(|policy| &policy.spec.wasm) {
            ensure!(wasm.code.image.url.contains("@sha256:"), "{} is not pinned", wasm.code.image.url);
        }
        Ok(Self { policies, gateway, module })
    }

    /// What a rule of a route has for each filter, or the answer that it gives where a filter is not there. The nearest policy
    /// counts alone.
    pub(super) fn of_rule(&self, route: &Resource<HttpRoute>, rule: Option<&str>) -> Result<Vec<String>, Value> {
        let kinds: [&dyn Fn(&Reference) -> bool; 3] = [
            &|target| {
                is(target, "HTTPRoute", &route.name)
                    && target.section_name.is_some()
                    && target.section_name.as_deref() == rule
            },
            &|target| is(target, "HTTPRoute", &route.name) && target.section_name.is_none(),
            &|target| is(target, "Gateway", &self.gateway.name),
        ];
        let nearest =
            kinds.iter().find_map(|fits| self.policies.iter().find(|policy| policy.spec.target_refs.iter().any(fits)));
        let Some(policy) = nearest else { return Ok(Vec::new()) };
        match self.module {
            Module::Held { .. } => {
                Ok((0..policy.spec.wasm.len()).map(|number| filter_name(&id(policy, number))).collect())
            }
            Module::Missing if policy.spec.wasm.iter().all(|wasm| wasm.fail_open) => Ok(Vec::new()),
            Module::Missing => Err(json!({"status": 500})),
        }
    }

    /// The filters that some route enables, and the cluster of the module.
    pub(super) fn filters(&self, table: &Value, draft: &mut Draft) -> Vec<Value> {
        let Module::Held { address, .. } = self.module else { return Vec::new() };
        let endpoint = json!({"address": address.ip(), "port_value": address.port()});
        let endpoint = json!({"endpoint": {"address": {"socket_address": endpoint}}});
        draft.own_cluster(json!({
            "name": "wasm_cluster",
            "connect_timeout": "10s",
            "load_assignment": {"cluster_name": "wasm_cluster", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }));
        let used = table.to_string();
        let all = self
            .policies
            .iter()
            .flat_map(|policy| policy.spec.wasm.iter().enumerate().map(|(number, wasm)| (id(policy, number), wasm)));
        let wanted = all.filter(|(id, _)| used.contains(&format!("\"{}\"", filter_name(id))));
        wanted.map(|(id, wasm)| self.filter(&id, wasm)).collect()
    }

    fn filter(&self, id: &str, wasm: &Wasm) -> Value {
        let mut vm = json!({"vm_id": id, "runtime": "envoy.wasm.runtime.v8"});
        if let Module::Held { address, sha256, retries } = self.module {
            let uri =
                json!({"uri": format!("http://{address}/{sha256}.wasm"), "cluster": "wasm_cluster", "timeout": "10s"});
            let mut remote = json!({"http_uri": uri, "sha256": sha256});
            if let Some(retries) = retries {
                let back_off = json!({"base_interval": "1s", "max_interval": "30s"});
                remote["retry_policy"] = json!({"num_retries": retries, "retry_back_off": back_off});
            }
            vm["code"] = json!({ "remote": remote });
        }
        if !wasm.env.host_keys.is_empty() {
            vm["environment_variables"] = json!({"host_env_keys": wasm.env.host_keys});
        }
        let text = wasm.config.as_ref().map(Value::to_string).unwrap_or_default();
        let mut config = json!({
            "name": wasm.name.as_deref().unwrap_or(id),
            "root_id": wasm.root_id,
            "vm_config": vm,
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text},
        });
        if wasm.fail_open {
            config["fail_open"] = json!(true);
        }
        let typed = json!({"@type": WASM, "config": config});
        json!({"name": filter_name(id), "disabled": true, "typed_config": typed})
    }
}

fn is(target: &Reference, kind: &str, name: &str) -> bool {
    target.kind.as_deref() == Some(kind)
        && target.name == name
        && target.group.as_deref() == Some("gateway.networking.k8s.io")
}

fn id(policy: &Resource<ExtensionPolicy>, number: usize) -> String {
    format!("envoyextensionpolicy/{}/{}/wasm/{number}", policy.namespace, policy.name)
}

fn filter_name(id: &str) -> String {
    format!("envoy.filters.http.wasm/{id}")
}
