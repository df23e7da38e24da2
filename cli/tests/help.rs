//! Help: its examples work, its document is sound, and shells complete what it lists.

mod support;

use std::process::Command;

use support::{Folder, SOUND};

const COMMANDS: [&str; 7] = ["check", "explain", "simulate", "diff", "token", "fields", "completions"];

/// The files that examples name.
fn folder() -> Folder {
    let plugin: String = SOUND.lines().map(|line| format!("    {line}\n")).collect();
    let plugin = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: a}}\nspec:\n  pluginConfig:\n{plugin}"
    );
    let signed = support::SIGNED.replace("SERIN_TEST_KEY", "SERIN_KEY_1");
    let more = SOUND.replace("weight: 10", "weight: 30");
    Folder::with(&[
        ("rules.yaml", SOUND),
        ("old.yaml", SOUND),
        ("new.yaml", &more),
        ("wasmplugin.yaml", &plugin),
        ("signed.yaml", &signed),
    ])
}

/// The commands of a help text, as somebody would type them one after the other.
fn examples(help: &str) -> String {
    help.lines()
        .filter_map(|line| line.trim_start().strip_prefix("$ "))
        .map(|line| format!("{line} || exit 9\n"))
        .collect()
}

#[test]
fn every_command_has_examples_and_they_work() {
    for command in std::iter::once(None).chain(COMMANDS.map(Some)) {
        let words: Vec<&str> = command.into_iter().chain(["--help"]).collect();
        let help = folder().serin(&words).ends_with(0).out;
        let script = examples(&help);
        assert!(script.contains(&format!("serin {}", command.unwrap_or_default())), "no example in\n{help}");
        // A terminal of eighty columns shows each of them on one line, to be copied.
        assert!(script.lines().all(|line| line.len() <= 76 + " || exit 9".len()), "{script}");
        folder().sh(&script).ends_with(0);
        let short = folder().serin(&[&words[..words.len() - 1], &["-h"]].concat()).ends_with(0).out;
        assert_eq!(examples(&short), script, "the short help has the same examples");
    }
}

#[test]
fn every_command_is_listed_and_tried_here() {
    let help = folder().serin(&["--help"]).ends_with(0).out;
    let listed = help.split_once("Commands:").unwrap().1.split_once("\n\n").unwrap().0;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, [&COMMANDS[..], &["help"]].concat());
    folder().serin(&[]).ends_with(2).says("Usage: serin");
    folder().serin(&["--version"]).ends_with(0).says(env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_document_to_start_from() {
    let help = folder().serin(&["--help"]).ends_with(0).out;
    let lines = help.lines().skip_while(|line| !line.starts_with("  rollouts:")).take_while(|line| !line.is_empty());
    let document: String = lines.map(|line| format!("{line}\n")).collect();
    let folder = Folder::with(&[("rules.yaml", &document)]);
    folder.serin(&["check", "--strict", "rules.yaml"]).ends_with(0).says("no mistakes in 1 document");
    folder.serin(&["simulate", "rules.yaml", "--visitors", "1000"]).ends_with(0).says("10.00 %");
}

#[test]
fn shells_complete() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = folder.serin(&["completions", shell]).ends_with(0).out;
        COMMANDS.iter().for_each(|command| assert!(script.contains(command), "{shell} does not know {command}"));
        folder.write(shell, script);
    }
    folder.serin(&["completions", "csh"]).ends_with(2);
    let completed = |words: &str, at: usize| {
        let script = format!(
            ". ./bash; COMP_WORDS=({words}); COMP_CWORD={at}
             _serin serin \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(completed("serin ch", 1), "check");
    assert_eq!(completed("serin diff old.yaml new.yaml --max", 4), "--max-moved");
    assert_eq!(completed("serin check --output js", 3), "json");
}
