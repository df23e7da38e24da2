//! A child process that does not outlive us, not even when we are killed.
//!
//! A small shell stands between: it ends its child, by process id, as soon as the pipe on its standard input closes, and
//! the kernel closes that pipe for us if need be. A thread of its own holds the pipe, since a child may also ask the
//! kernel to be ended with the very thread that started it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// A running child; dropping it ends the child and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    id: u32,
    ended: Arc<OnceLock<ExitStatus>>,
    /// Dropping the sender is the request to end the child.
    keep: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program with the arguments, the variables and the folder that `program` has; what it prints goes into `log`.
    ///
    /// # Errors
    /// If there is no shell. That the program itself cannot be run shows in `log`, and in that it ends at once.
    pub fn start(program: &Command, log: &File) -> Result<Self> {
        let mut command = between(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log.try_clone()?);
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
            let mut id = String::new();
            shell.stdout.take().map(|said| BufReader::new(said).read_line(&mut id));
            tell.send(Ok(id)).unwrap_or_default();
            while dropped.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if let Ok(Some(status)) = shell.try_wait() {
                    return told.set(status).unwrap_or_default();
                }
            }
            drop(pipe);
            shell.wait().ok();
        };
        let keeper = std::thread::Builder::new().name("keeper".to_owned()).spawn(keep_it)?;
        let id = started.recv().context("the thread that starts a child ended")?.context("cannot run sh")?;
        let id = id.trim().parse().context("the shell between did not tell the child's process id")?;
        Ok(Self { id, ended, keep: Some(keep), keeper: Some(keeper) })
    }

    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How the child ended by itself, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
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

/// The shell between, with the variables and the folder of its child.
fn between(program: &Command) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    // A Ctrl-C in the terminal is for us alone.
    command.process_group(0);
    command
}

/// Runs `"$@"`, ends it when standard input closes, and ends as it did. Once the child has ended, its process id may
/// become somebody else's, so the reader that would end it has to go first. The child's process id is the one line on standard
/// output; what the child prints goes to standard error.
const SCRIPT: &str = r#"
exec 3<&0 4>&1 >&2 </dev/null
"$@" 3<&- 4>&- &
child=$!
echo "$child" >&4
exec 4>&-
{ read -r _ <&3; kill -9 "$child"; } 2>/dev/null &
reader=$!
exec 3<&-
wait "$child"
status=$?
{ kill "$reader"; wait "$reader"; } 2>/dev/null
exit "$status"
"#;

const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn start(log: &File, words: &[&str]) -> Process {
        let mut program = Command::new(words[0]);
        program.args(&words[1..]);
        Process::start(&program, log).unwrap()
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
        let process = start(log.as_file(), &["sh", "-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(Some(3), until(|| process.ended()).code());
        assert_eq!("out\nerr\n", std::fs::read_to_string(log.path()).unwrap());
    }

    #[test]
    fn the_process_id_is_the_childs() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = start(log.as_file(), &SLEEPER);
        assert_eq!(id_in(&log), process.id().to_string());
    }

    fn id_in(log: &tempfile::NamedTempFile) -> String {
        until(|| std::fs::read_to_string(log.path()).unwrap().strip_suffix('\n').map(str::to_owned))
    }

    #[test]
    fn a_child_has_its_variables_and_its_folder() {
        let (log, folder) = (tempfile::NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
        let mut program = Command::new("sh");
        program.args(["-c", "echo $COLOUR $HOME; pwd -P"]).env("COLOUR", "yellow").env_remove("HOME");
        let process = Process::start(program.current_dir(folder.path()), log.as_file()).unwrap();
        until(|| process.ended());
        let folder = folder.path().canonicalize().unwrap();
        assert_eq!(format!("yellow\n{}\n", folder.display()), std::fs::read_to_string(log.path()).unwrap());
    }

    fn alive(id: &str) -> bool {
        Command::new("kill").args(["-0", "--", id]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn a_child_is_gone_after_the_drop() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = start(log.as_file(), &SLEEPER);
        let id = id_in(&log);
        assert!(alive(&id));
        drop(process);
        assert!(!alive(&id));
    }

    #[test]
    fn a_child_is_gone_after_we_are_killed() {
        // This test's own program, started again, is the one that is killed.
        if let Some(log) = std::env::var_os(HOLDER) {
            let _process = start(&File::options().append(true).open(log).unwrap(), &SLEEPER);
            return std::thread::sleep(Duration::from_secs(60));
        }
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut holder = Command::new(std::env::current_exe().unwrap());
        holder.args(["--exact", "process::tests::a_child_is_gone_after_we_are_killed"]).env(HOLDER, log.path());
        let mut holder = holder.stdout(Stdio::null()).spawn().unwrap();
        let id = id_in(&log);
        assert!(alive(&id));
        holder.kill().unwrap();
        holder.wait().unwrap();
        until(|| (!alive(&id)).then_some(()));
    }

    #[test]
    fn nothing_is_left_after_a_child_ended_by_itself() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = start(log.as_file(), &["sh", "-c", "echo $PPID"]);
        // The shell between leads the group that all of them are in.
        let group = format!("-{}", id_in(&log));
        until(|| process.ended());
        assert!(!alive(&group));
    }

    const SLEEPER: [&str; 3] = ["sh", "-c", "echo $$; exec sleep 600"];
    const HOLDER: &str = "SERIN_ENVOY_TEST_HOLDER";
}
