//! The module that Envoy loads: an adapter between proxy-wasm and [`serin_core`].
//!
//! It hands bytes over and carries effects out; it does not know how a decision is made. `host` is the border, `contexts`
//! finds what a call from the host is about, `root` holds a configuration, `http` a stream, `answer` what is learned from its
//! response, `pairs` reads a map of headers, `guard` adds up what workers count, `schedule` shows what the clock does,
//! `metrics` counts, and `vm` keeps what outlives a configuration.

#![allow(missing_docs)] // A module for a host has exports, not a public interface; the SDK's macro makes one of them.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
// In the module the `Debug` form of values is a trap: it is only there for the text of panics.
#![cfg_attr(not(test), deny(clippy::use_debug))]

mod answer;
mod contexts;
mod guard;
mod host;
mod http;
mod metrics;
mod pairs;
mod root;
mod schedule;
mod vm;

// The contexts begin with the first calls of the host.
proxy_wasm::main! {{}}
