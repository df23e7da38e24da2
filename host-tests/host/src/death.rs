//! The report of a VM that trapped.

use std::fmt;
use std::ops::Deref;

use wasmtime::WasmBacktrace;

use crate::log::LogLine;
use crate::vm::state::State;

/// Why a VM is dead. Its `Debug` form is the same text as its `Display` form, so that an `unwrap` in a test shows all.
#[derive(Clone, PartialEq, Eq)]
pub struct Death(Box<Report>);

/// What a dead VM did last.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// The VM: `canary`, `main` or `worker N`.
    pub vm: String,
    /// The export that was running.
    pub callback: String,
    /// The trap's reason.
    pub reason: String,
    /// The guest's functions, the innermost first.
    pub backtrace: Vec<String>,
    /// The last host calls that came back, the latest last, with arguments and answers.
    pub host_calls: Vec<String>,
    /// The last log lines of the VM.
    pub log: Vec<LogLine>,
}

/// Log lines that a report shows.
const SHOWN_LINES: usize = 10;

impl Death {
    pub(crate) fn new(state: &State, callback: &str, trap: &wasmtime::Error) -> Self {
        let shared = state.shared.borrow();
        let own = shared.log.iter().rev().filter(|line| line.vm == state.vm).take(SHOWN_LINES);
        let mut log: Vec<LogLine> = own.cloned().collect();
        log.reverse();
        Self(Box::new(Report {
            vm: state.vm.clone(),
            callback: callback.to_owned(),
            reason: trap.root_cause().to_string(),
            backtrace: trap.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default(),
            host_calls: state.recent.iter().cloned().collect(),
            log,
        }))
    }
}

impl Deref for Death {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.0
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} died in {}: {}", self.vm, self.callback, self.reason)?;
        let log: Vec<String> = self.log.iter().map(ToString::to_string).collect();
        for (title, lines) in
            [("guest", &self.backtrace), ("last host calls", &self.host_calls), ("last log lines", &log)]
        {
            writeln!(f, "  {title}:")?;
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Death {}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => name.to_owned(),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect()
}
