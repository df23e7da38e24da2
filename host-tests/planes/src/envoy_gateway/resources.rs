//! What the manifests use of Envoy Gateway's own resources.

use serde::Deserialize;
use serde_json::Value;

use crate::environment::Variable;
use crate::gateway_api::Reference;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExtensionPolicy {
    pub(super) target_refs: Vec<Reference>,
    pub(super) wasm: Vec<Wasm>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wasm {
    pub(super) name: Option<String>,
    #[serde(rename = "rootID", default)]
    pub(super) root_id: String,
    pub(super) code: Code,
    #[serde(default)]
    pub(super) fail_open: bool,
    pub(super) config: Option<Value>,
    #[serde(default)]
    pub(super) env: Env,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Code {
    #[serde(rename = "type")]
    _type: OnlyImage,
    #[serde(rename = "pullPolicy")]
    _pull_policy: PullPolicy,
    pub(super) image: Image,
}

#[derive(Clone, Debug, Deserialize)]
enum OnlyImage {
    Image,
}

/// `Always` would ask the registry at every change of a weight.
#[derive(Clone, Debug, Deserialize)]
enum PullPolicy {
    IfNotPresent,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    pub(super) url: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Env {
    pub(super) host_keys: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClientTrafficPolicy {
    pub(super) target_refs: Vec<Reference>,
    pub(super) headers: Headers,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Headers {
    pub(super) early_request_headers: EarlyRequestHeaders,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EarlyRequestHeaders {
    pub(super) remove: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvoyProxy {
    pub(super) telemetry: Option<Telemetry>,
    pub(super) bootstrap: Option<Bootstrap>,
    pub(super) provider: Option<Provider>,
}

/// How its pods run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    #[serde(rename = "type")]
    _type: OnlyKubernetes,
    pub(super) kubernetes: Kubernetes,
}

#[derive(Clone, Debug, Deserialize)]
enum OnlyKubernetes {
    Kubernetes,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kubernetes {
    pub(super) envoy_deployment: Deployment,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deployment {
    pub(super) container: Container,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    pub(super) env: Vec<Variable>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Telemetry {
    pub(super) access_log: AccessLog,
    /// A port of its own for Prometheus.
    #[serde(rename = "metrics")]
    _metrics: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessLog {
    pub(super) settings: Vec<Setting>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    pub(super) format: Format,
    #[serde(rename = "sinks")]
    _sinks: Vec<Sink>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Format {
    #[serde(rename = "type")]
    _type: OnlyJson,
    pub(super) json: Value,
}

#[derive(Clone, Debug, Deserialize)]
enum OnlyJson {
    #[serde(rename = "JSON")]
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sink {
    #[serde(rename = "type")]
    _type: OnlyFile,
    #[serde(rename = "file")]
    _file: Value,
}

#[derive(Clone, Debug, Deserialize)]
enum OnlyFile {
    File,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bootstrap {
    pub(super) r#type: Only,
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum Only {
    Merge,
}
