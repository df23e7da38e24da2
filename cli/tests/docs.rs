//! What the documentation shows is what the command prints.
//!
//! A block of YAML that begins with `# NAME.yaml` is a file, without mistakes and warnings, and a block `console` is run with `sh`
//! in a folder of those files, or, of the READMEs of the manifests, in the root of the repository. What stands behind a command
//! there is its output; one behind which nothing stands has to end well.
//! With `SERIN_BLESS=1` the text is written anew.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use support::{Folder, SIGNED, SOUND};

/// The READMEs of the manifests: their folders, and how many commands each has at least.
const MANIFESTS: [(&str, usize); 10] = [
    ("argo-rollouts", 2),
    ("argo-rollouts/job", 2),
    ("envoy-gateway", 1),
    ("envoy-gateway/route-weights", 1),
    ("flagger", 2),
    ("istio/gateway", 1),
    ("istio/presence-route", 1),
    ("istio/sidecar", 1),
    ("istio/waypoint", 1),
    ("openkruise", 2),
];

/// Those whose commands need more than `serin`: a toolchain for the module, Python; or are run by the tests of the trial.
const NOT_RUN: [&str; 3] = ["docker-compose", "oci", "rules"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a text of the repository, which has so many commands or more.
#[track_caller]
fn check(name: &str, document: Document, commands: usize) {
    let file = root().join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    let run = document.run(&text);
    if std::env::var_os("SERIN_BLESS").is_some() {
        std::fs::write(&file, &run.text).unwrap();
    }
    assert!(run.commands >= commands, "{} commands in {name}", run.commands);
    let lines = text.lines().zip(run.text.lines()).enumerate();
    let different = lines.filter(|(_, (shown, printed))| shown != printed).map(|(at, both)| (at + 1, both)).next();
    assert_eq!(different, None, "{name} shows another line than the command prints; SERIN_BLESS=1 writes it anew");
    assert_eq!(text.lines().count(), run.text.lines().count(), "{name}");
}

#[test]
fn the_command() {
    check("docs/command.md", Document::default(), 6);
}

#[test]
fn the_tutorial() {
    check("docs/tutorial.md", Document::default(), 6);
}

#[test]
fn the_manifests() {
    for (folder, commands) in MANIFESTS {
        let document = Document { prefix: format!("cd '{}'\n", root().display()), ..Document::default() };
        check(&format!("manifests/{folder}/README.md"), document, commands);
    }
}

/// No README of the manifests shows commands that nobody runs, but for those of `NOT_RUN`.
#[test]
fn every_readme_of_the_manifests() {
    let mut folders = vec![root().join("manifests")];
    let mut shown = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        folders.extend(
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()),
        );
        let text = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        if text.lines().any(|line| line.trim() == "```console") {
            let name = folder.strip_prefix(root().join("manifests")).unwrap();
            shown.insert(name.to_str().unwrap().to_owned());
        }
    }
    let run = MANIFESTS.map(|(folder, _)| folder);
    let others: BTreeSet<String> = run.into_iter().chain(NOT_RUN).map(str::to_owned).collect();
    assert_eq!(shown, others);
}

/// It shows the beginnings of results, of files of this repository.
#[test]
fn the_readme() {
    let root = root();
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let folder = Folder::with(&[]);
    let shown = text.split("\n$ ").filter(|rest| rest.starts_with("serin "));
    let mut seen = 0;
    for (command, rest) in shown.filter_map(|rest| rest.split_once('\n')) {
        let expected = rest.split(['…', '`']).next().unwrap_or_default().trim();
        let run = folder.sh(&format!("cd {} && {command}", root.display())).ends_with(0);
        assert!(!expected.is_empty() && run.out.starts_with(expected), "{command} prints\n{}", run.out);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// What scripts can rely on is described: every field of every result.
#[test]
fn every_field_of_a_result() {
    let described = std::fs::read_to_string(root().join("docs/command.md")).unwrap();
    let mistaken = SOUND.replace("weight", "wieght");
    let folder = Folder::with(&[("rules.yaml", SOUND), ("bad.yaml", &mistaken), ("signed.yaml", SIGNED)]);
    let answered = format!("{SOUND}  answer: x-answer\naccess_log: true\n")
        .replace("headers: {cluster: x-canary-cluster}\n", "headers:\n");
    folder.write("answered.yaml", &answered);
    let results: [&[&str]; 8] = [
        &["check", "bad.yaml"],
        &[
            "explain",
            "answered.yaml",
            "--host",
            "shop.example.com",
            "--missing",
            "shop/v2",
            "-H",
            "x-canary-version: x",
        ],
        &["explain", "rules.yaml", "--host", "www.example.com"],
        &["simulate", "rules.yaml", "--visitors", "10"],
        &["diff", "rules.yaml", "answered.yaml", "--max-moved", "1%"],
        &["token", "signed.yaml", "--version", "v2", "--ttl", "1h"],
        &["fields", "rollouts"],
        &["fields", "rollouts.a.sticky.hold"],
    ];
    let mut fields = BTreeSet::new();
    for words in results {
        let run = folder.serin_with(
            &[words, &["--output", "json"]].concat(),
            b"",
            &[("SERIN_TEST_KEY", "sixteen characters")],
        );
        collect(&run.json(), &mut fields);
    }
    let is_described = |field: &&String| {
        ["", "."].iter().any(|dot| ["", "[]"].iter().any(|list| described.contains(&format!("`{dot}{field}{list}`"))))
    };
    let missing: Vec<&String> = fields.iter().filter(|field| !is_described(field)).collect();
    assert!(missing.is_empty() && fields.len() > 60, "docs/command.md lacks {missing:?} of {}", fields.len());
}

/// Whoever meets a warning, or wants to be without it, can look it up.
#[test]
fn every_kind_of_warning() {
    let described = std::fs::read_to_string(root().join("docs/command.md")).unwrap();
    let folder = Folder::with(&[("rules.yaml", SOUND)]);
    let listed = folder.serin(&["check", "rules.yaml", "--allow", "nonsense"]).ends_with(2).err;
    let listed = listed.split_once("possible values: ").unwrap().1.split_once(']').unwrap().0;
    for kind in listed.split(", ") {
        assert!(described.contains(&format!("| `{kind}` |")), "docs/command.md lacks {kind}");
    }
    assert!(listed.split(", ").count() > 10, "{listed}");
}

/// The names of all fields.
fn collect(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                fields.insert(name.clone());
                collect(value, fields);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, fields)),
        _ => {}
    }
}

/// A text as it should be.
#[derive(Default)]
struct Document {
    text: String,
    commands: usize,
    /// What comes before every command: where it is run, and what an earlier one has exported.
    prefix: String,
}

impl Document {
    /// Writes the files of a text, and runs its commands in their order.
    fn run(mut self, text: &str) -> Self {
        let folder = Folder::with(&[]);
        let names = write_files(text, &folder);
        if !names.is_empty() {
            folder.serin(&[&["check", "--strict"][..], &names].concat()).ends_with(0);
        }
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            self.line(line);
            if line == "```console" {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                self.console(&block, &folder);
                self.line("```");
            }
        }
        self
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn console(&mut self, block: &[&str], folder: &Folder) {
        let mut at = 0;
        while let Some(first) = block.get(at) {
            let command = first.strip_prefix("$ ").unwrap_or_else(|| panic!("{first:?} is no command"));
            // A line that ends in a backslash goes on in the next one.
            let length = block[at..].iter().take_while(|line| line.ends_with('\\')).count() + 1;
            let expected = block[at + length..].iter().take_while(|line| !line.starts_with("$ ")).count();
            let command = [&[command][..], &block[at + 1..at + length]].concat().join("\n");
            block[at..at + length].iter().for_each(|line| self.line(line));
            let shown = self.shown(&command, expected > 0, folder);
            shown.lines().for_each(|line| self.line(line));
            at += length + expected;
        }
    }

    /// What a command prints, if its output is to be shown.
    fn shown(&mut self, command: &str, wanted: bool, folder: &Folder) -> String {
        if command.starts_with("cargo ") {
            return String::new();
        }
        if command.starts_with("export ") {
            self.prefix += &format!("{command}\n");
            return String::new();
        }
        self.commands += 1;
        let run = folder.sh(&format!("{}{command}", self.prefix));
        assert!(run.code == Some(0) || (wanted && run.code == Some(1)), "{command} ended with {run:?}");
        let printed = run.out;
        // A cookie has the day on which it was written.
        let is_of_today = printed.contains(".d2") && !command.contains("--at");
        assert!(!wanted || !is_of_today, "{command} prints something else tomorrow; expected --at");
        if wanted { printed } else { String::new() }
    }
}

/// Writes the blocks that are files, and gives their names.
fn write_files<'t>(text: &'t str, folder: &Folder) -> Vec<&'t str> {
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block);
    let mut names = Vec::new();
    for block in blocks {
        let name = block.lines().next().and_then(|first| first.strip_prefix("# "));
        if let Some(name) = name.filter(|name| name.ends_with(".yaml")) {
            folder.write(name, format!("{block}\n"));
            names.push(name);
        }
    }
    names
}
