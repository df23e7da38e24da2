//! The `kubectl patch` lines: each fits what it is about, and those that take a version back do.

mod served;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serin_core::{Rules, Surroundings};
use serin_kubernetes::{Catalogue, PatchLine, Resource, lines_of_resource, lines_of_text, read, root};

use crate::{catalogue, is_manifest, manifests, valid};

#[test]
fn every_line_fits_its_resources() {
    let mut catalogue = catalogue();
    let all = manifests();
    let lines = lines(&all);
    let of_line = |(at, line)| mistakes(&mut catalogue, line, &lines[..at], &all);
    let wrong: Vec<String> = lines.iter().enumerate().flat_map(of_line).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_with_a_filter_takes_it_back_in_one_line() {
    let all = manifests();
    let wrong = without_way_back(&lines(&all), &all);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The filters that the README beside them, or the next one above, does not take back by a line of its own.
fn without_way_back(lines: &[PatchLine], all: &[Resource]) -> Vec<String> {
    let filters = all.iter().filter(|one| is_manifest(&one.file) && !documents(&one.value).is_empty());
    let readme = |filter: &Resource| {
        let texts = filter.file.ancestors().skip(1).map(|folder| folder.join("README.md"));
        texts.into_iter().find(|text| root().join(text).is_file()).unwrap_or_default()
    };
    let is_taken_back = |filter: &Resource| {
        let readme = readme(filter);
        let lines = lines.iter().filter(|line| line.file == readme && line.is_roll_back());
        lines.into_iter().any(|line| near(line, all).iter().any(|resource| resource.file == filter.file))
    };
    let lacking = filters.filter(|filter| !is_taken_back(filter));
    lacking.map(|filter| format!("{}: no line takes {filter} back", readme(filter).display())).collect()
}

/// The lines of all texts of manifests, and those that resources run.
fn lines(all: &[Resource]) -> Vec<PatchLine> {
    let folders = all.iter().flat_map(|resource| resource.file.ancestors().skip(1));
    let texts: BTreeSet<PathBuf> = folders.map(|folder| folder.join("README.md")).collect();
    let texts = texts.into_iter().filter(|file| file.starts_with("manifests"));
    let of_texts = texts.filter_map(|file| Some((fs::read_to_string(root().join(&file)).ok()?, file)));
    let of_texts = of_texts.flat_map(|(text, file)| lines_of_text(&root(), &file, &text).unwrap());
    of_texts.chain(all.iter().flat_map(|resource| lines_of_resource(&root(), resource).unwrap())).collect()
}

/// What is wrong with a line, which may need those before it in its file.
fn mistakes(
    catalogue: &mut Option<Catalogue>,
    line: &PatchLine,
    before: &[PatchLine],
    all: &[Resource],
) -> Vec<String> {
    let before: Vec<&PatchLine> = before.iter().filter(|step| step.file == line.file).collect();
    let later = |resource: &Resource| {
        let steps = before.iter().filter(|step| step.is_about(resource));
        steps.fold(resource.clone(), |resource, step| step.apply(&resource).unwrap_or(resource))
    };
    let is_done = |resource: &Resource| line.is_done_in(resource) && line.is_done_in(&later(resource));
    let mut about = near(line, all);
    if about.is_empty() {
        return vec![format!("{line}: there is no such resource in the folder")];
    }
    // A folder may show what comes of the line; then it is about the others for that platform.
    let others: Vec<_> = of_platform(line, all).into_iter().filter(|resource| !is_done(resource)).collect();
    if about.iter().all(|resource| is_done(resource)) && !others.is_empty() {
        about = others;
    }
    let mut wrong = Vec::new();
    for resource in about {
        let mut found = problems(catalogue, line, resource);
        if !found.is_empty() && !before.is_empty() {
            found = problems(catalogue, line, &later(resource));
        }
        wrong.extend(found.into_iter().map(|problem| format!("{line}: {resource}: {problem}")));
    }
    wrong
}

/// What is wrong with one resource and the line.
fn problems(catalogue: &mut Option<Catalogue>, line: &PatchLine, resource: &Resource) -> Vec<String> {
    let patched = match line.apply(resource) {
        Ok(patched) => patched,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut found = valid::problems(catalogue, &patched);
    found.extend(mistakes_of_rules(&patched));
    if line.is_roll_back() {
        let served = served::versions(&patched, &documents(&patched.value));
        found.extend(served.into_iter().map(|version| format!("somebody still gets {version}")));
    }
    found
}

/// The manifests that a line is about: those in its own folder, or else those below it, or else those for the same platform.
fn near<'a>(line: &PatchLine, all: &'a [Resource]) -> Vec<&'a Resource> {
    let folder = line.file.parent().unwrap();
    let is_in = |resource: &Resource| resource.file.parent() == Some(folder);
    let ways: [Vec<&Resource>; 3] = [
        named(line, all).filter(|resource| is_in(resource)).collect(),
        named(line, all).filter(|resource| resource.file.starts_with(folder)).collect(),
        of_platform(line, all),
    ];
    ways.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

fn of_platform<'a>(line: &PatchLine, all: &'a [Resource]) -> Vec<&'a Resource> {
    let platform: PathBuf = line.file.components().take(2).collect();
    named(line, all).filter(|resource| resource.file.starts_with(&platform)).collect()
}

fn named<'a>(line: &PatchLine, all: &'a [Resource]) -> impl Iterator<Item = &'a Resource> {
    all.iter().filter(|resource| is_manifest(&resource.file) && line.is_about(resource))
}

/// Mistakes in the rules documents of a resource.
fn mistakes_of_rules(resource: &Resource) -> Vec<String> {
    let parsed = documents(&resource.value).into_iter().map(parsed);
    parsed.flat_map(|parsed| parsed.errors).map(|error| error.to_string()).collect()
}

/// The rules documents in a resource.
fn documents(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(fields) if fields.contains_key("rollouts") => vec![value],
        Value::Object(fields) => fields.values().flat_map(documents).collect(),
        Value::Array(items) => items.iter().flat_map(documents).collect(),
        _ => Vec::new(),
    }
}

/// What becomes of a document, where every secret that it asks for is there.
fn parsed(document: &Value) -> serin_core::Parsed {
    let env = |_: &str| Some("c2VyaW4tc2VyaW4tc2VyaW4tc2VyaW4tc2VyaW4tc2U=".to_owned());
    Rules::parse(document.to_string().as_bytes(), &Surroundings { last_good: None, env: &env })
}

const PLUGIN: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: serin, namespace: istio-ingress}
spec:
  url: oci://registry.example.com/serin@sha256:00
  pluginConfig:
    rollouts:
      reviews:
        stable: v1
        versions: {v1: {}, v2: {weight: 10}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: shop}
spec:
  rules:
  - backendRefs: [{name: reviews-v1, port: 9080, weight: 90}, {name: reviews-v2, port: 9080, weight: 10}]
";

/// A line under a heading: what is wrong with it has this part, or nothing is.
fn check(catalogue: &mut Option<Catalogue>, heading: &str, line: &str, expected: Option<&str>) {
    let resources = read("manifests/x/plugin.yaml".as_ref(), 1, PLUGIN).unwrap();
    let text = format!("# Serin\n\n**{heading}.** So it is done:\n\n```sh\n{line}\n```\n");
    let lines = lines_of_text(&root(), "manifests/x/README.md".as_ref(), &text).unwrap();
    assert_eq!(lines.len(), 1, "{line}");
    let found = mistakes(catalogue, &lines[0], &[], &resources);
    match expected {
        None => assert_eq!(found, Vec::<String>::new()),
        Some(part) => assert!(!found.is_empty() && found[0].contains(part), "{line} has {found:?}"),
    }
}

#[test]
fn lines_that_do_not_fit_are_found() {
    let mut catalogue = catalogue();
    let has_definitions = catalogue.is_some();
    let mut check = |heading, line: &str, expected| check(&mut catalogue, heading, line, expected);
    let plugin = |namespace: &str, versions: &str| {
        let patch = format!(r#"{{"spec":{{"pluginConfig":{{"rollouts":{{"reviews":{{"versions":{versions}}}}}}}}}}}"#);
        format!("kubectl -n {namespace} patch wasmplugin serin --type merge \\\n  -p '{patch}'")
    };
    check("More", &plugin("istio-ingress", r#"{"v2":{"weight":50}}"#), None);
    check("More", &plugin("istio-ingress", r#"{"v2":{"weight":10}}"#), Some("changes nothing"));
    check("More", &plugin("shop", r#"{"v2":{"weight":50}}"#), Some("there is no such resource"));
    check("More", &plugin("istio-ingress", r#"{"v2":{"weight":500}}"#), Some("versions"));
    check(
        "More",
        "kubectl -n istio-ingress patch wasmplugin serin --type merge -p '{\"spec\":{\"on\":true}}'",
        has_definitions.then_some("spec.on: unknown field"),
    );
    let json = |path: &str| {
        format!(
            "kubectl -n istio-ingress patch wasmplugin serin --type json -p '[{{\"op\":\"replace\",\"path\":\"{path}\",\"value\":50}}]'"
        )
    };
    check("More", &json("/spec/pluginConfig/rollouts/reviews/versions/v2/weight"), None);
    check("More", &json("/spec/pluginConfig/rollouts/reviews/versions/v3/weight"), Some("v3"));
    check("Back in one line", &plugin("istio-ingress", r#"{"v2":{"off":true}}"#), None);
    check("Back in one line", &plugin("istio-ingress", r#"{"v2":{"weight":0}}"#), None);
    check("Back in one line", &plugin("istio-ingress", r#"{"v2":{"weight":1}}"#), Some("still gets v2"));
    check(
        "Back in one line",
        &plugin("istio-ingress", r#"{"v2":{"weight":null},"v3":{"weight":5}}"#),
        Some("still gets v3"),
    );
    let route = |of: &str, value: &str| {
        format!(
            "kubectl -n shop patch httproute reviews --type json -p '[{{\"op\":\"replace\",\"path\":\"/spec/rules/0/backendRefs/1/{of}\",\"value\":{value}}}]'"
        )
    };
    check("To roll back", &route("weight", "0"), None);
    check("To roll back", &route("weight", "1"), Some("still gets reviews-v2"));
    check("To roll back", &route("name", "\"reviews-v1\""), None);
    check("More", &route("weight", "\"1\""), has_definitions.then_some("not of type"));
}

/// The lines of a text that has one of `first` under "Back in one line", and one of `second` under "or".
fn ways_back(folder: &str, first: &str, second: &str) -> Vec<PatchLine> {
    let line = |versions: &str| {
        let patch = format!(r#"{{"spec":{{"pluginConfig":{{"rollouts":{{"reviews":{{"versions":{versions}}}}}}}}}}}"#);
        format!("```sh\nkubectl -n istio-ingress patch wasmplugin serin --type merge -p '{patch}'\n```")
    };
    let (first, second) = (line(first), line(second));
    let text =
        format!("# Serin\nBack in one line, or two:\n\n{first}\n\nor, of others,\n\n{second}\n\nMore:\n\n{second}\n");
    lines_of_text(&root(), &Path::new(folder).join("README.md"), &text).unwrap()
}

#[test]
fn other_ways_back_have_to_lead_back() {
    let mut catalogue = catalogue();
    let all = read("manifests/x/plugin.yaml".as_ref(), 1, PLUGIN).unwrap();
    let mut check = |second: &str, expected: [&str; 3]| {
        let lines = ways_back("manifests/x", r#"{"v2":{"off":true}}"#, second);
        for (line, part) in lines.iter().zip(expected) {
            let found = mistakes(&mut catalogue, line, &[], &all).join("\n");
            assert!(found.contains(part) && found.is_empty() == part.is_empty(), "{line} has {found:?}");
        }
    };
    check(r#"{"v2":{"weight":0}}"#, ["", "", ""]);
    check(r#"{"v2":{"weight":50}}"#, ["", "still gets v2", ""]);
}

#[test]
fn filters_without_a_way_back_are_found() {
    let check = |folder: &str, namespace: &str, expected: &[&str]| {
        let plugin = PLUGIN.replace("istio-ingress", namespace);
        let all = read("manifests/istio/gateway/plugin.yaml".as_ref(), 1, &plugin).unwrap();
        let lines = ways_back(folder, r#"{"v2":{"off":true}}"#, r#"{"v2":{"weight":0}}"#);
        let found = without_way_back(&lines, &all);
        assert!(
            found.len() == expected.len() && found.iter().zip(expected).all(|(one, part)| one.contains(part)),
            "{found:?}"
        );
        let found = without_way_back(&lines[2..], &all);
        assert_eq!(found.len(), 1, "a line that is for something else: {found:?}");
    };
    check("manifests/istio/gateway", "istio-ingress", &[]);
    check("manifests/istio/gateway", "shop", &["manifests/istio/gateway/README.md: no line takes"]);
    check("manifests/istio", "istio-ingress", &["manifests/istio/gateway/README.md: no line takes"]);
}
