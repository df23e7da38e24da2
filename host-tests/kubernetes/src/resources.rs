//! The resources that stand in manifests and texts.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::markdown;

/// A resource of Kubernetes, and where it stands.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its file, named from the root of the repository.
    pub file: PathBuf,
    /// The line that its document begins in.
    pub line: usize,
    /// All of it.
    pub value: Value,
}

impl Resource {
    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its `kind`.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// The group of its `apiVersion`; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version().rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// The version of its `apiVersion`.
    pub fn version(&self) -> &str {
        self.api_version().rsplit('/').next().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace, which may be left out.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} {}", self.file.display(), self.line, self.kind(), self.name())
    }
}

/// The resources in the YAML files and in the Markdown below a folder; `folder` is named from `root`, as the resources' files are.
///
/// # Errors
/// If a file cannot be read, or if what stands in it is no YAML.
pub fn resources(root: &Path, folder: &str) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for file in files(&root.join(folder))? {
        let is = |ends: &[&str]| file.extension().is_some_and(|end| ends.iter().any(|of| end == *of));
        let (is_yaml, is_text) = (is(&["yaml", "yml"]), is(&["md"]));
        if !is_yaml && !is_text {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        if is_yaml {
            found.extend(read(name, 1, &text)?);
        } else {
            for block in markdown::blocks(&text).iter().filter(|block| block.language == "yaml") {
                found.extend(read(name, block.line, &block.text)?);
            }
        }
    }
    Ok(found)
}

/// The files below a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// The resources of a YAML text whose first line is `line` of `file`. Documents that are no resources are passed over.
///
/// # Errors
/// If it is no YAML.
pub fn read(file: &Path, line: usize, text: &str) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for (at, document) in documents(text) {
        let line = line + at;
        let value: Value =
            serde_saphyr::from_str(&document).with_context(|| format!("{}:{line}: no YAML", file.display()))?;
        let items = match (&value["kind"], value["items"].as_array()) {
            (Value::String(kind), Some(items)) if kind == "List" => items.clone(),
            _ => vec![value],
        };
        let is_resource = |value: &Value| value["apiVersion"].is_string() && value["kind"].is_string();
        let items = items.into_iter().filter(is_resource);
        found.extend(items.map(|value| Resource { file: file.to_owned(), line, value }));
    }
    Ok(found)
}

/// The documents of a YAML text, each with the number of lines before it.
fn documents(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(0, String::new())];
    for (number, line) in text.lines().enumerate() {
        match documents.last_mut() {
            _ if line.trim_end() == "---" => documents.push((number + 1, String::new())),
            Some((_, document)) => *document += &format!("{line}\n"),
            None => {}
        }
    }
    let says_something = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain(|(_, document)| document.lines().any(says_something));
    documents
}
