//! The commands by which the README has people change the rules do what it says, and its last one prints what it shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use serin_core::{Rules, Surroundings};
use serin_trial::{FOLDER, KEY, Programs, Trial};

const README: &str = include_str!("../../../../manifests/docker-compose/README.md");

/// Runs a line of the README that edits, on a copy of the rules, and gives back the document, before and after.
fn run(line: &str) -> Result<[Value; 2]> {
    let (_, edit) = README
        .split_once("```sh\n[ -e first.yaml ] || cp serin.yaml first.yaml\n")
        .context("nothing says what is edited")?;
    let edit =
        edit.lines().next().filter(|line| line.starts_with("edit() {")).context("nothing says what `edit` does")?;
    let folder = tempfile::tempdir()?;
    let [first, file] = ["first.yaml", "serin.yaml"].map(|name| folder.path().join(name));
    fs::copy(Path::new(FOLDER).join("serin.yaml"), &first)?;
    let status = Command::new("sh").args(["-ec", &format!("{edit}\n{line}")]).current_dir(folder.path()).status()?;
    ensure!(status.success(), "`{line}` fails");
    Ok([document(&first)?, document(&file)?])
}

fn document(file: &Path) -> Result<Value> {
    let mut resource: Value = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
    let document = resource.pointer_mut("/resources/0/typed_config/config/configuration/value");
    Ok(document.with_context(|| format!("{} has no document", file.display()))?.take())
}

fn mistakes(document: &Value) -> Vec<String> {
    let env = |name: &str| (name == KEY.0).then(|| KEY.1.to_owned());
    let parsed = Rules::parse(document.to_string().as_bytes(), &Surroundings { env: &env, ..Surroundings::default() });
    parsed.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn each_edit_changes_one_field_and_only_one_is_a_mistake() -> Result<()> {
    let weight = "/rollouts/shop/versions/v2";
    let mut wrong = Vec::new();
    let lines: Vec<_> = README.lines().filter(|line| line.starts_with("edit ")).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        let [mut before, mut after] = run(line)?;
        assert_eq!(Vec::<String>::new(), mistakes(&before));
        wrong.extend(mistakes(&after));
        let changed = if line.contains("start") { "/rollouts/shop/schedule/start" } else { weight };
        let taken = |document: &mut Value| document.pointer_mut(changed).map(Value::take);
        assert_ne!(taken(&mut before), taken(&mut after), "{line}");
        assert_eq!(before, after, "{line}");
    }
    assert_eq!(1, wrong.len(), "{wrong:?}");
    Ok(())
}

#[test]
fn the_first_rules_come_back() -> Result<()> {
    let [before, after] = run("edit 's/v2/v3/'; edit ''")?;
    assert_eq!(before, after);
    Ok(())
}

#[tokio::test]
async fn the_last_command_prints_what_it_shows() -> Result<()> {
    let Some(programs) = Programs::from_env()? else { return Ok(()) };
    let mut trial = Trial::start(&programs).await?;
    // So that nobody is the tenth.
    trial.set_weight(0).await?;
    let (_, last) = README.rsplit_once("```console\n$ ").context("there is no last command")?;
    let (command, shown) = last.split_once('\n').context("nothing is shown")?;
    ensure!(command.contains("localhost:10000"), "{command}");
    let command = command.replace("localhost:10000", &trial.address().to_string());
    let output = Command::new("sh").args(["-c", &command]).output()?;
    let printed = String::from_utf8(output.stdout)?.replace('\r', "");
    assert_eq!(shown.trim_end().strip_suffix("```").context("the block has no end")?, printed);
    Ok(())
}
