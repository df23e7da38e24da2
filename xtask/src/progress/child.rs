//! Child processes that do not outlive us, however we end, and their output line by line.
//!
//! A small shell stands between: it leads a process group of its own, and ends that group as soon as the pipe on its
//! standard input closes. The kernel closes that pipe for us if need be, so no signal has to be handled here, and whoever
//! wants to handle signals is free to.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What to do with a child's lines as they come.
pub(super) struct Lines<'a> {
    /// Given every line of standard output.
    pub(super) out: &'a mut (dyn FnMut(&str) + Send),
    /// Given every line of standard error.
    pub(super) err: &'a mut (dyn FnMut(&str) + Send),
}

/// Runs a child to its end, or ends it after `limit`. Calls `tick` some times a second meanwhile.
pub(super) fn run(
    command: &Command,
    limit: Duration,
    lines: Lines<'_>,
    mut tick: impl FnMut(),
) -> io::Result<ExitStatus> {
    let started = Instant::now();
    let mut child = guarded(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| each_line(stdout, lines.out));
        scope.spawn(|| each_line(stderr, lines.err));
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > limit {
                end(&mut child);
            }
            tick();
            thread::sleep(POLL);
        }
    })
}

/// Runs a child to its end. Its output goes to where ours goes.
pub(super) fn run_aloud(command: &Command) -> io::Result<ExitStatus> {
    let mut child = guarded(command).spawn()?;
    // `Child::wait` would close the pipe at once.
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(POLL);
    }
}

/// The same command with the shell between.
fn guarded(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::piped()).process_group(0);
    shell
}

/// Asks the shell to end its group.
fn end(child: &mut Child) {
    drop(child.stdin.take());
}

fn each_line(pipe: Option<impl Read>, take: &mut (dyn FnMut(&str) + Send)) {
    let lines = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
    // What a child wrote before its pipe broke is all that there is.
    for line in lines.map_while(Result::ok) {
        take(&String::from_utf8_lossy(&line));
    }
}

/// Runs `"$@"` without input, and ends as it did. The reader holds none of the child's outputs, so that they end with it.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
{ read -r _; kill -TERM 0; } <&3 >/dev/null 2>&1 &
reader=$!
"$@" 3<&-
status=$?
{ kill "$reader"; wait "$reader"; } 2>/dev/null
exit "$status"
"#;

const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn run_collecting(command: &Command, limit: Duration) -> (ExitStatus, Vec<String>, Vec<String>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let lines = Lines { out: &mut |line| out.push(line.to_owned()), err: &mut |line| err.push(line.to_owned()) };
        let status = run(command, limit, lines, || ()).unwrap();
        (status, out, err)
    }

    fn alive(id: &str) -> bool {
        Command::new("kill").args(["-0", "--", id]).stderr(Stdio::null()).status().unwrap().success()
    }

    fn gone_soon(id: &str) -> bool {
        (0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            !alive(id)
        })
    }

    #[test]
    fn status_output_environment_and_folder_are_the_childs() {
        let mut command = sh("echo $SERIN_WORD; pwd >&2; exit 3");
        let (status, out, err) = run_collecting(command.env("SERIN_WORD", "hello").current_dir("/"), Duration::MAX);
        assert_eq!((status.code(), out, err), (Some(3), vec!["hello".to_owned()], vec!["/".to_owned()]));
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended_with_its_own_children() {
        let (status, out, _) = run_collecting(&sh("sleep 600 & echo $!; wait"), Duration::from_millis(300));
        assert!(!status.success());
        assert!(gone_soon(&out[0]));
    }

    #[test]
    fn a_child_and_its_own_children_are_gone_after_we_are_killed() {
        // This test's own program, started again, is the one that is killed.
        if std::env::var_os(HOLDER).is_some() {
            run_aloud(&sh("sleep 600 & echo id $! >&2; wait")).unwrap();
            return;
        }
        let mut holder = Command::new(std::env::current_exe().unwrap());
        let name = "progress::child::tests::a_child_and_its_own_children_are_gone_after_we_are_killed";
        holder.args(["--exact", "--nocapture", name]).env(HOLDER, "1").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        let mut lines = BufReader::new(holder.stderr.take().unwrap()).lines();
        let id = lines.find_map(|line| line.unwrap().strip_prefix("id ").map(str::to_owned)).unwrap();
        assert!(alive(&id));
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert!(gone_soon(&id));
    }

    const HOLDER: &str = "SERIN_XTASK_TEST_HOLDER";
}
