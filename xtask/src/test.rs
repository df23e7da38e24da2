//! `cargo xtask test`: every check of the repository, from the cheapest to the dearest; stops at the first that fails.

mod budgets;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::envoy_binary::{self, Envoy};
use crate::fuzz;
use crate::programs::{self, Programs};
use crate::progress::Progress;
use crate::scenarios;
use crate::soak;
use crate::traps;
use crate::wasm::{self, toolchain::Toolchain};
use crate::workspace;

/// The filters link for wasm32 only, so whatever builds for this machine leaves them out.
pub(crate) const NATIVE: [&str; 5] = ["--workspace", "--exclude", "serin-filter", "--exclude", "serin-bench-empty"];
/// What is linted for wasm32.
const GUEST: [&str; 6] = ["--package", "serin-core", "--package", "serin-filter", "--package", "serin-bench-empty"];

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also run the tests on the oldest Envoy that is supported, all scenarios in every combination on both, the fuzz targets
    /// for some seconds each, a minute of soak on the newest, and the demo on both.
    #[arg(long)]
    full: bool,
    /// Have it an error if a program is missing that tests need, in place of skipping them.
    #[arg(long)]
    complete: bool,
}

/// Runs `cargo xtask test`.
///
/// # Errors
/// At the first check that fails, with its output.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut suite =
        Suite { progress: Progress::new(), started: Instant::now(), times: Vec::new(), skipped: Vec::new() };
    suite.format_and_lints()?;
    let modules = suite.timed("modules", modules)?;
    let envoy = suite.timed("Envoy", |progress| envoy_binary::locate(None, progress))?;
    let programs = suite.timed("programs", |progress| Programs::find(&programs::ALL, progress))?;
    suite.skipped.extend(programs.skipped());
    let fuzzes = args.full && suite.can_fuzz()?;
    if let (true, Some(skipped)) = (args.complete, suite.skipped.first()) {
        bail!("`--complete` leaves nothing out, and this would have to be: {skipped}");
    }
    suite.tests(&modules, &envoy, &programs)?;
    suite.docs()?;
    if args.full {
        let oldest =
            suite.timed("oldest Envoy", |progress| envoy_binary::locate(Some(envoy_binary::OLDEST), progress))?;
        suite.tests(&modules, &oldest, &programs)?;
        suite.scenarios(&modules, [&oldest, &envoy])?;
        suite.soak(&modules, &envoy)?;
        if fuzzes {
            suite.fuzz(&modules)?;
        }
        suite.demo(&oldest)?;
        suite.demo(&envoy)?;
    }
    suite.print_times();
    Ok(())
}

/// The checks that have run so far, with their times, and what they leave out.
struct Suite {
    progress: Progress,
    started: Instant,
    times: Vec<(String, Duration)>,
    skipped: Vec<String>,
}

impl Suite {
    fn timed<T>(&mut self, name: &str, check: impl FnOnce(&Progress) -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let result = check(&self.progress).with_context(|| format!("cargo xtask test stopped at: {name}"))?;
        self.times.push((name.to_owned(), started.elapsed()));
        Ok(result)
    }

    /// A check that is one command, whose output matters only if it fails.
    fn quiet(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.timed(name, |progress| {
            let step = progress.step(name);
            step.run(command)?;
            step.done("");
            Ok(())
        })
    }

    /// A check that is one command, whose output is shown.
    fn aloud(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.timed(name, |progress| {
            let step = progress.step(name);
            step.run_aloud(command)?;
            step.done("");
            Ok(())
        })
    }

    fn format_and_lints(&mut self) -> Result<()> {
        self.quiet("format", workspace::cargo().args(["fmt", "--all", "--check", "--", "--color", "never"]))?;
        let mut fuzz = workspace::cargo();
        fuzz.args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check", "--", "--color", "never"]);
        self.quiet("format of the fuzz targets", &mut fuzz)?;
        let mut native = workspace::cargo();
        native.args(["clippy", "--locked"]).args(NATIVE).args(["--all-targets", "--", "-D", "warnings"]);
        self.quiet("lints", &mut native)?;
        let target = workspace::target()?;
        let toolchain = self.timed("compiler for wasm32", |progress| Toolchain::find(&target, progress))?;
        let mut guest = toolchain.clippy(&GUEST);
        self.quiet("lints on wasm32", &mut guest)
    }

    /// All of them, whichever Envoy it is: a choice of crates would have the libraries built again with other features.
    fn tests(&mut self, modules: &Modules, envoy: &Envoy, programs: &Programs) -> Result<()> {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--locked"]).args(NATIVE).env("ENVOY", &envoy.path);
        cargo.env("SERIN_WASM", &modules.serin).env("SERIN_EMPTY", &modules.empty);
        cargo.env("SERIN_COMPILER", &modules.compiler);
        programs.tell(&mut cargo);
        self.aloud(&format!("tests, with Envoy {}", envoy.version), &mut cargo)
    }

    /// All of them, in every combination.
    fn scenarios(&mut self, modules: &Modules, envoys: [&Envoy; 2]) -> Result<()> {
        self.timed("scenarios", |progress| {
            let step = progress.step("scenarios");
            step.run_aloud(&mut scenarios::all(&modules.serin, &envoys, &step)?)?;
            step.done("");
            Ok(())
        })
    }

    /// For a minute.
    fn soak(&mut self, modules: &Modules, envoy: &Envoy) -> Result<()> {
        self.timed("soak", |progress| {
            let step = progress.step(format!("soak, with Envoy {}", envoy.version));
            step.run_aloud(&mut soak::short(&modules.serin, envoy, &step)?)?;
            step.done("");
            Ok(())
        })
    }

    fn docs(&mut self) -> Result<()> {
        let mut cargo = workspace::cargo();
        self.quiet(
            "docs",
            cargo.args(["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
        )
    }

    /// Whether there is what the fuzz targets are built with. Where there is not, everybody is told before anything is tested.
    fn can_fuzz(&mut self) -> Result<bool> {
        let can = self.timed("what builds fuzz targets", |progress| {
            let step = progress.step("what builds fuzz targets");
            let checked = fuzz::check(progress);
            match &checked {
                Ok(()) => step.done(""),
                Err(error) => step.missed(format!("{error:#}\nLeft out without it: the fuzz targets.")),
            }
            Ok(checked.is_ok())
        })?;
        let skipped = "the fuzz targets, since a C++ compiler or cargo-fuzz is missing";
        self.skipped.extend((!can).then(|| skipped.to_owned()));
        Ok(can)
    }

    /// The fuzz targets, which are a workspace of their own: lints, tests, their corpora, and some seconds of each.
    fn fuzz(&mut self, modules: &Modules) -> Result<()> {
        let folder = workspace::target()?.join("fuzz");
        let cargo = |command| {
            let mut cargo = workspace::cargo();
            cargo.args([command, "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]).arg(&folder);
            cargo
        };
        let mut lints = cargo("clippy");
        lints.args(["--all-targets", "--features", "module", "--", "-D", "warnings"]);
        self.quiet("lints of the fuzz targets", &mut lints)?;
        // As the target that runs the module is built, or wasmtime would be built twice.
        let mut tests = cargo("test");
        tests.args(["--release", "--features", "module", "--lib"]).env("SERIN_WASM", &modules.serin);
        self.quiet("tests of the fuzz targets", &mut tests)?;
        self.timed("fuzz targets", fuzz::smoke)
    }

    /// The demo as people run it, in a process of its own.
    fn demo(&mut self, envoy: &Envoy) -> Result<()> {
        let mut demo = Command::new(std::env::current_exe().context("cannot find this program itself")?);
        self.aloud(&format!("demo, with Envoy {}", envoy.version), demo.arg("demo").env("ENVOY", &envoy.path))
    }

    fn print_times(&self) {
        for (name, time) in &self.times {
            println!("{:>8.1} s  {name}", time.as_secs_f64());
        }
        for skipped in &self.skipped {
            println!("   SKIPPED  {skipped}");
        }
        let (count, seconds) = (self.times.len(), self.started.elapsed().as_secs_f64());
        match self.skipped.len() {
            0 => println!("all {count} checks passed in {seconds:.0} s"),
            skipped => println!("{count} checks passed in {seconds:.0} s, and {skipped} parts of them were SKIPPED"),
        }
    }
}

/// What the tests run in hosts.
struct Modules {
    /// The module.
    serin: PathBuf,
    /// The one of the benches that does nothing.
    empty: PathBuf,
    /// What built them.
    compiler: String,
}

/// Builds the modules and holds ours against its budgets, and against the list of what can trap in it.
fn modules(progress: &Progress) -> Result<Modules> {
    let serin = wasm::build(progress)?;
    let step = progress.step("budgets of the module");
    step.done(budgets::check(&wasm::summary(&serin)?, &wasm::declared_host_calls()?)?);
    let compiler = wasm::compiler(progress)?;
    let step = progress.step("what can trap in the module");
    step.done(traps::check(&compiler)?);
    Ok(Modules { serin, empty: wasm::build_empty(progress)?, compiler })
}
