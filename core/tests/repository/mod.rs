//! The rules documents that stand in the texts and manifests of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// All of them, each with its file, which is named from the root of the repository. They are looked for in Markdown (fenced blocks of
/// YAML and JSON), in YAML and in JSON; tests read what stands in the sources by themselves.
pub(crate) fn documents() -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("core stands in the workspace");
    let mut found = Vec::new();
    for file in files(root) {
        let text = fs::read_to_string(&file).unwrap();
        let sources = if file.extension().is_some_and(|e| e == "md") { code_blocks(&text) } else { vec![text] };
        let mut documents = Vec::new();
        for source in sources.iter().filter(|source| source.contains("rollouts")) {
            let values: Vec<Value> =
                serde_saphyr::from_multiple(source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            values.iter().for_each(|value| collect(value, &file, &mut documents));
        }
        let name = file.strip_prefix(root).unwrap().to_owned();
        found.extend(documents.into_iter().map(|document| (name.clone(), document)));
    }
    found
}

/// The texts and manifests of the repository. A schema is none, though it has a field for everything, nor is a scenario: it may
/// show what becomes of a mistake, and says by itself which documents are sound; nor is the list of bad documents.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files.extend(self::files(&path));
        } else if [".md", ".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
            && !name.ends_with(".schema.json")
            && name != "bad-documents.json"
        {
            let is_scenario =
                path.parent().is_some_and(|folder| folder.components().any(|part| part.as_os_str() == "scenarios"));
            if !(is_scenario && name.ends_with(".yaml")) {
                files.push(path);
            }
        }
    }
    files
}

/// The fenced blocks of YAML or JSON in a Markdown text.
fn code_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match &mut open {
            None if matches!(line.trim(), "```yaml" | "```json") => open = Some(String::new()),
            Some(_) if line.trim() == "```" => blocks.extend(open.take()),
            Some(block) => *block += &format!("{line}\n"),
            None => {}
        }
    }
    blocks
}

/// Every object that has a field `rollouts`, wherever it stands, also in a text, as Istio's and Envoy's `StringValue` has it.
fn collect(value: &Value, file: &Path, documents: &mut Vec<Value>) {
    match value {
        Value::Object(object) if object.contains_key("rollouts") => documents.push(value.clone()),
        Value::Object(object) => object.values().for_each(|value| collect(value, file, documents)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, file, documents)),
        Value::String(text) if is_document(text) => {
            let value = serde_saphyr::from_str::<Value>(text).unwrap_or_default();
            assert!(value.is_object(), "{}: a document that cannot be read: {text}", file.display());
            collect(&value, file, documents);
        }
        _ => {}
    }
}

/// Whether a text is meant for a document, however broken it is: in YAML, or in JSON.
fn is_document(text: &str) -> bool {
    let begins = |start| text.lines().any(|line| line.trim_start().starts_with(start));
    begins("rollouts:") || (begins("{") && text.contains("\"rollouts\""))
}
