//! What numbers were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serin_bench::results::Machine;

/// Asks Envoy and the kernel.
///
/// # Errors
/// If Envoy cannot be run, or this is no Linux.
pub fn machine(envoy: &Path) -> Result<Machine> {
    let shown = envoy.display();
    let output = Command::new(envoy).arg("--version").output().with_context(|| format!("cannot run {shown}"))?;
    ensure!(output.status.success(), "`{shown} --version` failed ({})", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_once("version:").map_or(text.as_ref(), |(_, version)| version).trim().to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("the benches need Linux and its /proc")?;
    let processors = fs::read_to_string("/proc/cpuinfo").context("the benches need Linux and its /proc")?;
    Ok(Machine { envoy: version, processor: processor(&processors)?, kernel: kernel.trim().to_owned() })
}

fn processor(list: &str) -> Result<String> {
    let model = list.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let count = std::thread::available_parallelism()?;
    Ok(format!("{} × {count}", model.map_or("unknown", |(_, model)| model.trim())))
}
