//! What a command is doing, on stderr: a spinner or a bar on a terminal, plain lines elsewhere. Results belong on
//! stdout and are printed by the commands themselves.

mod child;

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Where steps are reported; made once per command.
pub(crate) struct Progress {
    draws: bool,
}

impl Progress {
    /// Draws if stderr is a terminal.
    pub(crate) fn new() -> Self {
        Self { draws: std::io::stderr().is_terminal() }
    }

    /// Begins a step. End it with [`Step::done`] or [`Step::missed`]; a step that is dropped before that is reported
    /// as failed.
    pub(crate) fn step(&self, text: impl Into<String>) -> Step {
        let text = text.into();
        let bar = if self.draws { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if self.draws {
            bar.set_style(style("{spinner} {prefix} {wide_msg:.dim}"));
            bar.set_prefix(text.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            eprintln!("... {text}");
        }
        Step { text, bar, started: Instant::now(), ended: AtomicBool::new(false) }
    }
}

/// One step that is under way. May be shared between threads.
pub(crate) struct Step {
    text: String,
    bar: ProgressBar,
    started: Instant,
    ended: AtomicBool,
}

impl Step {
    /// Turns the spinner into a bar of `len` units.
    pub(crate) fn bar(&self, len: u64) {
        self.bar.set_length(len);
        self.bar.set_style(style("{spinner} {prefix} [{bar:30}] {pos}/{len} {wide_msg:.dim}"));
    }

    /// Moves the bar by `n` units.
    pub(crate) fn inc(&self, n: u64) {
        self.bar.inc(n);
    }

    /// Shows what the step is at just now; only on a terminal.
    pub(crate) fn at(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }

    /// Turns the spinner into a bar of `len` bytes.
    pub(crate) fn bar_of_bytes(&self, len: u64) {
        self.bar.set_length(len);
        self.bar.set_style(style("{spinner} {prefix} [{bar:30}] {bytes}/{total_bytes} {wide_msg:.dim}"));
    }

    /// Moves the bar to `position`, but never back.
    pub(crate) fn reach(&self, position: u64) {
        self.bar.set_position(position.max(self.bar.position()));
    }

    /// Runs a child process to its end and returns its stdout. Its output is shown only if it fails: then it is part of
    /// the error.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String> {
        self.run_within(command, Duration::MAX)
    }

    /// [`Step::run`], but the child is ended, and that is an error, if it takes longer than `limit`.
    pub(crate) fn run_within(&self, command: &mut Command, limit: Duration) -> Result<String> {
        let mut out = String::new();
        let mut keep = |line: &str| {
            self.at(line.trim());
            push_line(&mut out, line);
        };
        let failure = self.supervise(command, limit, &mut keep, || ())?;
        match failure {
            Some(failure) => bail!("{}", [failure.trim_end(), out.trim_end()].join("\n").trim_end()),
            None => Ok(out),
        }
    }

    /// Runs a child process to its end. Each line of its stdout is given to `line`, and `tick` is called some times a
    /// second; either may move the bar. Its stderr is shown only if it fails: then it is part of the error.
    pub(crate) fn run_watched(
        &self,
        command: &mut Command,
        mut line: impl FnMut(&str) + Send,
        tick: impl FnMut(),
    ) -> Result<()> {
        match self.supervise(command, Duration::MAX, &mut line, tick)? {
            Some(failure) => bail!("{}", failure.trim_end()),
            None => Ok(()),
        }
    }

    /// Runs a child process whose output goes straight to the terminal or the log.
    pub(crate) fn run_aloud(&self, command: &mut Command) -> Result<()> {
        let shown = shown(command);
        self.bar.disable_steady_tick();
        let status = self.bar.suspend(|| child::run_aloud(command)).with_context(|| format!("cannot run `{shown}`"))?;
        if !status.success() {
            bail!("`{shown}` failed ({status}); its output is above");
        }
        Ok(())
    }

    /// Runs a child and shows the latest line of its stderr. If the child fails, says how, with its stderr.
    fn supervise(
        &self,
        command: &Command,
        limit: Duration,
        out: &mut (dyn FnMut(&str) + Send),
        tick: impl FnMut(),
    ) -> Result<Option<String>> {
        let shown = shown(command);
        let started = Instant::now();
        let mut text = String::new();
        let mut err = |line: &str| {
            self.at(line.trim());
            push_line(&mut text, line);
        };
        let lines = child::Lines { out, err: &mut err };
        let status = child::run(command, limit, lines, tick).with_context(|| format!("cannot run `{shown}`"))?;
        self.at("");
        if status.success() {
            return Ok(None);
        }
        if started.elapsed() > limit {
            bail!("`{shown}` was stopped after {} s", limit.as_secs());
        }
        Ok(Some(format!("`{shown}` failed ({status})\n{text}")))
    }

    /// Ends the step well. `result` says what came of it, in a few words; it may be empty.
    pub(crate) fn done(self, result: impl AsRef<str>) {
        let seconds = self.started.elapsed().as_secs_f64();
        let result = result.as_ref();
        let separator = if result.is_empty() { "" } else { ": " };
        self.end(&format!("ok  {}{separator}{result} ({seconds:.1} s)", self.text));
    }

    /// Ends the step without what it was for, which the command can do without. `why` may have several lines.
    pub(crate) fn missed(self, why: impl AsRef<str>) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.end(&format!(
            "MISSED  {} ({seconds:.1} s)\n    {}",
            self.text,
            why.as_ref().trim().replace('\n', "\n    ")
        ));
    }

    fn end(&self, line: &str) {
        self.ended.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
        eprintln!("{line}");
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.ended.load(Ordering::Relaxed) {
            let seconds = self.started.elapsed().as_secs_f64();
            self.end(&format!("FAILED  {} ({seconds:.1} s)", self.text));
        }
    }
}

/// The command as a person would type it, without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
