//! What a process has used, as the kernel tells it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of all threads of a process, in nanoseconds. A thread's time is complete once it sleeps.
///
/// # Errors
/// If there is no such process, or no `/proc` with `schedstat` as Linux has it.
pub(crate) fn cpu(process: u32) -> Result<u64> {
    let tasks = PathBuf::from(format!("/proc/{process}/task"));
    let entries = fs::read_dir(&tasks).with_context(|| format!("cannot read {}", tasks.display()))?;
    let mut sum = 0;
    for entry in entries {
        let path = entry?.path().join("schedstat");
        // A thread may end between the listing and the reading; no thread of Envoy that serves requests does.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let spent = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        sum += spent.with_context(|| format!("{} does not begin with a number", path.display()))?;
    }
    Ok(sum)
}

/// Resident memory of a process in MiB, pages shared with others (those of the executable) included.
///
/// # Errors
/// As [`cpu`].
pub(crate) fn resident(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kibibytes.with_context(|| format!("{path} has no VmRSS"))? / 1024.0)
}

/// Long enough for a thread that has answered to go to sleep, and so to be charged for all it did.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(3)).await;
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn own_usage_is_read() {
        assert!(cpu(std::process::id()).unwrap() > 0);
        assert!(resident(std::process::id()).unwrap() > 1.0);
        assert!(cpu(u32::MAX).is_err());
    }
}
