//! A running Envoy with any bootstrap: its files, its statistics, its process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::admin::Admin;
use crate::folder::{ADMIN, BOOTSTRAP, Folder, LOG};
use crate::manifest::LISTENER;
use crate::process::Process;

/// A running Envoy; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Running {
    // Dropped in this order: the process is gone before its folder is.
    process: Process,
    folder: Folder,
    admin: Admin,
    listener: SocketAddr,
}

impl Running {
    /// Envoy with so many workers, for [`Running::start_as`].
    ///
    /// # Errors
    /// If there is no current folder to which a relative path of the binary belongs.
    pub fn command(binary: &Path, workers: u32) -> Result<Command> {
        let mut command = Command::new(std::path::absolute(binary)?);
        let workers = workers.to_string();
        command.args(["--concurrency", &workers, "--log-level", "info", "--file-flush-interval-msec", "100"]);
        // Without hot restart there is no shared memory, so Envoys do not meet and leave nothing behind.
        command.arg("--disable-hot-restart");
        Ok(command)
    }

    /// Starts Envoy from `binary` in a folder of its own, with the bootstrap that is made for that folder and with `files`
    /// in it, and waits until it takes traffic. The bootstrap binds its admin interface to a free port and has a listener
    /// `main`, or only one, on another one. Envoy may watch the folders of [`RULES`](crate::RULES) and [`ROUTES`](crate::ROUTES).
    ///
    /// # Errors
    /// If Envoy cannot be started, ends by itself or is not ready within 30 seconds; the message has the end of its log.
    pub async fn start(
        binary: &Path,
        workers: u32,
        files: &[(&str, &str)],
        bootstrap: impl FnOnce(&Path) -> Value,
    ) -> Result<Self> {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Self::start_as(Self::command(binary, workers)?, |folder| (bootstrap(folder), files)).await
    }

    /// As [`Running::start`], with files that are made for the folder as well. `program` is Envoy with further options and
    /// variables; it runs in its folder, so its bootstrap can name files relative to that.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub async fn start_as(
        program: Command,
        contents: impl FnOnce(&Path) -> (Value, BTreeMap<String, String>),
    ) -> Result<Self> {
        let folder = Folder::new()?;
        let (bootstrap, files) = contents(&folder.path(""));
        for (name, text) in files {
            folder.replace(&name, &text)?;
        }
        folder.replace(BOOTSTRAP, &bootstrap.to_string())?;
        Self::launch(folder, program).await
    }

    /// Starts Envoy in a folder that has all its files.
    pub(crate) async fn launch(folder: Folder, mut program: Command) -> Result<Self> {
        program.arg("--config-path").arg(folder.path(BOOTSTRAP));
        program.arg("--admin-address-path").arg(folder.path(ADMIN)).current_dir(folder.path(""));
        let log = File::create(folder.path(LOG))?;
        let process = Process::start(&program, &log)
            .with_context(|| format!("cannot start Envoy from {}", program.get_program().display()))?;
        let admin = folder.until_ready(&process).await?;
        let listener = admin.listener(LISTENER).await?;
        Ok(Self { process, folder, admin, listener })
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// Where its admin interface is.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The folder of its files, in which it runs.
    pub fn folder(&self) -> PathBuf {
        self.folder.path("")
    }

    /// The values of the counters and gauges whose full name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// If the admin interface does not answer, as when Envoy has ended.
    pub async fn values(&self, pattern: &str) -> Result<Vec<u64>> {
        self.admin.values(pattern).await.with_context(|| self.state())
    }

    /// The counters and gauges whose full name matches the regular expression `pattern`, by name.
    ///
    /// # Errors
    /// As [`Running::values`].
    pub async fn stats(&self, pattern: &str) -> Result<BTreeMap<String, u64>> {
        self.admin.stats(pattern).await.with_context(|| self.state())
    }

    /// The addresses of all listeners by name.
    ///
    /// # Errors
    /// As [`Running::values`].
    pub async fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>> {
        self.admin.listeners().await.with_context(|| self.state())
    }

    /// The sum of [`Running::values`]; 0 if there are none.
    ///
    /// # Errors
    /// As [`Running::values`].
    pub async fn sum(&self, pattern: &str) -> Result<u64> {
        Ok(self.values(pattern).await?.into_iter().sum())
    }

    /// The Prometheus lines of one metric.
    ///
    /// # Errors
    /// As [`Running::values`].
    pub async fn prometheus(&self, metric: &str) -> Result<Vec<String>> {
        self.admin.prometheus(metric).await.with_context(|| self.state())
    }

    /// The file of the log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path(LOG)
    }

    /// The log so far.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(self.log_file()).context("cannot read Envoy's log")
    }

    /// Replaces one of its files in one step, so that Envoy never sees half of it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn replace(&self, file: &str, text: &str) -> Result<()> {
        self.folder.replace(file, text)
    }

    /// Waits until Envoy ends by itself, and gives back what tells so with the end of its log.
    pub async fn ended(&self) -> anyhow::Error {
        while self.process.ended().is_none() {
            sleep(POLL).await;
        }
        anyhow::Error::msg(self.state())
    }

    /// Moves a file into place and waits until the counter `taken` tells that Envoy has taken it up, or `refused` that it has
    /// not: both are regular expressions for the whole name.
    ///
    /// # Errors
    /// If Envoy refuses the file, has ended, or does not take it up within thirty seconds.
    pub async fn push(&self, file: &str, text: &str, taken: &str, refused: &str) -> Result<()> {
        if self.offer(file, text, taken, refused).await? {
            return Ok(());
        }
        bail!("Envoy refused the new {file}; its log ends with\n{}", self.tail())
    }

    /// As [`Running::push`], and tells whether Envoy has taken the file up.
    ///
    /// # Errors
    /// If Envoy has ended, or does neither within thirty seconds.
    pub async fn offer(&self, file: &str, text: &str, taken: &str, refused: &str) -> Result<bool> {
        let (taken, refused) = (format!("^{taken}$"), format!("^{refused}$"));
        let (before, known) = (self.sum(&taken).await?, self.sum(&refused).await?);
        self.replace(file, text)?;
        let end = Instant::now() + TAKE_UP;
        loop {
            let is_taken = self.sum(&taken).await? > before;
            // Asked in this order: where a filter refuses its configuration, Envoy counts a failure and then a reload as well.
            if self.sum(&refused).await? > known {
                return Ok(false);
            }
            if is_taken {
                return Ok(true);
            }
            if Instant::now() > end {
                bail!("Envoy did not take up {file} within {TAKE_UP:?}; its log ends with\n{}", self.tail());
            }
            sleep(POLL).await;
        }
    }

    /// The path of one of its files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// The end of the log.
    pub(crate) fn tail(&self) -> String {
        self.folder.tail()
    }

    fn state(&self) -> String {
        match self.process.ended() {
            Some(status) => format!("Envoy has ended ({status}); its log ends with\n{}", self.tail()),
            None => "Envoy runs, but its admin interface gave no answer".to_owned(),
        }
    }
}

const TAKE_UP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
