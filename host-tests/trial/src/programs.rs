//! The programs that the trial is made of, as `cargo xtask test` names them in variables.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// What the trial needs, whatever is tried with it.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Envoy.
    pub envoy: PathBuf,
    /// The filter's module.
    pub module: PathBuf,
    /// nginx.
    pub nginx: PathBuf,
}

impl Programs {
    /// Those that `ENVOY`, `SERIN_WASM` and `NGINX` name; none, with a line that says so, without nginx.
    ///
    /// # Errors
    /// If one of the first two is not set.
    pub fn from_env() -> Result<Option<Self>> {
        let path = |name| variable(name).with_context(|| format!("{name} is not set: run `cargo xtask test`"));
        let (envoy, module) = (path("ENVOY")?, path("SERIN_WASM")?);
        Ok(required("NGINX").map(|nginx| Self { envoy, module, nginx }))
    }
}

/// The program that this variable names; none, with a line that says so, where it is not set.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn required(name: &str) -> Option<PathBuf> {
    let found = variable(name);
    if found.is_none() {
        eprintln!("skipped: {name} names no program; `cargo xtask test` looks for one");
    }
    found
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}
