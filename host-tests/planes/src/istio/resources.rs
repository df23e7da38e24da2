//! What the manifests use of Istio's own resources.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::services::Labels;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TrafficExtension {
    pub(crate) selector: Option<Selector>,
    #[serde(default)]
    pub(crate) target_refs: Vec<TargetRef>,
    #[serde(default)]
    pub(crate) r#match: Vec<TrafficSelector>,
    pub(crate) wasm: Wasm,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Selector {
    pub(crate) match_labels: Labels,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetRef {
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficSelector {
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) ports: Vec<Port>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Mode {
    Client,
    Server,
    ClientAndServer,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    pub(crate) number: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wasm {
    pub(crate) url: String,
    #[serde(rename = "imagePullPolicy")]
    pub(crate) _image_pull_policy: PullPolicy,
    #[serde(default)]
    pub(crate) plugin_name: String,
    #[serde(default)]
    pub(crate) fail_strategy: FailStrategy,
    #[serde(default)]
    pub(crate) vm_config: VmConfig,
    #[serde(default)]
    pub(crate) plugin_config: Value,
}

/// `Always` would ask the registry at every change of a weight.
#[derive(Clone, Debug, Deserialize)]
pub(crate) enum PullPolicy {
    IfNotPresent,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum FailStrategy {
    #[default]
    #[serde(rename = "FAIL_CLOSE")]
    Close,
    #[serde(rename = "FAIL_OPEN")]
    Open,
    #[serde(rename = "FAIL_RELOAD")]
    Reload,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VmConfig {
    #[serde(default)]
    pub(crate) env: Vec<Variable>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    #[serde(rename = "valueFrom")]
    pub(crate) _value_from: FromHost,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FromHost {
    Host,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) selector: Labels,
    pub(crate) servers: Vec<Server>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) port: ServerPort,
    pub(crate) hosts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerPort {
    pub(crate) number: u16,
    #[serde(rename = "name")]
    pub(crate) _name: String,
    pub(crate) protocol: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualService {
    pub(crate) hosts: Vec<String>,
    /// The sidecars, where none is named.
    #[serde(default)]
    pub(crate) gateways: Vec<String>,
    pub(crate) http: Vec<Http>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) r#match: Vec<Match>,
    pub(crate) route: Vec<Weighted>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    pub(crate) uri: Option<Text>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Text>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Text {
    Exact(String),
    Prefix(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weighted {
    pub(crate) destination: Destination,
    #[serde(default)]
    pub(crate) weight: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Destination {
    pub(crate) host: String,
    pub(crate) port: Port,
    #[serde(default)]
    pub(crate) subset: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationRule {
    pub(crate) host: String,
    pub(crate) subsets: Vec<Subset>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subset {
    pub(crate) name: String,
    pub(crate) labels: Labels,
}

impl Match {
    /// The `match` of Envoy's route, in the semantics of a `VirtualService`.
    pub(crate) fn to_envoy(&self) -> Value {
        let mut found = match &self.uri {
            None => json!({"prefix": "/"}),
            Some(Text::Prefix(prefix)) => json!({ "prefix": prefix }),
            Some(Text::Exact(path)) => json!({ "path": path }),
        };
        let header = |(name, text): (&String, &Text)| match text {
            Text::Exact(exact) => json!({"name": name, "string_match": {"exact": exact}}),
            Text::Prefix(prefix) => json!({"name": name, "string_match": {"prefix": prefix}}),
        };
        if !self.headers.is_empty() {
            found["headers"] = self.headers.iter().map(header).collect();
        }
        found
    }
}
