//! The `kubectl patch` lines of texts and of resources that run them, and what becomes of a resource by one.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::markdown;
use crate::resources::Resource;
use crate::shell::{self, Command};

/// How a patch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 7396.
    Merge,
    /// RFC 6902.
    Json,
}

/// A `kubectl patch` line.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchLine {
    /// The file that it stands in, named from the root of the repository.
    pub file: PathBuf,
    /// The line that it begins in, or that the resource begins in that runs it.
    pub line: usize,
    /// What it stands under in a text.
    pub topic: String,
    /// The kind, as it is named there.
    pub kind: String,
    /// The name of the resource.
    pub name: String,
    /// The namespace; empty if the line names none.
    pub namespace: String,
    /// How the patch is written.
    pub form: Form,
    /// The patch.
    pub patch: Value,
    /// The file that it stands in, if the line names one.
    pub patch_file: Option<PathBuf>,
}

impl fmt::Display for PatchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, kind, name, patch, .. } = self;
        write!(f, "{}:{line}: kubectl patch {kind} {name} with {patch}", file.display())
    }
}

impl PatchLine {
    /// Whether the line is about a resource: kind, name and namespace are its own, and it is not the patch itself.
    pub fn is_about(&self, resource: &Resource) -> bool {
        let kind = resource.kind().to_lowercase();
        let (named, group) = self.kind.split_once('.').map_or((&*self.kind, None), |(kind, group)| (kind, Some(group)));
        let plural = kind.strip_suffix('y').map_or(format!("{kind}s"), |start| format!("{start}ies"));
        let is_kind = named == kind || named == plural;
        let is_group = group.is_none_or(|group| group == resource.group());
        let is_patch = self.patch_file.as_ref() == Some(&resource.file);
        is_kind && is_group && !is_patch && self.name == resource.name() && self.namespace == resource.namespace()
    }

    /// The resource after the patch.
    ///
    /// # Errors
    /// If the patch does not fit, or changes nothing.
    pub fn apply(&self, resource: &Resource) -> Result<Resource> {
        let patched = self.applied(resource)?;
        ensure!(patched.value != resource.value, "the patch changes nothing");
        Ok(patched)
    }

    /// Whether the resource is already what the patch would make of it.
    pub fn is_done_in(&self, resource: &Resource) -> bool {
        self.applied(resource).is_ok_and(|patched| patched.value == resource.value)
    }

    fn applied(&self, resource: &Resource) -> Result<Resource> {
        let mut patched = resource.clone();
        self.change(&mut patched.value)?;
        Ok(patched)
    }

    /// Makes of a resource what the patch makes of it.
    ///
    /// # Errors
    /// If the patch does not fit.
    pub fn change(&self, resource: &mut Value) -> Result<()> {
        match self.form {
            Form::Merge => json_patch::merge(resource, &self.patch),
            Form::Json => {
                json_patch::patch(resource, &serde_json::from_value::<json_patch::Patch>(self.patch.clone())?)?;
            }
        }
        Ok(())
    }

    /// Whether the text says of the line that it takes a version back.
    pub fn is_roll_back(&self) -> bool {
        let topic = self.topic.to_lowercase();
        ["back in one line", "roll back", "roll-back", "rollback"].iter().any(|words| topic.contains(words))
    }
}

/// The lines in a Markdown text, also within its sentences; not those in the resources that it shows.
///
/// # Errors
/// If one of them cannot be understood.
pub fn lines_of_text(root: &Path, file: &Path, text: &str) -> Result<Vec<PatchLine>> {
    let mut lines = Vec::new();
    for block in markdown::blocks(text).iter().filter(|block| block.language != "yaml") {
        for command in patches(&block.text) {
            let line = block.line + command.line;
            let found = read_command(root, &command).with_context(|| format!("{}:{line}", file.display()))?;
            lines.push(PatchLine { file: file.to_owned(), line, topic: block.topic.clone(), ..found });
        }
    }
    Ok(lines)
}

/// The lines that a resource runs, as a Job does.
///
/// # Errors
/// If one of them cannot be understood.
pub fn lines_of_resource(root: &Path, resource: &Resource) -> Result<Vec<PatchLine>> {
    let found = run_by(root, &resource.value).with_context(|| format!("{resource} runs"))?;
    let at = |found| PatchLine { file: resource.file.clone(), line: resource.line, ..found };
    Ok(found.into_iter().map(at).collect())
}

/// The commands of a shell text that patch something with `kubectl`.
fn patches(text: &str) -> impl Iterator<Item = Command> {
    let is_patch = |command: &Command| command.text.contains("kubectl") && command.text.contains(" patch ");
    shell::commands(text).into_iter().filter(is_patch)
}

fn read_command(root: &Path, command: &Command) -> Result<PatchLine> {
    let words = command.words().context("a quote is not closed");
    words.and_then(|words| read(root, &words)).with_context(|| command.text.clone())
}

/// What containers in a resource run, as lists of words or in a shell.
fn run_by(root: &Path, value: &Value) -> Result<Vec<PatchLine>> {
    let texts = |name| value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut run: Vec<String> = texts("command").chain(texts("args")).map(str::to_owned).collect();
    let mut found = Vec::new();
    if run.iter().any(|word| word == "patch") {
        // The image may be what says that it is kubectl.
        if !run.iter().any(|word| word == "kubectl") {
            run.insert(0, "kubectl".to_owned());
        }
        found.push(read(root, &run).with_context(|| format!("{run:?}"))?);
    } else {
        for command in run.iter().flat_map(|text| patches(text)) {
            found.push(read_command(root, &command)?);
        }
    }
    let within: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for value in within {
        found.extend(run_by(root, value)?);
    }
    Ok(found)
}

/// Reads a command that patches something with `kubectl`. It runs in `root`.
fn read(root: &Path, words: &[String]) -> Result<PatchLine> {
    let words = Words::of(words)?;
    let (kind, name) = match words.plain[..] {
        ["kubectl", "patch", kind, name] => (kind, name),
        ["kubectl", "patch", both] => both.split_once('/').context("neither kind nor name")?,
        _ => bail!("kubectl patch KIND NAME is expected"),
    };
    let form = match words.form {
        "merge" => Form::Merge,
        "json" => Form::Json,
        form => bail!("--type {form} is none that resources of other kinds than Kubernetes' own have"),
    };
    let patch = match (words.patch, words.file) {
        (Some(text), None) => serde_json::from_str(&filled_in(text)).context("the patch is no JSON")?,
        (None, Some(file)) => serde_saphyr::from_str(&fs::read_to_string(root.join(file)).context(file.to_owned())?)?,
        _ => bail!("one of -p and --patch-file is expected"),
    };
    let patch_file = words.file.map(PathBuf::from);
    let [kind, name, namespace] = [kind, name, words.namespace].map(str::to_owned);
    let (file, topic) = (PathBuf::new(), String::new());
    Ok(PatchLine { file, line: 0, topic, kind, name, namespace, form, patch, patch_file })
}

/// The words of a `kubectl` command.
#[derive(Default)]
struct Words<'a> {
    plain: Vec<&'a str>,
    namespace: &'a str,
    form: &'a str,
    patch: Option<&'a str>,
    file: Option<&'a str>,
}

impl<'a> Words<'a> {
    fn of(words: &'a [String]) -> Result<Self> {
        let mut found = Self { form: "strategic", ..Self::default() };
        let mut rest = words.iter().map(String::as_str).skip_while(|word| *word != "kubectl");
        while let Some(word) = rest.next() {
            let (name, given) = word
                .split_once('=')
                .filter(|_| word.starts_with('-'))
                .map_or((word, None), |(name, value)| (name, Some(value)));
            let mut value = || given.or_else(|| rest.next()).with_context(|| format!("{name} has no value"));
            match name {
                "-n" | "--namespace" => found.namespace = value()?,
                "--type" => found.form = value()?,
                "-p" | "--patch" => found.patch = Some(value()?),
                "--patch-file" => found.file = Some(value()?),
                _ if name.starts_with('-') => bail!("what does {name} mean?"),
                _ => found.plain.push(word),
            }
        }
        Ok(found)
    }
}

/// A text with a number in the place of each `{{…}}`, which a controller fills in.
fn filled_in(text: &str) -> String {
    let mut parts = text.split("{{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once("}}") {
        Some((name, after)) if !name.contains(['"', ':']) => format!("{text}7{after}"),
        _ => format!("{text}{{{{{part}"),
    })
}
