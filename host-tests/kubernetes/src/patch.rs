//! The `kubectl patch` lines of texts and of resources that run them, and what becomes of a resource by one.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::markdown;
use crate::resources::Resource;

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
        match self.form {
            Form::Merge => json_patch::merge(&mut patched.value, &self.patch),
            Form::Json => json_patch::patch(
                &mut patched.value,
                &serde_json::from_value::<json_patch::Patch>(self.patch.clone())?,
            )?,
        }
        Ok(patched)
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
        for (offset, command) in commands(&block.text) {
            let line = block.line + offset;
            let found =
                read(root, &words(&command)).with_context(|| format!("{}:{line}: {command}", file.display()))?;
            let at = |found| PatchLine { file: file.to_owned(), line, topic: block.topic.clone(), ..found };
            lines.extend(found.map(at));
        }
    }
    Ok(lines)
}

/// The lines that a resource runs, as a Job does.
///
/// # Errors
/// If one of them cannot be understood.
pub fn lines_of_resource(root: &Path, resource: &Resource) -> Result<Vec<PatchLine>> {
    let mut lines = Vec::new();
    for words in run_by(&resource.value) {
        let found = read(root, &words).with_context(|| format!("{resource} runs {words:?}"))?;
        let at = |found| PatchLine { file: resource.file.clone(), line: resource.line, ..found };
        lines.extend(found.map(at));
    }
    Ok(lines)
}

/// The commands of a shell text that patch something, each with the number of lines before it. A command goes on while a quote
/// is open, or with a backslash at the end of a line.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches("$ ");
        match commands.last_mut() {
            Some((_, command)) if is_open => {
                let begun = command.strip_suffix('\\').unwrap_or(command).to_owned();
                *command = format!("{begun}\n{line}");
            }
            _ => commands.push((number, line.to_owned())),
        }
        is_open =
            commands.last().is_some_and(|(_, command)| command.ends_with('\\') || shlex::split(command).is_none());
    }
    commands.retain(|(_, command)| command.contains("kubectl") && command.contains(" patch "));
    commands
}

/// The words of a shell command, up to what ends it.
fn words(command: &str) -> Vec<String> {
    let words = shlex::split(command).unwrap_or_default();
    let from = words.iter().position(|word| word == "kubectl").unwrap_or(words.len());
    let ends = |word: &String| ["|", "||", "&&", ";", ">"].contains(&word.as_str());
    words.into_iter().skip(from).take_while(|word| !ends(word)).collect()
}

/// The `kubectl` commands that containers in a resource run, as lists of words or in a shell.
fn run_by(value: &Value) -> Vec<Vec<String>> {
    let texts = |name| value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let run: Vec<String> = texts("command").chain(texts("args")).map(str::to_owned).collect();
    let mut found: Vec<Vec<String>> = match run.first().map(String::as_str) {
        Some("kubectl") => vec![run],
        Some("patch") => vec![[vec!["kubectl".to_owned()], run].concat()],
        _ => run.iter().flat_map(|text| commands(text)).map(|(_, command)| words(&command)).collect(),
    };
    match value {
        Value::Object(fields) => found.extend(fields.values().flat_map(run_by)),
        Value::Array(items) => found.extend(items.iter().flat_map(run_by)),
        _ => {}
    }
    found
}

/// Reads a `kubectl` command; `None` if it patches nothing. It runs in `root`.
fn read(root: &Path, words: &[String]) -> Result<Option<PatchLine>> {
    let mut rest = words.iter().map(String::as_str);
    let (mut plain, mut namespace, mut form, mut patch, mut file) = (Vec::new(), "", "strategic", None, None);
    while let Some(word) = rest.next() {
        let (name, given) = word
            .split_once('=')
            .filter(|_| word.starts_with('-'))
            .map_or((word, None), |(name, value)| (name, Some(value)));
        let mut value = || given.or_else(|| rest.next()).with_context(|| format!("{name} has no value"));
        match name {
            "-n" | "--namespace" => namespace = value()?,
            "--type" => form = value()?,
            "-p" | "--patch" => patch = Some(filled_in(value()?)),
            "--patch-file" => file = Some(value()?),
            _ if name.starts_with('-') => bail!("what does {name} mean?"),
            _ => plain.push(word),
        }
    }
    let (kind, name) = match plain[..] {
        ["kubectl", "patch", kind, name] => (kind, name),
        ["kubectl", "patch", both] => both.split_once('/').context("neither kind nor name")?,
        ["kubectl", other, ..] if other != "patch" => return Ok(None),
        _ => bail!("kubectl patch KIND NAME is expected"),
    };
    let form = match form {
        "merge" => Form::Merge,
        "json" => Form::Json,
        _ => bail!("--type {form} is none that resources of other kinds than Kubernetes' own have"),
    };
    let patch = match (patch, file) {
        (Some(text), None) => serde_json::from_str(&text).context("the patch is no JSON")?,
        (None, Some(file)) => serde_saphyr::from_str(&fs::read_to_string(root.join(file)).context(file.to_owned())?)?,
        _ => bail!("one of -p and --patch-file is expected"),
    };
    let patch_file = file.map(PathBuf::from);
    let [kind, name, namespace] = [kind, name, namespace].map(str::to_owned);
    Ok(Some(PatchLine {
        file: PathBuf::new(),
        line: 0,
        topic: String::new(),
        kind,
        name,
        namespace,
        form,
        patch,
        patch_file,
    }))
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

#[cfg(test)]
mod tests {
    use super::{Form, filled_in, read, words};

    fn check(command: &str, expected: Result<(&str, &str, &str, Form, &str), &str>) {
        match (read("".as_ref(), &words(command)), expected) {
            (Ok(Some(line)), Ok((kind, name, namespace, form, patch))) => {
                assert_eq!((&*line.kind, &*line.name, &*line.namespace, line.form), (kind, name, namespace, form));
                assert_eq!(line.patch.to_string(), patch);
            }
            (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{error:#}"),
            (found, _) => panic!("{command} gives {found:?}"),
        }
    }

    #[test]
    fn a_line_is_read() {
        let merged = ("wasmplugin", "serin", "istio-ingress", Form::Merge, r#"{"spec":{"priority":7}}"#);
        let patch = r#"'{"spec":{"priority":7}}'"#;
        check(&format!("kubectl -n istio-ingress patch wasmplugin serin --type merge -p {patch}"), Ok(merged));
        check(
            &format!("kubectl patch wasmplugin/serin --namespace=istio-ingress --type=merge --patch={patch}"),
            Ok(merged),
        );
        check(r#"kubectl patch x y --type json -p '[]' | cat"#, Ok(("x", "y", "", Form::Json, "[]")));
        check("kubectl patch x y --type json -p '{'", Err("no JSON"));
        check("kubectl patch x y -p '{}'", Err("--type strategic"));
        check("kubectl patch x y --type merge", Err("one of -p and"));
        check("kubectl patch x --type merge -p '{}'", Err("neither kind nor name"));
        check("kubectl patch x y --typ merge -p '{}'", Err("what does --typ mean"));
    }

    #[test]
    fn arguments_stand_for_numbers() {
        for (text, expected) in [
            (r#"{"weight":{{args.weight}}}"#, r#"{"weight":7}"#),
            (r#"{"a":{"weight":{{args.weight}}}}"#, r#"{"a":{"weight":7}}"#),
            (r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{}}}"#),
            ("{{a}} and {{b}}", "7 and 7"),
        ] {
            assert_eq!(filled_in(text), expected);
        }
    }
}
