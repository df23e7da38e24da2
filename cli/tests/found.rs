//! What is taken for a document, and what is passed over: files hold plugins of others, too, and documents in places where nobody
//! looks for them.

mod support;

use serde_json::Value;

use support::Folder;

/// A sound document.
const DOCUMENT: &str = "{rollouts: {shop: {stable: v1, versions: {v1: {}}}}}";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const TEXT: &str = "type.googleapis.com/google.protobuf.StringValue";

/// Checks the errors of a file, as `line:column message`, and how many documents it holds.
#[track_caller]
fn check(file: &str, documents: u64, expected: &[&str]) {
    let json = Folder::with(&[("file.yaml", file)]).serin(&["check", "--output", "json", "file.yaml"]).json();
    let errors = json["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "error");
    let found = errors.map(|of| format!("{}:{} {}", of["line"], of["column"], of["message"].as_str().unwrap()));
    assert_eq!(found.collect::<Vec<String>>(), expected, "{json:#}\n{file}");
    assert_eq!(json["documents"], Value::from(documents), "{json:#}\n{file}");
}

/// A resource of Kubernetes.
fn resource(kind: &str, spec: &str) -> String {
    format!("apiVersion: example.io/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n")
}

fn plugin(spec: &str) -> String {
    resource("WasmPlugin", spec)
}

/// A filter of Envoy with a configuration.
fn filter(any: &str) -> String {
    format!("{{name: serin, typed_config: {{\"@type\": wasm, config: {{configuration: {any}}}}}}}")
}

fn of_struct(document: &str) -> String {
    filter(&format!("{{\"@type\": {STRUCT}, value: {document}}}"))
}

/// A configuration that is somebody else's is no mistake where there is a document.
#[test]
fn other_plugins_beside_a_document() {
    let ours = plugin(&format!("{{pluginConfig: {DOCUMENT}}}"));
    for spec in [
        "{url: oci://x}",
        "{pluginConfig: null}",
        "{pluginConfig: {}}",
        "{pluginConfig: {headers: [{name: x-a}]}}",
        "{pluginConfig: {cookie: a, keys: []}}",
        "{pluginConfig: text}",
        "{pluginConfig: [1]}",
        "{pluginconfig: {a: 1}}",
        "{config: {a: 1}}",
    ] {
        check(&format!("{ours}---\n{}", plugin(spec)), 1, &[]);
    }
    for other in ["foo: bar", "just a text", "[1, 2]"] {
        check(&format!("{ours}---\n{other}\n"), 1, &[]);
        check(&format!("{other}\n---\n{ours}"), 1, &[]);
    }
    check(&resource("EnvoyExtensionPolicy", &format!("{{wasm: [{{name: a}}, {{config: {DOCUMENT}}}]}}")), 1, &[]);
    for any in [
        format!("{{\"@type\": {TEXT}, value: '{{}}'}}"),
        format!("{{\"@type\": {TEXT}, value: '17'}}"),
        format!("{{\"@type\": {TEXT}, value: '\"my-other-plugin\"'}}"),
        format!("{{\"@type\": {TEXT}, value: '{{\"cookie\": \"a\"}}'}}"),
        format!("{{\"@type\": {STRUCT}, value: {{}}}}"),
        format!("{{\"@type\": {STRUCT}}}"),
        "{}".to_owned(),
    ] {
        check(&format!("resources: [{}, {}]\n", filter(&any), of_struct(DOCUMENT)), 1, &[]);
    }
    // What is surely meant as one is.
    let beside = |spec: &str, expected: &str| check(&format!("{ours}---\n{}", plugin(spec)), 2, &[expected]);
    beside("{pluginConfig: {inbound: skip}}", "9:22 missing; expected an object of rollouts by name");
    beside("{pluginConfig: 'rollouts: {}'}", "9:22 found a text; expected an object");
}

/// Of a field that stands twice only one was looked at.
#[test]
fn what_stands_twice() {
    let bad = "{rollouts: {shop: {stable: v9, versions: {v1: {}}}}}";
    let twice = |name: &str, place: &str| format!("{place} {name} stands here twice; expected it once");
    let spec = format!("\n  pluginConfig: {DOCUMENT}\n  pluginConfig: {bad}");
    check(&plugin(&spec), 1, &[&twice("pluginConfig", "6:3")]);
    let spec = format!("{{pluginConfig: {DOCUMENT}}}\nspec: {{pluginConfig: {bad}}}");
    check(&plugin(&spec), 1, &[&twice("spec", "5:1")]);
    check(&format!("{}kind: Service\n", plugin(&format!("{{pluginConfig: {DOCUMENT}}}"))), 1, &[&twice("kind", "5:1")]);
    let policy = format!("\n  wasm:\n  - name: a\n    config: {DOCUMENT}\n    config: {bad}");
    check(&resource("EnvoyExtensionPolicy", &policy), 1, &[&twice("config", "8:5")]);
    let any = format!("\"@type\": {STRUCT}\n    value: {DOCUMENT}");
    check(&format!("resources:\n- configuration:\n    {any}\n    value: {bad}\n"), 1, &[&twice("value", "5:5")]);
    check(
        &format!("resources:\n- configuration:\n    {any}\n  configuration: {{\"@type\": {STRUCT}}}\n"),
        1,
        &[&twice("configuration", "5:3")],
    );
}

/// Whatever else stands at the top of a file.
#[test]
fn wherever_a_configuration_is() {
    let filter = of_struct(DOCUMENT);
    check(&format!("name: main\naddress: {{}}\nfilter_chains: [{{filters: [{filter}]}}]\n"), 1, &[]);
    check(&format!("configs: [{{\"@type\": dump, dynamic_listeners: [{{listener: {{x: [{filter}]}}}}]}}]\n"), 1, &[]);
    check(&format!("- {filter}\n- {{name: router}}\n"), 1, &[]);
    check(&format!("- {filter}\n---\nfoo: bar\n"), 1, &[]);
    check(
        "name: main\nfilter_chains: []\n",
        0,
        &[
            "1:1 no rules document: found name, filter_chains at the top; expected a field rollouts at the top, or a WasmPlugin, TrafficExtension, EnvoyExtensionPolicy or Envoy configuration that holds one",
        ],
    );
    let ours = plugin(&format!("{{pluginConfig: {DOCUMENT}}}"));
    let item = |resource: &str| format!("- {}\n", resource.trim_end().replace('\n', "\n  "));
    check(&format!("{}{}", item(&resource("Service", "{}")), item(&ours)), 1, &[]);
    let without_kind = ours.replace("apiVersion: example.io/v1\nkind: WasmPlugin\n", "");
    check(&format!("kind: WasmPluginList\nitems:\n{}", item(&without_kind)), 1, &[]);
    check(&format!("apiVersion: v1\nkind: ServiceList\nitems:\n- {{metadata: {{name: a}}}}\n---\n{ours}"), 1, &[]);
}

/// A document in the wrong place is told there.
#[test]
fn what_is_misplaced() {
    let called =
        |place: &str, name: &str| format!("{place} {name} stands here; in a WasmPlugin it is called pluginConfig");
    let belongs = |place: &str, name: &str, to: &str| format!("{place} {name} stands here; in {to}");
    let to = "a WasmPlugin the document belongs to spec.pluginConfig";
    check(&plugin(&format!("{{url: x, config: {DOCUMENT}}}")), 0, &[&called("4:16", "config")]);
    check(&plugin("{url: x, rollouts: {}}"), 0, &[&belongs("4:16", "rollouts", to)]);
    let top = |spec: &str| format!("{}pluginConfig: {DOCUMENT}\n", plugin(spec));
    check(&top("{url: x}"), 0, &[&belongs("5:1", "pluginConfig", to)]);
    check(&top("").replace("spec: \n", ""), 0, &[&belongs("4:1", "pluginConfig", to)]);
    let extension = resource("TrafficExtension", &format!("{{pluginConfig: {DOCUMENT}}}"));
    let to = "a TrafficExtension the document belongs to spec.wasm.pluginConfig";
    check(&extension, 0, &[&belongs("4:8", "pluginConfig", to)]);
    let policy = |spec: &str| resource("EnvoyExtensionPolicy", spec);
    let to = "an EnvoyExtensionPolicy the document belongs to spec.wasm[].config";
    check(&policy(&format!("{{pluginConfig: {DOCUMENT}}}")), 0, &[&belongs("4:8", "pluginConfig", to)]);
    let to = "an EnvoyExtensionPolicy it is called config";
    check(&policy(&format!("{{wasm: [{{pluginConfig: {DOCUMENT}}}]}}")), 0, &[&belongs("4:16", "pluginConfig", to)]);
    let list = "4:14 found an object; expected a list of filters, such as - name: serin";
    check(&policy(&format!("{{wasm: {{config: {DOCUMENT}}}}}")), 0, &[list]);
}

/// A `Struct` carries what is in its value.
#[test]
fn what_stands_beside_the_value() {
    let any = format!("{{\"@type\": {STRUCT}, rollouts: {{}}}}");
    check(
        &format!("resources: [{{configuration: {any}}}]\n"),
        0,
        &["1:29 value is missing; expected the document in it, beside \"@type\""],
    );
}

/// Envoy takes JSON in a text, and nothing else; YAML has another form.
#[test]
fn what_is_no_json() {
    let says = |value: &str, expected: &str| {
        let file = format!("resources:\n- configuration:\n    \"@type\": {TEXT}\n    value: {value}\n");
        let run = Folder::with(&[("file.yaml", &file)]).serin(&["check", "file.yaml"]).ends_with(1);
        run.says(expected).says("= help: with \"@type\": type.googleapis.com/google.protobuf.Struct");
    };
    says("|\n      rollouts: {}", "not JSON, as a StringValue has to be: expected value");
    says(DOCUMENT, "found an object; expected a text that holds JSON");
}

/// Documents of one file that have the same name are told apart by where they stand.
#[test]
fn which_document() {
    let ours = plugin(&format!("{{pluginConfig: {DOCUMENT}}}"));
    let folder = Folder::with(&[("file.yaml", &format!("{DOCUMENT}\n---\n# Another one.\n{DOCUMENT}\n---\n{ours}"))]);
    folder
        .serin(&["simulate", "file.yaml"])
        .ends_with(2)
        .says("\n  1  a bare document, line 1\n  2  a bare document, line 4\n")
        .says("\n  3  spec.pluginConfig of WasmPlugin a, line 9\n");
}
