//! Modules are pinned by their digests, and a filter that fails is passed over.

use serde_json::Value;
use serin_kubernetes::{Resource, read};

use crate::{all, is_manifest};

#[test]
fn modules_are_pinned_and_fail_open() {
    let manifests: Vec<Resource> = all().into_iter().filter(|resource| is_manifest(&resource.file)).collect();
    let wrong: Vec<String> = manifests.iter().flat_map(mistakes).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a resource that brings the filter, and with the images of any.
fn mistakes(resource: &Resource) -> Vec<String> {
    let spec = &resource.value["spec"];
    let mut wrong = Vec::new();
    let mut check = |is_right: bool, what: &str| {
        if !is_right {
            wrong.push(format!("{resource}: {what}"));
        }
    };
    match resource.kind() {
        "WasmPlugin" => check_istio(spec, &mut check),
        "TrafficExtension" if spec.get("lua").is_none() => check_istio(&spec["wasm"], &mut check),
        "EnvoyExtensionPolicy" => spec["wasm"].as_array().into_iter().flatten().for_each(|wasm| {
            let code = &wasm["code"];
            let module = if code["http"].is_object() { &code["http"] } else { &code["image"] };
            check(is_pinned(module), "the module is not pinned");
            check(code["pullPolicy"] != "Always", "it is pulled at every change");
            check(wasm["failOpen"] == true, "failOpen is not true");
        }),
        _ => {}
    }
    let mut found = Vec::new();
    texts(&resource.value, &mut found);
    check(!found.iter().any(|(_, text)| text.ends_with(":latest")), "an image is :latest");
    let images = found.iter().filter(|(name, _)| *name == "image");
    for (_, image) in images.filter(|(_, image)| !has_version(image)) {
        check(false, &format!("image {image} has neither tag nor digest"));
    }
    wrong
}

fn check_istio(plugin: &Value, check: &mut impl FnMut(bool, &str)) {
    check(is_pinned(plugin), "the module is not pinned");
    check(plugin["imagePullPolicy"] != "Always", "it is pulled at every change");
    check(plugin["failStrategy"] == "FAIL_OPEN", "failStrategy is not FAIL_OPEN");
}

/// Whether a module's URL or its `sha256` holds a whole digest.
fn is_pinned(module: &Value) -> bool {
    let in_url = module["url"].as_str().and_then(|url| url.split_once("@sha256:")).map(|(_, digest)| digest);
    [in_url, module["sha256"].as_str()].into_iter().flatten().any(is_digest)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a container's image has a tag or a digest. `auto` stands for the image that Istio puts there.
fn has_version(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    match name.split_once('@') {
        Some((_, digest)) => digest.strip_prefix("sha256:").is_some_and(is_digest),
        None => image == "auto" || name.split_once(':').is_some_and(|(_, tag)| !tag.is_empty()),
    }
}

/// The texts in a value, with the names of the fields that they stand in.
fn texts<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => {
            let named = fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
            found.extend(named);
            fields.values().for_each(|value| texts(value, found));
        }
        _ => {}
    }
}

fn check(kind: &str, spec: &str, expected: &[&str]) {
    let text = format!("apiVersion: example.com/v1\nkind: {kind}\nmetadata: {{name: serin}}\nspec: {spec}\n");
    let resource = &read("x.yaml".as_ref(), 1, &text).unwrap()[0];
    let found = mistakes(resource);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn what_is_not_pinned_is_found() {
    let digest = "0".repeat(64);
    check("WasmPlugin", &format!("{{url: 'oci://x/serin@sha256:{digest}', failStrategy: FAIL_OPEN}}"), &[]);
    check("WasmPlugin", &format!("{{url: 'https://x/serin.wasm', sha256: '{digest}', failStrategy: FAIL_OPEN}}"), &[]);
    check("WasmPlugin", "{url: 'oci://x/serin:v1', failStrategy: FAIL_OPEN}", &["not pinned"]);
    check("WasmPlugin", "{url: 'oci://x/serin@sha256:00', failStrategy: FAIL_CLOSE}", &["not pinned", "FAIL_OPEN"]);
    check(
        "TrafficExtension",
        "{wasm: {url: 'oci://x/serin:latest', imagePullPolicy: Always}}",
        &["not pinned", "pulled", "FAIL_OPEN", ":latest"],
    );
    check(
        "EnvoyExtensionPolicy",
        &format!(
            "{{wasm: [{{failOpen: true, code: {{image: {{url: 'x/serin@sha256:{digest}'}}}}}}, {{code: {{http: {{url: 'https://x'}}}}}}]}}"
        ),
        &["not pinned", "failOpen"],
    );
    check("Deployment", "{template: {spec: {containers: [{image: 'nginx:latest'}]}}}", &[":latest"]);
    let image = |image: &str, expected: &[&str]| {
        let container = format!("{{image: '{image}'}}");
        check("Deployment", &format!("{{template: {{spec: {{containers: [{container}]}}}}}}"), expected);
        check("EnvoyProxy", &format!("{{envoyDeployment: {{container: {container}}}}}"), expected);
        check("Rollout", &format!("{{template: {{spec: {{initContainers: [{container}]}}}}}}"), expected);
    };
    image("busybox:1.37", &[]);
    image("registry.example.com:5000/team/busybox:1.37", &[]);
    image(&format!("registry.example.com/busybox@sha256:{digest}"), &[]);
    image("auto", &[]);
    image("busybox", &["image busybox has neither tag nor digest"]);
    image("busybox:", &["neither tag"]);
    image("registry.example.com:5000/busybox", &["neither tag"]);
    image("busybox:1.37@sha256:00", &["neither tag"]);
    image("busybox:latest", &[":latest"]);
}
