//! Every rules document that stands in a text or a manifest of the repository is a sound one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serin_core::{Rules, Surroundings};

#[test]
fn documents_in_texts_and_manifests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("core stands in the workspace");
    let mut found = Vec::new();
    for file in files(root) {
        let text = fs::read_to_string(&file).unwrap();
        let sources = if file.extension().is_some_and(|e| e == "md") { code_blocks(&text) } else { vec![text] };
        for source in sources.iter().filter(|source| source.contains("rollouts")) {
            let values: Vec<Value> =
                serde_saphyr::from_multiple(source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let mut documents = Vec::new();
            values.iter().for_each(|value| collect(value, &mut documents));
            for document in &documents {
                let parsed = Rules::parse(document.to_string().as_bytes(), &Surroundings::default());
                let errors: Vec<String> = parsed.errors.iter().map(ToString::to_string).collect();
                assert!(errors.is_empty(), "{}: {errors:?} in {document}", file.display());
            }
            found.extend(documents.iter().map(|_| file.strip_prefix(root).unwrap().to_owned()));
        }
    }
    for expected in ["README.md", "manifests/envoy/serin.yaml"] {
        assert!(found.iter().any(|file| file == Path::new(expected)), "no document found in {expected}");
    }
}

/// The texts and manifests of the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden && name != "target" {
            files.extend(self::files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| ["md", "yaml", "yml", "json"].iter().any(|e| extension == *e))
        {
            files.push(path);
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

/// Every object that has a field `rollouts`, wherever it stands.
fn collect(value: &Value, documents: &mut Vec<Value>) {
    match value {
        Value::Object(object) if object.contains_key("rollouts") => documents.push(value.clone()),
        Value::Object(object) => object.values().for_each(|value| collect(value, documents)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, documents)),
        _ => {}
    }
}
