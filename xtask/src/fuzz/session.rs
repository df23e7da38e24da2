//! One target, run for a while.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Target;
use super::build::Built;
use crate::progress::{Progress, Step};
use crate::shell::quoted;
use crate::workspace;

/// An input that takes longer is a finding.
const MOST_SECONDS_AN_INPUT: u64 = 20;
const MOST_MEGABYTES: u64 = 2_048;
/// The largest input that is tried.
const LONGEST: u64 = 8_192;
/// How long a finding is made smaller.
const MINIMISE_SECONDS: u64 = 30;
/// How long inputs may be compared.
const MERGE_SECONDS: u64 = 900;
/// Behind its time a target still ends the input that it is at, and minimises.
const GRACE: Duration = Duration::from_secs(300);
/// So much of an input is shown.
const MOST_SHOWN: usize = 1_024;
/// Lines of a target's last words that are shown.
const MOST_LINES: usize = 30;

/// A target that is about to run.
pub(super) struct Session {
    target: Target,
    binary: PathBuf,
    module: Option<PathBuf>,
    /// Where new inputs are kept; those of the repository are read beside it.
    corpus: PathBuf,
    artifacts: PathBuf,
    log: PathBuf,
}

impl Session {
    pub(super) fn new(target: Target, built: &Built) -> Result<Self> {
        let name = target.name();
        let artifacts = super::folder(&["artifacts", name])?;
        let log = super::folder(&["logs"])?.join(format!("{name}.log"));
        let (corpus, binary) = (super::folder(&["corpus", name])?, built.binary(target));
        Ok(Self { target, binary, module: built.module.clone(), corpus, artifacts, log })
    }

    /// Runs the target for so long.
    ///
    /// # Errors
    /// If it cannot be run. What it finds is in the summary.
    pub(super) fn run(&self, seconds: u64, progress: &Progress) -> Result<Summary> {
        let step = progress.step(format!("fuzzing: {}", self.target.name()));
        let mut options = vec![format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()];
        options.push(format!("-max_len={LONGEST}"));
        let dictionary = workspace::root().join("fuzz").join(format!("{}.dict", self.target.name()));
        options.extend(dictionary.exists().then(|| format!("-dict={}", dictionary.display())));
        let outcome = self.call(&options, &[&self.corpus, &self.seeds()], seconds, &step);
        let log = self.read_log()?;
        let mut summary = Summary::of(self.target, &log);
        summary.finding = match outcome {
            Ok(()) => summary.too_few(count(&self.seeds())?).map(|few| format!("{few}\n{}", last_lines(&log))),
            Err(error) => Some(match written(&log).filter(|input| input.exists()) {
                Some(input) => self.told(&input, &log, &step)?,
                None => format!("{}: {error:#}\n{}", self.target.name(), last_lines(&log)),
            }),
        };
        let line = summary.to_string();
        match summary.finding {
            Some(_) => step.missed(line.trim()),
            None => step.done(line.trim()),
        }
        Ok(summary)
    }

    /// Takes over into the repository what the kept inputs do and those of the repository do not.
    ///
    /// # Errors
    /// If the binary cannot be run, or if an input must not be: libFuzzer itself passes over those, and takes over the others.
    pub(super) fn merge(&self, progress: &Progress) -> Result<()> {
        let step = progress.step(format!("new inputs: {}", self.target.name()));
        let seeds = self.seeds();
        let before = count(&seeds)?;
        let outcome = self.call(&["-merge=1".to_owned()], &[&seeds, &self.corpus], MERGE_SECONDS, &step);
        let log = self.read_log()?;
        let taken = format!("{} of {} taken over", count(&seeds)?.saturating_sub(before), count(&self.corpus)?);
        if let Some(input) = written(&log) {
            let told = self.told(&input, &log, &step).with_context(|| last_lines(&log))?;
            bail!("{told}\n\n{taken}");
        }
        outcome.with_context(|| last_lines(&log))?;
        step.done(taken);
        Ok(())
    }

    /// The inputs of the repository.
    fn seeds(&self) -> PathBuf {
        workspace::root().join("fuzz/corpus").join(self.target.name())
    }

    /// Runs the binary, whose words go into the log.
    fn call(&self, options: &[String], paths: &[&Path], seconds: u64, step: &Step) -> Result<()> {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"exec "$0" "$@" 2>"$LOG""#]).arg(&self.binary).args(options);
        shell.arg(format!("-timeout={MOST_SECONDS_AN_INPUT}")).arg(format!("-rss_limit_mb={MOST_MEGABYTES}"));
        shell.arg(format!("-artifact_prefix={}/", self.artifacts.display()));
        shell.args(paths).env("LOG", &self.log);
        shell.envs(self.module.iter().map(|module| ("SERIN_WASM", module)));
        step.run_within(&mut shell, Duration::from_secs(seconds) + GRACE).map(|_| ())
    }

    fn read_log(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What is wrong with an input, the input, a smaller one, and how to have it again.
    fn told(&self, input: &Path, log: &str, step: &Step) -> Result<String> {
        let smaller = input.with_extension("smaller");
        // That of an earlier run may be of another mistake.
        if smaller.exists() {
            fs::remove_file(&smaller).with_context(|| format!("cannot remove {}", smaller.display()))?;
        }
        let options = [
            "-minimize_crash=1".to_owned(),
            format!("-max_total_time={MINIMISE_SECONDS}"),
            format!("-exact_artifact_path={}", smaller.display()),
        ];
        // It fails as long as it succeeds; what counts is the file.
        let _ = self.call(&options, &[input], MINIMISE_SECONDS, step);
        let smallest = if smaller.exists() { &smaller } else { input };
        let module = self.module.iter().map(|module| format!("SERIN_WASM={} ", quoted(module))).collect::<String>();
        Ok(format!(
            "{}: an input that must not be\n{}\n\ninput     {}\nminimised {}\nagain     {module}{} {}",
            self.target.name(),
            last_lines(log),
            shown(input)?,
            shown(smallest)?,
            quoted(&self.binary),
            quoted(smallest),
        ))
    }
}

/// The words of the target itself, without libFuzzer's.
fn last_lines(log: &str) -> String {
    let own = |line: &&str| !line.starts_with('#') && !line.starts_with("NEW_FUNC") && !line.starts_with("stat::");
    let lines: Vec<&str> = log.lines().filter(own).collect();
    let at = lines.iter().position(|line| line.contains("panicked at") || line.starts_with("==")).unwrap_or_default();
    lines[at..].iter().take(MOST_LINES).map(|line| format!("    {line}\n")).collect()
}

/// The first input that ended the target, which is the one that [`last_lines`] tells of; a merge goes on after it. It may have
/// been there before: its name is that of its bytes. One that is slow ends nothing.
fn written(log: &str) -> Option<PathBuf> {
    let paths = log.lines().filter_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
    paths.map(|path| PathBuf::from(path.trim())).find(|path| !path.to_string_lossy().contains("/slow-unit-"))
}

fn count(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?.count())
}

fn shown(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let cut = if bytes.len() > MOST_SHOWN { "…" } else { "" };
    Ok(format!("{} bytes: \"{}\"{cut}", bytes.len(), bytes[..bytes.len().min(MOST_SHOWN)].escape_ascii()))
}

/// What became of a target, by its log.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    target: &'static str,
    executions: u64,
    per_second: u64,
    /// Inputs that are kept, each for something that no other one does.
    corpus: u64,
    /// Edges of the code that were passed; none where the code is not instrumented.
    edges: Option<u64>,
    /// What libFuzzer tells apart beside edges: how often they were passed, and what was compared.
    features: u64,
    /// What was found that must not be.
    pub(super) finding: Option<String>,
}

impl Summary {
    pub(super) fn title() -> &'static str {
        "target      executions   a second  corpus   edges  features  outcome"
    }

    fn of(target: Target, log: &str) -> Self {
        let statistic = |name: &str| {
            let line = log.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok())
        };
        let executed = statistic("number_of_executed_units").or_else(|| status(log, '#'));
        Self {
            target: target.name(),
            executions: executed.unwrap_or_default(),
            per_second: statistic("average_exec_per_sec").unwrap_or_default(),
            corpus: word_behind(log, "corp:").unwrap_or_default(),
            edges: word_behind(log, "cov:"),
            features: word_behind(log, "ft:").unwrap_or_default(),
            finding: None,
        }
    }

    /// What is wrong if not even the inputs of the repository were executed, which libFuzzer does however short its time is.
    fn too_few(&self, seeds: usize) -> Option<String> {
        let Self { target, executions, .. } = self;
        // Even without any, libFuzzer tries that of no bytes.
        let least = seeds.max(1) as u64;
        let found = format!("{target}: {executions} inputs were executed, and fuzz/corpus/{target} alone has {seeds}");
        (*executions < least).then_some(found)
    }
}

/// The number of inputs in the last line of libFuzzer's that tells of one.
fn status(log: &str, mark: char) -> Option<u64> {
    log.lines().rev().find_map(|line| line.strip_prefix(mark)?.split_whitespace().next()?.parse().ok())
}

/// The number behind the last such word of libFuzzer's.
fn word_behind(log: &str, word: &str) -> Option<u64> {
    let lines = log.lines().rev().filter(|line| line.starts_with('#'));
    let mut words = lines.filter_map(|line| line.split_once(word)).map(|(_, rest)| rest.trim_start());
    let digits = |rest: &str| rest.split(|character: char| !character.is_ascii_digit()).next().map(str::to_owned);
    words.find_map(|rest| digits(rest)?.parse().ok())
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edges = self.edges.map_or_else(|| "-".to_owned(), |edges| edges.to_string());
        let outcome = if self.finding.is_some() { "FOUND SOMETHING" } else { "ok" };
        let Self { target, executions, per_second, corpus, features, .. } = self;
        write!(f, "{target:<10}{executions:>12}{per_second:>11}{corpus:>8}{edges:>8}{features:>10}  {outcome}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_from_the_words_of_libfuzzer() {
        let log = "INFO: Seed: 1\n#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                   #4096\tNEW    cov: 345 ft: 678 corp: 90/1234b lim: 4 exec/s: 0 rss: 31Mb L: 2/4 MS: 1 ChangeByte-\n\
                   #8192\tDONE   cov: 346 ft: 679 corp: 91/1240b lim: 4 exec/s: 4096 rss: 31Mb\n\
                   Done 8192 runs in 2 second(s)\nstat::number_of_executed_units: 8192\nstat::average_exec_per_sec:     4096\n";
        let summary = Summary::of(Target::Cookie, log);
        let expected = Summary {
            target: "cookie",
            executions: 8_192,
            per_second: 4_096,
            corpus: 91,
            edges: Some(346),
            features: 679,
            finding: None,
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn the_input_that_ended_a_target_is_the_first_that_it_has_written() {
        let log = "#7\tNEW    cov: 1\nartifact_prefix='a b/'; Test unit written to a b/slow-unit-1\n\
                   artifact_prefix='a b/'; Test unit written to a b/crash-2\nBase64: AA==\n\
                   artifact_prefix='a b/'; Test unit written to a b/crash-3\n";
        assert_eq!(written(log), Some(PathBuf::from("a b/crash-2")));
        assert_eq!(written("Test unit written to a b/slow-unit-1\n#7\tDONE   cov: 1\n"), None);
    }

    #[test]
    fn fewer_executions_than_seeds_are_a_finding() {
        for (executions, seeds, is_finding) in
            [(0, 0, true), (1, 0, false), (1, 92, true), (91, 92, true), (92, 92, false)]
        {
            let summary = Summary { target: "path", executions, ..Summary::default() };
            let finding = summary.too_few(seeds);
            assert_eq!(finding.is_some(), is_finding, "{executions} of {seeds}");
            assert!(finding.is_none_or(|told| told.contains(&format!("path: {executions} inputs"))));
        }
    }

    #[test]
    fn a_merge_tells_of_the_input_that_must_not_be() {
        let folder = tempfile::tempdir().unwrap();
        let [binary, corpus, artifacts] = ["target", "corpus", "artifacts"].map(|name| folder.path().join(name));
        fs::create_dir(&corpus).unwrap();
        fs::create_dir(&artifacts).unwrap();
        // By a child: of a file that this process has written another may still hold the writing end, and then it cannot be run.
        let mut write = Command::new("sh");
        write.args(["-c", r#"printf %s "$1" > "$0" && chmod 755 "$0""#]).arg(&binary).arg(FAILING);
        assert!(write.status().unwrap().success());
        let log = folder.path().join("log");
        let session = Session { target: Target::Path, binary, module: None, corpus, artifacts, log };
        let error = format!("{:#}", session.merge(&Progress::new()).unwrap_err());
        let crash = session.artifacts.join("crash-1");
        let again = format!("{} {}", quoted(&session.binary), quoted(&crash));
        for part in ["planted", r#"input     4 bytes: "\x00bad""#, &again, "0 of 0 taken over"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    /// A target that fails as libFuzzer does.
    const FAILING: &str = r#"#!/bin/sh
for option; do case $option in -artifact_prefix=*) prefix=${option#*=};; esac; done
printf '\000bad' > "${prefix}crash-1"
echo "thread panicked at planted" >&2
echo "artifact_prefix='$prefix'; Test unit written to ${prefix}crash-1" >&2
"#;

    #[test]
    fn what_is_not_instrumented_has_no_edges() {
        let log = "#5\tpulse  ft: 40 corp: 3/9b lim: 4 exec/s: 2 rss: 31Mb\n";
        let summary = Summary::of(Target::Request, log);
        assert_eq!((summary.executions, summary.edges, summary.features), (5, None, 40));
    }
}
