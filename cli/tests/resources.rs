//! Documents inside of the resources that carry them to a proxy: found, and told where they are.

mod support;

use serde_json::Value;

use support::Folder;

const BAD: &str = "{rollouts: {shop: {stable: v1, versions: {v1: {}}, total: 0}}}";

/// Checks the errors of a file, as `place path code`, and how many documents it holds.
#[track_caller]
fn check(file: &str, documents: u64, expected: &[&str]) {
    check_named("file.yaml", file, documents, expected);
}

#[track_caller]
fn check_named(name: &str, file: &str, documents: u64, expected: &[&str]) {
    let folder = Folder::with(&[(name, file)]);
    let json = folder.serin(&["check", "--output", "json", name]).json();
    let text = |finding: &Value, field: &str| {
        finding[field].as_str().filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
    };
    let errors = json["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "error");
    let found: Vec<String> =
        errors.map(|of| format!("{} | {} | {}", text(of, "place"), text(of, "path"), text(of, "code"))).collect();
    assert_eq!(found, expected, "{json:#}\n{file}");
    assert_eq!(json["documents"], documents, "{json:#}\n{file}");
}

#[test]
fn resources_of_kubernetes() {
    let plugin = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: serin, namespace: shop}}\nspec: {{pluginConfig: {BAD}}}\n"
    );
    check(&plugin, 1, &["spec.pluginConfig of WasmPlugin shop/serin | rollouts.shop.total | wrong-value"]);
    let extension = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata: {{name: serin}}\nspec: {{wasm: {{pluginConfig: {BAD}}}}}\n"
    );
    check(&extension, 1, &["spec.wasm.pluginConfig of TrafficExtension serin | rollouts.shop.total | wrong-value"]);
    let policy = format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: serin}}\nspec:\n  wasm: [{{name: a, config: {{x: 1}}}}, {{name: b, config: {BAD}}}]\n"
    );
    check(&policy, 1, &["spec.wasm[1].config of EnvoyExtensionPolicy serin | rollouts.shop.total | wrong-value"]);
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: other}\nspec: {ports: []}\n";
    check(
        &format!("{service}---\n{plugin}---\n{service}---\n{policy}"),
        2,
        &[
            "spec.pluginConfig of WasmPlugin shop/serin | rollouts.shop.total | wrong-value",
            "spec.wasm[1].config of EnvoyExtensionPolicy serin | rollouts.shop.total | wrong-value",
        ],
    );
    let items: String =
        [service, &plugin].iter().map(|of| format!("- {}", of.trim_end().replace('\n', "\n  ") + "\n")).collect();
    check(
        &format!("apiVersion: v1\nkind: List\nitems:\n{items}"),
        1,
        &["spec.pluginConfig of WasmPlugin shop/serin | rollouts.shop.total | wrong-value"],
    );
}

#[test]
fn resources_without_a_document() {
    let plugin = |spec: &str| {
        format!("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: a}}\nspec: {spec}\n")
    };
    check(&plugin("{url: oci://x}"), 0, &["spec.pluginConfig of WasmPlugin a | - | missing"]);
    check(&plugin("{pluginconfig: {rollouts: {}}}"), 0, &["spec.pluginConfig of WasmPlugin a | - | missing"]);
    check(&plugin("{pluginConfig: null}"), 0, &["spec.pluginConfig of WasmPlugin a | - | missing"]);
    // Of another plugin, so that nothing is said of it.
    check(&plugin("{pluginConfig: {header: x-a}}"), 0, &["- | - | no-document"]);
    // Nearly one, so that something is.
    check(
        &plugin("{pluginConfig: {rolouts: {}}}"),
        1,
        &[
            "spec.pluginConfig of WasmPlugin a | rolouts | unknown-field",
            "spec.pluginConfig of WasmPlugin a | rollouts | missing",
        ],
    );
    check(&plugin("{pluginConfig: text}"), 1, &["spec.pluginConfig of WasmPlugin a | - | wrong-value"]);
    check(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata: {name: a}\nspec: {lua: {inlineCode: x}}\n",
        0,
        &["- | - | no-document"],
    );
}

#[test]
fn resources_that_are_nearly_ours() {
    let says = |file: &str, expected: &str| {
        Folder::with(&[("file.yaml", file)]).serin(&["check", "file.yaml"]).ends_with(1).says(expected);
    };
    let plugin =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: a}\nspec: {url: oci://x}\n";
    says(plugin, "error[missing]: pluginConfig is missing; expected a rules document in it");
    says(&plugin.replace("url", "plugin_config"), ":4:8");
    says(&plugin.replace("url", "plugin_config"), "did you mean \"pluginConfig\"?");
    says(&plugin.replace("kind: WasmPlugin", "kind: WasmPlugn"), "found kind WasmPlugn");
    says(&plugin.replace("kind: WasmPlugin", "kind: WasmPlugn"), "did you mean \"WasmPlugin\"?");
    says(&plugin.replace("kind: WasmPlugin\n", ""), "kind is missing");
    says("apiVersion: v1\nkind: EnvoyPatchPolicy\nspec: {}\n", "no rules document; expected a field rollouts");
    let block = plugin.replace("{url: oci://x}", "\n  pluginConfig: |\n    rollouts: {}");
    says(&block, "= help: without the | or > behind the name its lines are an object, and not a text");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rules}\ndata: {rules.yaml: 'rollouts: {}'}\n";
    says(map, "the data of ConfigMap rules, whose texts are not looked into");
}

/// A configuration of the filter in Envoy.
fn filter(any: &str) -> String {
    format!(
        "{{name: serin, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{configuration: {any}}}}}}}"
    )
}

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const TEXT: &str = "type.googleapis.com/google.protobuf.StringValue";

#[test]
fn configurations_of_envoy() {
    let any = format!("{{\"@type\": {STRUCT}, value: {BAD}}}");
    let bootstrap = format!(
        "admin: {{}}\nstatic_resources: {{listeners: [{{filter_chains: [{{filters: [{{typed_config: {{http_filters: [{}]}}}}]}}]}}]}}\n",
        filter(&any)
    );
    let place = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.config.configuration.value";
    check(&bootstrap, 1, &[&format!("{place} | rollouts.shop.total | wrong-value")]);
    let discovery = format!("resources: [{}]\n", filter(&any));
    let place = "resources[0].typed_config.config.configuration.value";
    check(&discovery, 1, &[&format!("{place} | rollouts.shop.total | wrong-value")]);
    let json = r#"{"rollouts": {"shop": {"stable": "v1", "versions": {"v1": {}}, "total": 0}}}"#;
    for value in [format!("'{json}'"), format!("{json:?}"), format!("|\n    {json}\n  ")] {
        let text = format!(
            "resources:\n- configuration:\n    \"@type\": {TEXT}\n    value: {}\n",
            value.replace("\n  ", "\n      ")
        );
        check(&text, 1, &["resources[0].configuration.value | rollouts.shop.total | wrong-value"]);
    }
    let as_json =
        format!(r#"{{"staticResources": {{"x": {{"configuration": {{"@type": "{TEXT}", "value": {json:?}}}}}}}}}"#);
    check_named(
        "envoy.json",
        &as_json,
        1,
        &["staticResources.x.configuration.value | rollouts.shop.total | wrong-value"],
    );
    let patch = format!(
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {{name: a}}\nspec: {{configPatches: [{{patch: {{value: {}}}}}]}}\n",
        filter(&any)
    );
    let place = "spec.configPatches[0].patch.value.typed_config.config.configuration.value of EnvoyFilter a";
    check(&patch, 1, &[&format!("{place} | rollouts.shop.total | wrong-value")]);
}

#[test]
fn configurations_that_envoy_does_not_understand() {
    let with = |any: &str| format!("resources: [{{configuration: {any}}}]\n");
    let place = "resources[0].configuration";
    check(&with("{rollouts: {}}"), 1, &[&format!("{place} | - | missing")]);
    check(
        &with(&format!("{{\"@type\": {TEXT}, value: \"{{rollouts\"}}")),
        0,
        &[&format!("{place}.value | - | syntax")],
    );
    check(&with(&format!("{{\"@type\": {TEXT}, value: some text}}")), 0, &["- | - | no-document"]);
    check(
        &with(&format!("{{\"@type\": {TEXT}, value: {{rollouts: {{}}}}}}")),
        0,
        &[&format!("{place}.value | - | wrong-value")],
    );
    check(&with(&format!("{{\"@type\": {STRUCT}, value: {{other: 1}}}}")), 0, &["- | - | no-document"]);
    check(
        &with("{\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: AA==}"),
        0,
        &["- | - | no-document"],
    );
}

/// Envoy makes texts of all numbers but whole ones when it reads YAML.
#[test]
fn what_envoy_makes_of_numbers() {
    let guard = |number: &str| {
        format!("{{rollouts: {{shop: {{stable: v1, versions: {{v1: {{}}}}, guard: {{max_percent: {number}}}}}}}}}")
    };
    let envoy =
        |document: &str| format!("resources: [{{configuration: {{\"@type\": {STRUCT}, value: {document}}}}}]\n");
    check(&envoy(&guard("0.5")), 1, &[]);
    check(&envoy(&guard("5")), 1, &[]);
    let total = |number: &str| BAD.replace("total: 0", &format!("total: {number}"));
    check(&total("1e2"), 1, &[]);
    check(&envoy(&total("1e2")), 1, &["resources[0].configuration.value | rollouts.shop.total | wrong-value"]);
    check(&envoy(&total("0100")), 1, &[]);
}

/// What ships is found, and sound.
#[test]
fn the_manifests_of_this_repository() {
    let folder = Folder::with(&[]);
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
    let rules: Vec<String> = std::fs::read_dir(format!("{manifests}/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    let mut files: Vec<&str> = rules.iter().map(String::as_str).filter(|name| name.ends_with(".yaml")).collect();
    let envoy = ["envoy/serin.yaml", "envoy/regions/serin.yaml"].map(|name| format!("{manifests}/{name}"));
    files.extend(envoy.iter().map(String::as_str));
    let json = folder.serin(&[&["check", "--output", "json"][..], &files].concat()).ends_with(0).json();
    assert_eq!((json["errors"].as_u64(), json["documents"].as_u64()), (Some(0), Some(files.len() as u64)), "{json:#}");
}
