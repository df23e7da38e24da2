//! The lines of `kubectl patch` in the READMEs of the manifests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serin_planes::FOLDER;

/// One `kubectl patch`.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) how: String,
    pub(crate) patch: String,
}

/// The patch of a resource of this kind that has this text in it.
pub(crate) fn patch(readme: &str, kind: &str, has: &str) -> Result<Line> {
    let all = patches(readme)?;
    let found = all.into_iter().find(|line| line.kind == kind && line.patch.contains(has));
    found.with_context(|| format!("{readme} has no patch of {kind} with {has}"))
}

fn patches(readme: &str) -> Result<Vec<Line>> {
    let path = Path::new(FOLDER).join(readme);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.replace("\\\n", " ");
    let commands = text.lines().filter(|line| line.starts_with("kubectl ") && line.contains(" patch "));
    commands.map(|command| line(command).with_context(|| format!("{readme}: {command}"))).collect()
}

fn line(command: &str) -> Result<Line> {
    let (before, patch) = match command.split_once(" --patch-file ") {
        Some((before, file)) => (before, of_file(file.trim())?),
        None => {
            let (before, patch) = command.split_once(" -p '").context("the patch is in single quotes")?;
            (before, patch.split_once('\'').context("the patch ends with a quote")?.0.to_owned())
        }
    };
    let mut words = before.split_whitespace().skip_while(|word| *word != "patch").skip(1);
    // Both `kind name` and `kind/name`.
    let first = words.next().context("there is no kind")?;
    let (kind, name) = match first.split_once('/') {
        Some(pair) => pair,
        None => (first, words.next().context("there is no name")?),
    };
    let how = words.skip_while(|word| *word != "--type").nth(1).context("there is no type")?;
    Ok(Line { kind: kind.to_owned(), name: name.to_owned(), how: how.to_owned(), patch })
}

/// The patch in a file, which the READMEs name from the root of the repository.
fn of_file(file: &str) -> Result<String> {
    let text = fs::read_to_string(Path::new(FOLDER).join("..").join(file)).with_context(|| format!("no {file}"))?;
    Ok(serde_saphyr::from_str::<serde_json::Value>(&text)?.to_string())
}
