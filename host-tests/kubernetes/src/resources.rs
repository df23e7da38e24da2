//! The resources that stand in manifests and texts.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

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
/// Only texts, and YAML files whose names begin with one of `others`, may hold documents that are no resources.
///
/// # Errors
/// If a file cannot be read, if what stands in it is no YAML, or if a document is no resource where it has to be.
pub fn resources(root: &Path, folder: &str, others: &[&str]) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for file in files(&root.join(folder))? {
        let is = |ends: &[&str]| file.extension().is_some_and(|end| ends.iter().any(|of| end == *of));
        let (is_yaml, is_text) = (is(&["yaml", "yml"]), is(&["md"]));
        if !is_yaml && !is_text {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        if is_text {
            for block in markdown::blocks(&text).iter().filter(|block| block.language == "yaml") {
                found.extend(read_among_others(name, block.line, &block.text)?);
            }
        } else if others.iter().any(|other| name.starts_with(other)) {
            found.extend(read_among_others(name, 1, &text)?);
        } else {
            found.extend(read(name, 1, &text)?);
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

/// The resources of a YAML text whose first line is `line` of `file`.
///
/// # Errors
/// If it is no YAML, if a document is no resource, or if Kubernetes would read one otherwise.
pub fn read(file: &Path, line: usize, text: &str) -> Result<Vec<Resource>> {
    let resources = documents(text).into_iter().map(|(at, document)| resources_of(file, line + at, &document));
    Ok(resources.collect::<Result<Vec<_>>>()?.concat())
}

/// The resources of a YAML text that may hold other documents as well, which have none of the fields that all
/// resources have.
///
/// # Errors
/// As [`read`].
pub fn read_among_others(file: &Path, line: usize, text: &str) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for (at, document) in documents(text) {
        let value = value_of(file, line + at, &document)?;
        // Other programs number their `apiVersion`.
        if value["apiVersion"].is_string() || ["kind", "metadata"].iter().any(|name| value.get(name).is_some()) {
            found.extend(resources_of(file, line + at, &document)?);
        }
    }
    Ok(found)
}

/// The resources of a document, which may be a `List` of them.
fn resources_of(file: &Path, line: usize, document: &str) -> Result<Vec<Resource>> {
    let place = format!("{}:{line}", file.display());
    let value = value_of(file, line, document)?;
    let items = match (&value["kind"], value["items"].as_array()) {
        (Value::String(kind), Some(items)) if kind == "List" => items.clone(),
        _ => vec![value],
    };
    for item in &items {
        let names = item.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect::<Vec<_>>().join(", ");
        let has = |name: &str| item[name].as_str().is_some_and(|text| !text.is_empty());
        ensure!(has("apiVersion") && has("kind"), "{place}: apiVersion and kind are expected, and there is {names}");
    }
    if let Some((at, word)) = bare_boolean(document)? {
        let place = format!("{}:{}", file.display(), line + at);
        bail!("{place}: kubectl reads a bare {word} as true or false; write \"{word}\", or true or false");
    }
    Ok(items.into_iter().map(|value| Resource { file: file.to_owned(), line, value }).collect())
}

fn value_of(file: &Path, line: usize, document: &str) -> Result<Value> {
    serde_saphyr::from_str(document).with_context(|| format!("{}:{line}: no YAML", file.display()))
}

/// The first word of a document without quotes that is true or false in YAML 1.1 (which `kubectl` reads) and text in 1.2, with
/// the number of lines before it.
fn bare_boolean(document: &str) -> Result<Option<(usize, String)>> {
    for event in Parser::new_from_str(document) {
        let (event, span) = event?;
        if let Event::Scalar(word, ScalarStyle::Plain, _, None) = event {
            let is_boolean = ["y", "n", "yes", "no", "on", "off"].iter().any(|of| word.eq_ignore_ascii_case(of));
            if is_boolean {
                return Ok(Some((span.start.line() - 1, word.into_owned())));
            }
        }
    }
    Ok(None)
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
