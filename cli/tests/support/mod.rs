//! What the tests of the built command share: a folder with files, and the command run in it.

#![allow(dead_code, reason = "every test binary takes what it needs")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A document that is sound, and that no warning is about.
pub(crate) const SOUND: &str = "\
rollouts:
  shop:
    match: [{hosts: [shop.example.com]}]
    stable: v1
    versions:
      v1: {cluster: shop-v1}
      v2: {cluster: shop-v2, weight: 10}
    override: {header: x-canary, aliases: {always: v2}}
    rules: [{when: {headers: [{name: x-team, in: [qa, dev]}]}, use: v2}]
headers: {cluster: x-canary-cluster}
";

/// A rollout that takes tokens.
pub(crate) const SIGNED: &str = "\
rollouts:
  shop:
    match: [{hosts: [shop.example.com], path: {prefix: /cart}}]
    stable: v1
    versions: {v1: {}, v2: {weight: 10}, v3: {off: true}}
    override: {query: canary, header: x-canary, trust: signed, aliases: {next: v2}}
keys: [{id: k1, env: SERIN_TEST_KEY}]
";

/// A folder with files, in which the command is run.
pub(crate) struct Folder(TempDir);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    /// With these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).expect("a file in it");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a script with a shell that finds the built command first; what it says to either stream is in `out`.
    pub(crate) fn sh(&self, script: &str) -> Run {
        let built = Path::new(env!("CARGO_BIN_EXE_serin")).parent().expect("a folder").to_path_buf();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(built).chain(std::env::split_paths(&others))).expect("a path");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{script}")]).current_dir(self.path()).env("PATH", path);
        Run::of(shell.stdin(Stdio::null()).output().expect("a shell"))
    }

    /// Runs the command with these words.
    pub(crate) fn serin(&self, words: &[&str]) -> Run {
        self.serin_with(words, b"", &[])
    }

    /// Runs the command with these words, this on standard input, and these variables.
    pub(crate) fn serin_with(&self, words: &[&str], input: &[u8], variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command.args(words).current_dir(self.path()).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built command");
        // It may end without having read everything.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        Run::of(child.wait_with_output().expect("an end"))
    }
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Checks how it ended.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.out, self.err);
        self
    }

    /// Checks that it says this, to either stream.
    #[track_caller]
    pub(crate) fn says(self, expected: &str) -> Self {
        assert!(
            self.out.contains(expected) || self.err.contains(expected),
            "{expected:?} is not in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Checks that it says nothing of the sort.
    #[track_caller]
    pub(crate) fn says_not(self, unexpected: &str) -> Self {
        assert!(
            !self.out.contains(unexpected) && !self.err.contains(unexpected),
            "{unexpected:?} is in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    /// The result as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.out, self.err))
    }
}
