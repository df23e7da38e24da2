//! The module that Envoy loads: an adapter between proxy-wasm and [`serin_core`].
//!
//! It hands bytes over and carries effects out; it does not know how a decision is made. `root` holds a configuration,
//! `http` a stream, `metrics` counts, `vm` keeps what outlives a configuration, and `host` makes every host call.

#![allow(missing_docs)] // A module for a host has exports, not a public interface; the SDK's macro makes one of them.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod host;
mod http;
mod metrics;
mod root;
mod vm;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
