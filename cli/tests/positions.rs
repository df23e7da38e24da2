//! Every bad document there is, in every form that it can reach a proxy in: `check` tells all of its mistakes, each with the line
//! and column of what it is about.

mod support;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serin_core::Node;

use support::Folder;

/// A document in a form.
struct Written {
    file: String,
    spots: Spots,
}

/// Where the fields and items of a document stand in the file, by their paths; a field may stand there twice.
type Spots = BTreeMap<String, Vec<Spot>>;

/// Bytes of the file.
#[derive(Clone, Copy, Debug)]
struct Spot {
    /// Where the name begins, or, of an item, the value.
    name: usize,
    value: usize,
    is_scalar: bool,
}

/// How a form is written; `None` for a document that cannot be written so.
type Form = fn(&Node<'_>) -> Option<Written>;

/// The forms of a document, and how their files end.
const FORMS: [(&str, Form); 9] = [
    ("bare.json", |node| Some(within("", json(node), "\n"))),
    ("bare.yaml", |node| Some(within("", yaml(node, 0), ""))),
    ("flow.yaml", |node| Some(within("# in JSON's own form\n", json(node), "\n"))),
    ("plugin.yaml", |node| {
        let head = resource("WasmPlugin", "extensions.istio.io/v1alpha1");
        Some(within(&format!("{head}  pluginConfig:"), yaml(node, 4), ""))
    }),
    ("plugin.json", |node| {
        let head = r#"{"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "a"}"#;
        Some(within(&format!("{head}, \"spec\": {{\"pluginConfig\":\n "), json(node), "}}"))
    }),
    ("extension.yaml", |node| {
        let head = resource("TrafficExtension", "extensions.istio.io/v1alpha1");
        Some(within(&format!("{head}  wasm:\n    url: oci://example.com/serin\n    pluginConfig:"), yaml(node, 6), ""))
    }),
    ("policy.yaml", |node| {
        let head = resource("EnvoyExtensionPolicy", "gateway.envoyproxy.io/v1alpha1");
        Some(within(&format!("{head}  wasm:\n  - name: serin\n    config:"), yaml(node, 6), ""))
    }),
    ("envoy-struct.yaml", |node| {
        (!has_fraction(node)).then(|| within(&format!("{} value:", envoy("Struct")), yaml(node, 14), ""))
    }),
    ("envoy-string.yaml", |node| {
        Some(within(&format!("{} value: |\n              ", envoy("StringValue")), json(node), "\n"))
    }),
];

#[test]
fn of_every_bad_document_in_every_form() {
    let table: Vec<Value> = serde_json::from_str(include_str!("../../core/tests/bad-documents.json")).unwrap();
    let (mut files, mut told) = (0, 0);
    for (name, write) in FORMS {
        let folder = Folder::with(&[]);
        let mut expected = BTreeMap::new();
        for (index, case) in table.iter().enumerate() {
            // What is no object at all is, inside of a resource, no document.
            let Ok(node @ Node::Map(_)) = serde_json::from_str(case["document"].as_str().unwrap()) else { continue };
            let Some(written) = write(&node) else { continue };
            let file_name = format!("{index}-{name}");
            folder.write(&file_name, &written.file);
            expected.insert(file_name, (written, &case["errors"]));
        }
        let names: Vec<&str> = expected.keys().map(String::as_str).collect();
        let report = folder.serin(&[&["check", "--output", "json"][..], &names].concat()).ends_with(1).json();
        let mut found: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        let errors = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "error");
        errors.for_each(|finding| found.entry(finding["file"].as_str().unwrap()).or_default().push(finding));
        for (name, (written, errors)) in &expected {
            let found = found.get(&**name).map_or(&[][..], Vec::as_slice);
            check_messages(name, &written.file, found, errors);
            found.iter().for_each(|finding| check_place(written, finding));
            told += found.len();
        }
        files += expected.len();
    }
    assert!(files > 3_000 && told > 4_000, "{told} mistakes in {files} files");
}

/// Checks that exactly these mistakes were told.
fn check_messages(name: &str, file: &str, found: &[&Value], errors: &Value) {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let message = |finding: &&Value| {
        let meant = finding["did_you_mean"].as_str().map(|name| format!("; did you mean \"{name}\"?"));
        let path = Some(text(finding, "path")).filter(|path| !path.is_empty()).unwrap_or("document".into());
        format!("{path}: {}{}", text(finding, "message"), meant.unwrap_or_default())
    };
    let mut messages: Vec<String> = found.iter().map(message).collect();
    let mut expected: Vec<&str> = errors.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    // The command does not have the secrets of the proxy's environment, and says so by other means.
    expected.retain(|error| !error.contains("the environment has no"));
    messages.sort();
    expected.sort_unstable();
    assert_eq!(messages, expected, "{name}:\n{file}");
}

/// Checks the line and column of a mistake: a name that is unknown, or there again, at that name; a wrong value there; an object
/// or list at its name; what is missing at the name of what it is missing in, or of what is there in its place.
fn check_place(written: &Written, finding: &Value) {
    let path = finding["path"].as_str().unwrap();
    // Names that are no plain ones are spelled in another way.
    if path.contains('"') {
        return;
    }
    let place = |at: usize| {
        let before = &written.file[..at];
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() as u64 + 1, line.chars().count() as u64 + 1)
    };
    // What is missing is told where something else is that may be meant for it.
    let misnamed = finding["hint"].as_str().and_then(|hint| hint.strip_suffix(" is unknown, and may be meant for it"));
    let beside = |name: &str| path.rfind('.').map_or_else(|| name.to_owned(), |dot| format!("{}.{name}", &path[..dot]));
    let spots = written.spots.get(misnamed.map_or_else(|| path.to_owned(), beside).as_str());
    let expected: Vec<usize> = match (finding["code"].as_str().unwrap(), spots) {
        ("unknown-field" | "missing", Some(spots)) => spots.iter().map(|spot| spot.name).collect(),
        ("duplicate-field", Some(spots)) => vec![spots.last().unwrap().name],
        (_, Some(spots)) => spots.iter().map(|spot| if spot.is_scalar { spot.value } else { spot.name }).collect(),
        (_, None) => {
            let end = path.rfind(['.', '[']).unwrap_or_default();
            let parents = written.spots.get(&path[..end]).unwrap_or_else(|| panic!("nothing at {finding:#}"));
            parents.iter().map(|spot| spot.name).collect()
        }
    };
    let found = (finding["line"].as_u64().unwrap(), finding["column"].as_u64().unwrap());
    let places: Vec<_> = expected.into_iter().map(place).collect();
    assert!(places.contains(&found), "{found:?} is none of {places:?}: {finding:#}\n{}", written.file);
    assert!(finding["end_column"].as_u64() > finding["column"].as_u64(), "{finding:#}");
}

/// The beginning of a resource of Kubernetes.
fn resource(kind: &str, version: &str) -> String {
    format!(
        "# A comment.\n---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: serin, namespace: shop}}\nspec:\n"
    )
}

/// The beginning of a configuration of Envoy, up to the plugin's own.
fn envoy(kind: &str) -> String {
    let head =
        "static_resources:\n  listeners:\n  - name: main\n    http_filters:\n    - name: serin\n      typed_config:\n";
    format!(
        "{head}        config:\n          configuration:\n            \"@type\": type.googleapis.com/google.protobuf.{kind}\n           "
    )
}

/// The document between two texts.
fn within(head: &str, (text, mut spots): (String, Spots), tail: &str) -> Written {
    for spot in spots.values_mut().flatten() {
        spot.name += head.len();
        spot.value += head.len();
    }
    Written { file: format!("{head}{text}{tail}"), spots }
}

/// Writes values, duplicates and all, and notes where they stand.
#[derive(Default)]
struct Writer {
    text: String,
    spots: Spots,
}

/// YAML in the form of blocks.
fn yaml(node: &Node<'_>, indent: usize) -> (String, Spots) {
    let mut writer = Writer::default();
    writer.block(node, indent, "", 0);
    if indent == 0 {
        // What stands behind no name begins at the first line.
        writer.text.remove(0);
        for spot in writer.spots.values_mut().flatten() {
            spot.name = spot.name.saturating_sub(1);
            spot.value = spot.value.saturating_sub(1);
        }
    }
    (writer.text, writer.spots)
}

fn json(node: &Node<'_>) -> (String, Spots) {
    let mut writer = Writer::default();
    writer.flow(node, "", 0);
    (writer.text, writer.spots)
}

impl Writer {
    /// Notes a value whose name began at a byte, if it has one, and that begins here.
    fn note(&mut self, path: &str, name: usize, node: &Node<'_>) {
        let is_scalar = !matches!(node, Node::Map(_) | Node::List(_));
        let spot = Spot { name, value: self.text.len(), is_scalar };
        self.spots.entry(path.to_owned()).or_default().push(spot);
    }

    /// A value behind a name or a dash.
    fn block(&mut self, node: &Node<'_>, indent: usize, path: &str, name: usize) {
        let pad = format!("\n{}", " ".repeat(indent));
        match node {
            Node::Map(entries) if !entries.is_empty() => {
                // The document itself begins with its first field.
                let name = if path.is_empty() { self.text.len() + pad.len() } else { name };
                self.note(path, name, node);
                for (field, value) in entries {
                    self.text.push_str(&pad);
                    let name = self.text.len();
                    self.text.push_str(&format!("{}:", Value::from(&**field)));
                    self.block(value, indent + 2, &below(path, field), name);
                }
            }
            Node::List(items) if !items.is_empty() => {
                self.note(path, name, node);
                for (index, item) in items.iter().enumerate() {
                    self.text.push_str(&format!("{pad}-"));
                    // An item begins where its first field does.
                    let name =
                        self.text.len() + if matches!(item, Node::Map(of) if !of.is_empty()) { indent + 3 } else { 1 };
                    self.block(item, indent + 2, &format!("{path}[{index}]"), name);
                }
            }
            scalar => {
                self.text.push(' ');
                let name = if path.is_empty() { self.text.len() } else { name };
                self.flow(scalar, path, name);
            }
        }
    }

    fn flow(&mut self, node: &Node<'_>, path: &str, name: usize) {
        self.note(path, name, node);
        match node {
            Node::List(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.text.push_str(if index > 0 { ", " } else { "" });
                    let name = self.text.len();
                    self.flow(item, &format!("{path}[{index}]"), name);
                }
                self.text.push(']');
            }
            Node::Map(entries) => {
                self.text.push('{');
                for (index, (field, value)) in entries.iter().enumerate() {
                    self.text.push_str(if index > 0 { ", " } else { "" });
                    let name = self.text.len();
                    self.text.push_str(&format!("{}: ", Value::from(&**field)));
                    self.flow(value, &below(path, field), name);
                }
                self.text.push('}');
            }
            Node::Null => self.text.push_str("null"),
            Node::Bool(value) => self.text.push_str(&value.to_string()),
            Node::Number(value) => self.text.push_str(&value.to_string()),
            Node::String(text) => self.text.push_str(&Value::from(&**text).to_string()),
        }
    }
}

/// The path of a field.
fn below(path: &str, field: &str) -> Cow<'static, str> {
    if path.is_empty() { field.to_owned().into() } else { format!("{path}.{field}").into() }
}

/// Whether a number stands in it that Envoy does not read as one.
fn has_fraction(node: &Node<'_>) -> bool {
    match node {
        Node::Number(value) => value.fract() != 0.0 || value.abs() > f64::from(i32::MAX),
        Node::List(items) => items.iter().any(has_fraction),
        Node::Map(entries) => entries.iter().any(|(_, value)| has_fraction(value)),
        _ => false,
    }
}

/// Where a text that is no JSON at all stops making sense.
#[test]
fn of_every_document_that_cannot_be_read() {
    let table: Vec<Value> = serde_json::from_str(include_str!("../../core/tests/bad-documents.json")).unwrap();
    let mut seen = 0;
    for case in &table {
        let (text, error) = (case["document"].as_str().unwrap(), case["errors"][0].as_str().unwrap());
        let Some((_, place)) = error.split_once(" at line ").filter(|_| error.contains("neither JSON nor a Struct"))
        else {
            continue;
        };
        let folder = Folder::with(&[("rules.json", text)]);
        let report = folder.serin(&["check", "--output", "json", "rules.json"]).ends_with(1).json();
        let finding = &report["findings"][0];
        assert_eq!(format!("{} column {}", finding["line"], finding["column"]), place, "{finding:#}");
        seen += 1;
    }
    assert!(seen > 3, "{seen} documents");
}
