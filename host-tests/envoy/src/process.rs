//! A child process that does not outlive us, not even when we are killed.
//!
//! A small shell stands between: it ends its child, by process id, as soon as the pipe on its standard input closes, and
//! the kernel closes that pipe for us if need be. A thread of its own holds the pipe, since a child may also ask the
//! kernel to be ended with the very thread that started it.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// A running child; dropping it ends the child and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Process {
    ended: Arc<OnceLock<ExitStatus>>,
    /// Dropping the sender is the request to end the child.
    keep: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program with arguments; what it prints goes into `log`.
    pub(crate) fn start(program: &[OsString], log: &File) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).args(program);
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        // A Ctrl-C in the terminal is for us alone.
        command.process_group(0);

        let ended = Arc::new(OnceLock::new());
        let (keep, dropped) = mpsc::channel();
        let (tell, started) = mpsc::channel();
        let told = Arc::clone(&ended);
        let keep_it = move || {
            let mut shell = match command.spawn() {
                Ok(shell) => shell,
                Err(error) => return tell.send(Err(error)).unwrap_or_default(),
            };
            let pipe = shell.stdin.take();
            tell.send(Ok(())).unwrap_or_default();
            while dropped.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if let Ok(Some(status)) = shell.try_wait() {
                    return told.set(status).unwrap_or_default();
                }
            }
            drop(pipe);
            shell.wait().ok();
        };
        let keeper = std::thread::Builder::new().name("envoy keeper".to_owned()).spawn(keep_it)?;
        started.recv().context("the thread that starts a child ended")?.context("cannot run sh")?;
        Ok(Self { ended, keep: Some(keep), keeper: Some(keeper) })
    }

    /// How the child ended by itself, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.ended.get().copied()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.keep.take());
        if let Some(keeper) = self.keeper.take() {
            keeper.join().ok();
        }
    }
}

/// Runs `"$@"`, ends it when standard input closes, and ends as it did.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -9 "$child"; } 2>/dev/null &
exec 3<&-
wait "$child"
"#;

const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn start(log: &tempfile::NamedTempFile, words: &[&str]) -> Process {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Process::start(&words, log.as_file()).unwrap()
    }

    fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
        for _ in 0..500 {
            if let Some(found) = ask() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not within five seconds")
    }

    #[test]
    fn a_child_that_ends_by_itself_is_noticed_with_its_status_and_output() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = start(&log, &["sh", "-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(Some(3), until(|| process.ended()).code());
        assert_eq!("out\nerr\n", std::fs::read_to_string(log.path()).unwrap());
    }

    #[test]
    fn a_child_is_gone_after_the_drop() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = start(&log, &["sh", "-c", "echo $$; exec sleep 600"]);
        let id = until(|| std::fs::read_to_string(log.path()).unwrap().trim().parse::<u32>().ok());
        let alive =
            || Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status().unwrap().success();
        assert!(alive());
        drop(process);
        assert!(!alive());
    }
}
