//! What a host refuses, and what the filter keeps to all the same.

use std::collections::BTreeMap;

use serin_core::{Output, OutputHeaders, OutputKind};
use serin_host::{Fault, HeaderMap};

use super::site::WORKERS;

/// What a client says in each of our headers: no document holds it, and no other part of a request.
pub(super) const SPOOFED: &str = "spoofed";

/// Calls without which it is not known here which document is in force.
const DOCUMENT: [&str; 3] = ["proxy_get_buffer_bytes", "environ_sizes_get", "environ_get"];

/// The calls of each worker that fail.
#[derive(Default)]
pub(super) struct Refusals {
    faults: [BTreeMap<&'static str, Fault>; WORKERS],
    /// Whether any call has ever failed.
    was_any: bool,
    /// Whether it is no longer known here which document is in force, or what the host has told of a request.
    is_lost: bool,
}

impl Refusals {
    pub(super) fn note(&mut self, worker: usize, call: &'static str, fault: Option<Fault>) {
        // Each answers as if something were so that is not.
        let lies = |fault| matches!(fault, Fault::Number(0 | 1) | Fault::Null | Fault::Size(_));
        self.was_any |= fault.is_some();
        self.is_lost |= fault.is_some_and(|fault| lies(fault) || DOCUMENT.contains(&call));
        match fault {
            Some(fault) => _ = self.faults[worker].insert(call, fault),
            None => _ = self.faults[worker].remove(call),
        }
    }

    /// Which rules outlive a mistake is another thing where calls have failed, or streams hold on to an older document.
    pub(super) fn pushed(&mut self, has_streams: bool) {
        self.is_lost |= self.was_any || has_streams;
    }

    /// Whether a client's copies of our headers must not go on: they do where they can be neither read nor removed.
    pub(super) fn strips(&self, worker: usize) -> bool {
        !self.is_lost && self.faults[worker].len() <= 1
    }

    /// Whether a call of this worker fails.
    pub(super) fn has_one(&self, worker: usize) -> bool {
        self.faults[worker].len() == 1
    }

    /// Whether no header of a request can be read, by rules that read them at once or one by one: then nothing may be kept of
    /// its decision.
    pub(super) fn is_blind(&self, worker: usize, reads_at_once: bool) -> bool {
        // Where there is no memory the host still tells what is not there.
        let refuses = |call| matches!(self.faults[worker].get(call), Some(Fault::Number(_)));
        let at_once = !reads_at_once || refuses("proxy_get_header_map_pairs");
        !self.is_lost && at_once && refuses("proxy_get_header_map_value")
    }
}

/// The headers that no client may set; with `inherit` the hop before this one may set the version's, in as many lines as it likes.
pub(super) fn ours(outputs: &OutputHeaders, inherits: bool) -> Vec<String> {
    let is_ours = |output: &&Output| output.kind != OutputKind::Version || !inherits;
    outputs.on_request().iter().filter(is_ours).map(|output| output.name.as_str().to_owned()).collect()
}

/// None of a client's copies of our headers has come through.
#[track_caller]
pub(super) fn assert_stripped(ours: &[String], passed: &HeaderMap) {
    for name in ours {
        let is_theirs = |value: &&[u8]| value.windows(SPOOFED.len()).any(|part| part == SPOOFED.as_bytes());
        assert!(!passed.all(name).iter().any(is_theirs), "a client's {name} goes on: {passed:?}");
    }
}
