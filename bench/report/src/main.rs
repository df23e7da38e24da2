//! `serin-bench-report [--quick]`: the report of what is in the target folder. A full run goes to `bench/RESULTS.md` and
//! `bench/plots`; a quick one, whose numbers are for trying only, to `target/bench`.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "where the report is, is printed")]

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serin_bench::results::target;
use serin_bench_report::Run;

fn main() -> Result<()> {
    let quick = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [only] if only == "--quick" => true,
        others => bail!("{} is unknown; the only option is --quick", others.join(" ")),
    };
    let target = target();
    let run = Run::read(&target)?;
    let scripts = target.join("bench");
    // Numbers of a quick run never get where numbers of a full one are looked for.
    let report = if quick || run.measured.quick { scripts.clone() } else { bench() };
    run.write(&scripts, &report)?;
    println!("{}\n{}", report.join("RESULTS.md").display(), scripts.join("envoy.json").display());
    Ok(())
}

/// The folder `bench` of the repository.
fn bench() -> PathBuf {
    let report = Path::new(env!("CARGO_MANIFEST_DIR"));
    report.parent().unwrap_or(report).to_path_buf()
}
