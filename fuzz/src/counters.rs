//! Counters by which libFuzzer sees what the module does: it runs in wasmtime, where no instrumentation reaches. What is new
//! in them counts as new coverage, and the input that brought it about is kept.

#![allow(unsafe_code)] // A section of libFuzzer's; the only one in this package.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};

const COUNTERS: usize = 1 << 16;

// SAFETY: libFuzzer takes the section for an array of counters of one byte each, reads them after each input and sets them to 0
// (`FuzzerExtraCounters.cpp`). An `AtomicU8` is one byte, may change at any time, and nothing else stands in the section.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static SEEN: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

/// Counts that something was seen.
pub(crate) fn saw(what: impl Hash) {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    let at = usize::try_from(hasher.finish() % COUNTERS as u64).unwrap_or_default();
    SEEN[at].fetch_add(1, Ordering::Relaxed);
}
