//! The commands by which the README has people change the rules do what it says.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use serin_core::{Rules, Surroundings};
use serin_trial::{FOLDER, KEY};

const README: &str = include_str!("../../../../manifests/docker-compose/README.md");

/// Runs the one command of the README with this text in it on a copy of the rules, and gives back the document, before and after.
fn run(text: &str) -> Result<[Value; 2]> {
    let mut commands = README.lines().filter(|line| line.starts_with("sed ") && line.contains(text));
    let command = commands.next().with_context(|| format!("no command has `{text}`"))?;
    ensure!(commands.next().is_none(), "more than one command has `{text}`");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("serin.yaml");
    fs::copy(Path::new(FOLDER).join("serin.yaml"), &file)?;
    let before = document(&file)?;
    let status = Command::new("sh").args(["-ec", command]).current_dir(folder.path()).status()?;
    ensure!(status.success(), "`{command}` fails");
    Ok([before, document(&file)?])
}

fn document(file: &Path) -> Result<Value> {
    let mut resource: Value = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
    let document = resource.pointer_mut("/resources/0/typed_config/config/configuration/value");
    Ok(document.with_context(|| format!("{} has no document", file.display()))?.take())
}

fn mistakes(document: &Value) -> Vec<String> {
    let surroundings =
        Surroundings { env: &|name| (name == KEY.0).then(|| KEY.1.to_owned()), ..Surroundings::default() };
    let parsed = Rules::parse(document.to_string().as_bytes(), &surroundings);
    parsed.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn each_command_changes_what_it_is_for_and_nothing_else() -> Result<()> {
    for (text, changed) in
        [("weight: 50", "/rollouts/shop/versions/v2/weight"), ("start:", "/rollouts/shop/schedule/start")]
    {
        let [mut before, mut after] = run(text)?;
        assert_eq!((vec![], vec![]), (mistakes(&before), mistakes(&after)), "{text}");
        let value = |document: &mut Value| document.pointer_mut(changed).map(Value::take);
        assert_ne!(value(&mut before), value(&mut after), "{text}");
        assert_eq!(before, after, "{text}");
    }
    Ok(())
}

#[test]
fn the_mistake_is_one() -> Result<()> {
    let [_, after] = run("wieght")?;
    assert!(!mistakes(&after).is_empty());
    Ok(())
}
