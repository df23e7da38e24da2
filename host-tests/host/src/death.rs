//! The report of a VM that trapped.

use std::fmt;
use std::ops::Deref;

use wasmtime::WasmBacktrace;

use crate::catalog::{self, FunctionId};
use crate::log::LogLine;
use crate::shared::Last;
use crate::status::Status;
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
    /// The guest's functions, the innermost first; numbers where the module has no names.
    pub backtrace: Vec<String>,
    /// The last host calls that came back, the latest last, with arguments and answers.
    pub host_calls: Vec<String>,
    /// The last log lines of the VM.
    pub log: Vec<LogLine>,
    /// A scenario file with the configuration and the last requests that the VM saw, to be run again in this host or in a real
    /// Envoy (see [`scenario`](crate::scenario)); empty where there is no more to it than the callback.
    pub scenario: String,
}

/// Log lines that a report shows.
const SHOWN_LINES: usize = 10;

impl Death {
    pub(crate) fn new(state: &State, callback: &str, trap: &wasmtime::Error) -> Self {
        let shared = state.shared.borrow();
        let own = shared.log.iter().rev().filter(|line| *line.vm == *state.vm).take(SHOWN_LINES);
        let mut log: Vec<LogLine> = own.cloned().collect();
        log.reverse();
        Self(Box::new(Report {
            vm: state.vm.to_string(),
            callback: callback.to_owned(),
            reason: trap.root_cause().to_string(),
            backtrace: trap.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default(),
            host_calls: state.recent.0.iter().map(ToString::to_string).collect(),
            log,
            scenario: String::new(),
        }))
    }

    /// Adds the scenario, if there is none yet.
    pub(crate) fn explain(&mut self, scenario: impl FnOnce() -> crate::scenario::Scenario) {
        if self.0.scenario.is_empty() {
            // What cannot be written is left out; the rest of the report stands.
            self.0.scenario = scenario().to_yaml().unwrap_or_default();
        }
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
        if !self.scenario.is_empty() {
            writeln!(f, "  a scenario that does it again:")?;
            self.scenario.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
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
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect()
}

/// The last host calls of a VM.
pub(crate) struct Recent(Last<RecentCall, 20>);

/// Stands for the answer of a call that never came back.
pub(crate) const TRAPPED: u32 = u32::MAX;
/// Bytes of an argument that a report shows.
const SHOWN_BYTES: usize = 64;
/// Arguments that a report shows.
const SHOWN_ARGUMENTS: usize = 5;

/// A host call, kept without a word being put together for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentCall {
    id: FunctionId,
    answer: u32,
    arguments: usize,
    ends: [usize; SHOWN_ARGUMENTS],
    bytes: Vec<u8>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self(Last::new())
    }

    /// The record of a call that begins, with the room of one that nobody needs any more.
    pub(crate) fn begin(&mut self, id: FunctionId) -> RecentCall {
        let mut bytes = self.0.take_oldest().map(|call| call.bytes).unwrap_or_default();
        bytes.clear();
        RecentCall { id, answer: 0, arguments: 0, ends: [0; SHOWN_ARGUMENTS], bytes }
    }

    pub(crate) fn end(&mut self, mut call: RecentCall, answer: u32) {
        call.answer = answer;
        self.0.push(call);
    }
}

impl RecentCall {
    pub(crate) fn note(&mut self, argument: &[u8]) {
        if let Some(end) = self.ends.get_mut(self.arguments) {
            self.bytes.extend_from_slice(argument.get(..SHOWN_BYTES).unwrap_or(argument));
            (*end, self.arguments) = (self.bytes.len(), self.arguments + 1);
        }
    }
}

impl fmt::Display for RecentCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = catalog::function(self.id);
        write!(f, "{}(", function.name)?;
        let mut start = 0;
        for (index, end) in self.ends[..self.arguments].iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{:?}", String::from_utf8_lossy(&self.bytes[start..*end]))?;
            start = *end;
        }
        f.write_str(") -> ")?;
        if self.answer == TRAPPED {
            return f.write_str("a trap");
        }
        match Status::from_number(self.answer) {
            Some(status) if !function.is_wasi() || status == Status::Ok => write!(f, "{status:?}"),
            _ if function.is_wasi() => write!(f, "errno {}", self.answer),
            _ => write!(f, "{}", self.answer),
        }
    }
}
