//! The folder that one Envoy runs in: the files it reads, watches and writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::admin::Admin;
use crate::process::Process;

/// The file of the filter and its rules. Envoy watches the folder of this file and that of the next.
pub const RESOURCE: &str = "rules/serin.json";
/// The file of the route table.
pub const ROUTES: &str = "routes/main.json";
/// The file of the clusters that Envoy discovers. Envoy watches its folder as well.
pub(crate) const CLUSTERS: &str = "clusters/all.json";
/// What Envoy starts with.
pub(crate) const BOOTSTRAP: &str = "envoy.json";
/// The address of the admin interface, written by Envoy.
pub(crate) const ADMIN: &str = "admin";
/// What Envoy prints.
pub(crate) const LOG: &str = "log";
/// One line per request.
pub(crate) const ACCESS_LOG: &str = "access-log";

/// The folder of one Envoy, removed at the end.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("serin-envoy-").tempdir().context("no temporary folder")?;
        for watched in [RESOURCE, ROUTES, CLUSTERS] {
            fs::create_dir(folder.path().join(watched).with_file_name(""))?;
        }
        Ok(Self(folder))
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file in one step, so that Envoy never sees half of it.
    pub(crate) fn replace(&self, name: &str, text: &str) -> Result<()> {
        // Each file has a draft of its own, and in no folder that is watched.
        let (draft, place) = (self.path(format!("draft-{}", name.replace('/', "-"))), self.path(name));
        let folder = place.with_file_name("");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::write(&draft, text).with_context(|| format!("cannot write {}", draft.display()))?;
        fs::rename(&draft, &place).with_context(|| format!("cannot write {}", place.display()))
    }

    pub(crate) async fn until_ready(&self, process: &Process) -> Result<Admin> {
        let end = Instant::now() + START;
        loop {
            let address = fs::read_to_string(self.path(ADMIN)).ok().and_then(|text| text.trim().parse().ok());
            if let Some(address) = address {
                let admin = Admin { address };
                if admin.is_ready().await {
                    return Ok(admin);
                }
            }
            if let Some(status) = process.ended() {
                bail!("Envoy ended at its start ({status}); its log ends with\n{}", self.tail());
            }
            if Instant::now() > end {
                bail!("Envoy was not ready within {START:?}; its log ends with\n{}", self.tail());
            }
            sleep(POLL).await;
        }
    }

    pub(crate) fn tail(&self) -> String {
        let log = fs::read_to_string(self.path(LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

const START: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
