//! A host for proxy-wasm 0.2.1 HTTP filters, for tests: it runs a module as Envoy does (a canary VM, a main thread,
//! workers with their own VM each, configuration pushes, timers, streams with bodies and trailers, call-outs, queues) and
//! shows what the filter did and what it cost. Time and entropy are the test's. Where Envoy is odd, this host is odd in
//! the same way.
//!
//! ```
//! let module = serin_host::Module::compile(br#"(module
//!     (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 0) "x-laneblue")
//!     (func (export "proxy_abi_version_0_2_1"))
//!     (func (export "malloc") (param i32) (result i32) i32.const 1024)
//!     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
//!         (call $set (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 6) (i32.const 4))))"#)?;
//! let proxy = serin_host::ProxyBuilder::new(&module).workers(2).start("the configuration")?;
//! let exchange = proxy.worker(1).get("/cart").host("shop.example.com").send()?;
//! assert_eq!(exchange.request.get("x-lane"), Some(&b"blue"[..]));
//! assert_eq!(exchange.usage.total_host_calls(), 1);
//! # Ok::<(), anyhow::Error>(())
//! ```

mod abi;
mod builder;
mod callouts;
mod catalog;
mod death;
mod exchange;
mod exports;
mod fault;
mod headers;
mod lapse;
mod log;
mod metrics;
mod module;
mod nursery;
mod pairs;
mod plugin;
mod profile;
mod proxy;
mod queues;
mod request;
pub mod routes;
pub mod scenario;
mod settings;
mod shared;
mod status;
mod stream;
mod usage;
mod vm;
mod worker;

pub use builder::ProxyBuilder;
pub use callouts::{CallOut, CallOutAnswer, CallOutKind};
pub use death::{Death, Report};
pub use exchange::{Action, Exchange};
pub use fault::Fault;
pub use headers::HeaderMap;
pub use lapse::{Finding, Lapse};
pub use log::{LogLevel, LogLine};
pub use module::Module;
pub use profile::Profile;
pub use proxy::{Direction, Proxy, Rejected};
pub use request::Request;
pub use routes::RouteTable;
pub use serin_host_macros::under_profiles;
pub use settings::{Delivery, FailurePolicy};
pub use shared::{MetricKind, Stat};
pub use status::Status;
pub use stream::Stream;
pub use usage::{Cost, Usage};
pub use worker::Worker;
