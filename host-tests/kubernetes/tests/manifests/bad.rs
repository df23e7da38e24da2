//! Resources with one mistake each, which every release finds that has their kind.

use serde_json::{Value, json};
use serin_kubernetes::{Catalogue, Resource, SETS, read, round_trip};

use crate::{catalogue, valid};

const ROUTES: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: shop, labels: {app: reviews}}
spec:
  parentRefs: [{name: shop, namespace: istio-ingress}]
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /reviews}, headers: [{name: x-canary-version, value: v2}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: b}]}}]
    timeouts: {request: 10s, backendRequest: 2s}
    backendRefs: [{name: reviews-v2, port: 9080}]
";

const PLUGIN: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: serin, namespace: istio-ingress}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  url: oci://registry.example.com/serin@sha256:00
  match: [{mode: CLIENT, ports: [{number: 8080}]}]
  vmConfig: {env: [{name: SERIN_KEY_1, valueFrom: HOST}]}
  pluginConfig: {rollouts: {}}
";

const EXTENSION: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: {name: serin, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
  wasm: {url: registry.example.com/serin, failStrategy: FAIL_OPEN, pluginConfig: {rollouts: {}}}
";

const POLICY: &str = "
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: serin, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: shop}]
  wasm:
  - name: serin
    code: {type: Image, image: {url: registry.example.com/serin}}
    failOpen: true
    config: {rollouts: {}}
";

const SERVICE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: v1, port: {number: 9080}}, weight: 90}]}]
";

const TELEMETRY: &str = "
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: serin, namespace: istio-ingress}
spec:
  metrics: [{providers: [{name: prometheus}], overrides: [{tagOverrides: {version: {value: x}}}]}]
";

const CLASS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: shop}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
";

fn resource(text: &str) -> Resource {
    read("bad.yaml".as_ref(), 1, text).unwrap().remove(0)
}

/// A resource is valid, and with this patch (RFC 7396) it has one problem alone: at this place, with this part of a message.
fn check(catalogue: &mut Catalogue, text: &str, patch: &Value, place: &str, part: &str) {
    let sound = resource(text);
    let mut broken = sound.value.clone();
    json_patch::merge(&mut broken, patch);
    let mut releases = 0;
    for set in SETS.iter().filter(|set| set.has_group(sound.group())) {
        let Some(kind) = catalogue.kind(set, &sound).unwrap() else { continue };
        assert_eq!(kind.problems(&sound.value), [], "{sound} in {}", set.name);
        let found = kind.problems(&broken);
        let is_it = found.len() == 1 && found[0].place == place && found[0].message.contains(part);
        assert!(is_it, "{sound} in {} with {patch} has {found:?}", set.name);
        releases += 1;
    }
    assert!(releases > 1, "{sound} is in {releases} sets");
}

#[test]
fn mistakes_against_the_schema_are_found() {
    let Some(mut catalogue) = catalogue() else { return };
    let mut check = |text, patch, place, part| check(&mut catalogue, text, &patch, place, part);
    check(PLUGIN, json!({"spec": {"url": null}}), "spec", "\"url\" is a required property");
    check(PLUGIN, json!({"spec": {"priority": "high"}}), "spec.priority", "not of type");
    check(PLUGIN, json!({"spec": {"failStrategy": "OPEN"}}), "spec.failStrategy", "is not one of");
    check(PLUGIN, json!({"spec": {"failStrat": "FAIL_OPEN"}}), "spec.failStrat", "unknown field");
    check(PLUGIN, json!({"spec": {"sha256": "00"}}), "spec.sha256", "does not match");
    check(PLUGIN, json!({"spec": {"pluginConfig": "{}"}}), "spec.pluginConfig", "not of type");
    check(
        PLUGIN,
        json!({"spec": {"match": [{"ports": [{"number": 70_000}]}]}}),
        "spec.match[0].ports[0].number",
        "maximum",
    );
    check(PLUGIN, json!({"metadata": {"name": "Serin"}}), "metadata.name", "does not match");
    check(PLUGIN, json!({"metadata": {"name": "a.-b"}}), "metadata.name", "does not match");
    check(PLUGIN, json!({"metadata": {"namespace": null}}), "metadata.namespace", "required");
    check(CLASS, json!({"metadata": {"namespace": "shop"}}), "metadata.namespace", "in no namespace");
    check(PLUGIN, json!({"metadata": {"labels": {"a": 1}}}), "metadata.labels.a", "not of type");
    check(PLUGIN, json!({"metadata": {"nmespace": "x"}}), "metadata.nmespace", "unknown field");
    let twice = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
    check(PLUGIN, json!({"spec": {"vmConfig": {"env": twice}}}), "spec.vmConfig.env[1]", "duplicate \"A\"");
    check(EXTENSION, json!({"spec": {"pluginConfig": {}}}), "spec.pluginConfig", "unknown field");
    check(EXTENSION, json!({"spec": {"lua": {"inlineCode": "x"}}}), "spec", "more than one of the schemas");
    check(POLICY, json!({"spec": {"wasm": [{"failOpen": true}]}}), "spec.wasm[0]", "\"code\" is a required property");
    check(POLICY, json!({"spec": {"wasm": {"name": "serin"}}}), "spec.wasm", "not of type");
    let route = json!({"destination": {"host": "reviews", "subset": "v1", "weight": 1}});
    check(
        SERVICE,
        json!({"spec": {"http": [{"route": [route]}]}}),
        "spec.http[0].route[0].destination.weight",
        "unknown field",
    );
    check(ROUTES, json!({"spec": {"hostnames": ["a", "_"]}}), "spec.hostnames[1]", "does not match");
    let rule = json!({"backendRefs": [{"name": "reviews-v1", "port": 9080}]});
    check(ROUTES, json!({"spec": {"rules": vec![rule; 17]}}), "spec.rules", "more than 16");
    let header = json!([{"name": "x-a", "value": "1"}, {"name": "x-a", "value": "2"}]);
    let rule = json!({"matches": [{"headers": header}]});
    check(ROUTES, json!({"spec": {"rules": [rule]}}), "spec.rules[0].matches[0].headers[1]", "duplicate \"x-a\"");
}

#[test]
fn mistakes_against_rules_are_found() {
    let Some(mut catalogue) = catalogue() else { return };
    let mut check = |text, patch, place, part| check(&mut catalogue, text, &patch, place, part);
    let gateway = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "shop"}]);
    check(PLUGIN, json!({"spec": {"targetRefs": gateway}}), "spec", "only one of targetRefs or selector can be set");
    check(PLUGIN, json!({"spec": {"url": "ftp://example.com/serin"}}), "spec.url", "url must have schema one of");
    check(PLUGIN, json!({"spec": {"url": "example.com:5000/serin"}}), "spec.url", "url must have schema one of");
    let env = json!([{"name": "A", "value": "1", "valueFrom": "HOST"}]);
    check(
        PLUGIN,
        json!({"spec": {"vmConfig": {"env": env}}}),
        "spec.vmConfig.env[0]",
        "value may only be set when valueFrom",
    );
    let label = json!({"matchLabels": {"a*": "b"}});
    check(PLUGIN, json!({"spec": {"selector": label}}), "spec.selector.matchLabels", "wildcard not allowed in label");
    check(EXTENSION, json!({"spec": {"wasm": null}}), "spec", "exactly one of wasm or lua");
    check(
        EXTENSION,
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
        "spec",
        "only one of targetRefs or selector",
    );
    let both = json!({"type": "Image", "image": {"url": "x"}, "http": {"url": "https://x", "sha256": "0".repeat(64)}});
    let wasm = |code| json!({"spec": {"wasm": [{"code": code}]}});
    check(POLICY, wasm(both), "spec.wasm[0].code", "If type is HTTP, http field needs to be set");
    check(POLICY, wasm(json!({"type": "Image"})), "spec.wasm[0].code", "If type is Image, image field needs to be set");
    let service = json!([{"group": "gateway.networking.k8s.io", "kind": "Service", "name": "shop"}]);
    check(
        POLICY,
        json!({"spec": {"targetRefs": service}}),
        "spec",
        "this policy can only have a targetRefs[*].kind of",
    );
    let rule = |rule: Value| json!({"spec": {"rules": [rule]}});
    let matches = |path: Value| rule(json!({"matches": [{"path": path}]}));
    check(ROUTES, matches(json!({"value": "reviews"})), "spec.rules[0].matches[0].path", "must be an absolute path");
    let many = vec![json!({"path": {"value": "/a"}}); 64];
    let rules = vec![json!({"matches": many}); 3];
    check(ROUTES, json!({"spec": {"rules": rules}}), "spec.rules", "less than 128");
    let timeouts = json!({"request": "1s", "backendRequest": "2s"});
    check(
        ROUTES,
        rule(json!({"timeouts": timeouts})),
        "spec.rules[0].timeouts",
        "backendRequest timeout cannot be longer",
    );
    let header = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a"]}});
    check(ROUTES, rule(json!({"filters": [header, header]})), "spec.rules[0].filters", "cannot be repeated");
    check(
        ROUTES,
        rule(json!({"backendRefs": [{"name": "reviews"}]})),
        "spec.rules[0].backendRefs[0]",
        "Must have port",
    );
    let overrides = json!([{"tagOverrides": {"version": {"operation": "UPSERT", "value": ""}}}]);
    let metrics = json!({"spec": {"metrics": [{"overrides": overrides}]}});
    check(
        TELEMETRY,
        metrics,
        "spec.metrics[0].overrides[0].tagOverrides.version",
        "value must be set when operation is UPSERT",
    );
}

#[test]
fn mistakes_in_kinds_of_kubernetes_itself_are_found() {
    let check_with = |start: &str, metadata: &str, body: &str, expected: Option<&str>| {
        let text = format!("{start}, metadata: {{{metadata}}}, {body}}}");
        let found = round_trip(&resource(&text)).unwrap();
        match (found, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => assert!(format!("{error:#}").contains(part), "{text}: {error:#}"),
            (found, _) => panic!("{text} gives {found:?}"),
        }
    };
    let check = |start, body: &str, expected| check_with(start, "name: x, namespace: shop", body, expected);
    let service = "{apiVersion: v1, kind: Service";
    check(service, "spec: {selector: {app: reviews}, ports: [{port: 9080, targetPort: http}]}", None);
    check(service, "spec: {selectors: {app: reviews}}", Some("spec.selectors: unknown field"));
    check(service, "spec: {ports: [{port: many}]}", Some("invalid type"));
    check(service, "spec: {ports: [{name: http}]}", Some("spec.ports[0].port: required"));
    let deployment = "{apiVersion: apps/v1, kind: Deployment";
    let image = "{name: x, image: x, livenesProbe: {periodSeconds: 1}}";
    let template = format!("{{spec: {{containers: [{image}]}}}}");
    check(
        deployment,
        &format!("spec: {{selector: {{}}, template: {template}}}"),
        Some("spec.template.spec.containers[0].livenesProbe: unknown field"),
    );
    let role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role";
    check(role, "rules: [{apiGroups: [x], resources: [pods], verbs: [get]}]", None);
    check(role, "rules: [{apiGroups: [x], resources: pods, verbs: [get]}]", Some("invalid type"));
}

#[test]
fn mistakes_in_metadata_are_found() {
    let core = |kind: &str| format!("{{apiVersion: v1, kind: {kind}");
    let role = |kind: &str| format!("{{apiVersion: rbac.authorization.k8s.io/v1, kind: {kind}");
    let argo = "{apiVersion: argoproj.io/v1alpha1, kind: Rollout".to_owned();
    let check = |start: &str, metadata: &str, expected: &str| {
        let found = valid::problems(&mut None, &resource(&format!("{start}, metadata: {{{metadata}}}}}"))).join("\n");
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{start} {metadata}: {found:?}");
    };
    let required = "metadata.namespace: required";
    let forbidden = "metadata.namespace: resources of the kind are in no namespace";
    check(&core("Service"), "name: reviews-v1, namespace: shop", "");
    check(&core("Service"), "name: Reviews_V1, namespace: shop", "metadata.name");
    check(&core("Service"), "name: reviews.v1, namespace: shop", "metadata.name");
    check(&core("Service"), "name: 1-reviews, namespace: shop", "metadata.name");
    check(&core("Service"), "name: reviews", required);
    check(&core("Service"), "name: reviews, namespace: Shop", "metadata.namespace");
    check(&core("Service"), "name: reviews, namespace: shop, labels: {a: b c}", "metadata.labels.a");
    check(&core("Service"), "name: reviews, namespace: shop, annotations: {a..b/c: d}", "metadata.annotations");
    check(&core("Service"), "namespace: shop", "name");
    for (name, part) in
        [("a.b-c.d", ""), ("a.-b", "metadata.name"), ("a..b", "metadata.name"), ("a-.b", "metadata.name")]
    {
        check(&core("ConfigMap"), &format!("name: {name}, namespace: shop"), part);
        check(&argo, &format!("name: {name}, namespace: shop"), part);
    }
    check(&core("Namespace"), "name: shop", "");
    check(&core("Namespace"), "name: shop.example", "metadata.name");
    check(&core("Namespace"), "name: shop, namespace: shop", forbidden);
    check(&role("Role"), "name: 'serin:weights', namespace: shop", "");
    check(&role("Role"), "name: 'serin/weights', namespace: shop", "metadata.name");
    check(&role("Role"), "name: .., namespace: shop", "metadata.name");
    check(&role("Role"), "name: serin", required);
    check(&role("ClusterRole"), "name: Serin, namespace: shop", forbidden);
    check(&argo, "name: reviews", required);
}

#[test]
fn a_kind_that_nobody_defines_is_not_passed_over() {
    let unknown = resource("{apiVersion: example.com/v1, kind: Canary, metadata: {name: x}}");
    assert!(valid::problems(&mut None, &unknown)[0].contains("neither defined"));
    let Some(mut catalogue) = catalogue() else { return };
    let extension = resource(EXTENSION);
    let lacking: Vec<&str> = SETS
        .iter()
        .filter(|set| set.has_group(extension.group()) && catalogue.kind(set, &extension).unwrap().is_none())
        .map(|set| set.name)
        .collect();
    assert_eq!(lacking, ["Istio 1.29.6"]);
}
