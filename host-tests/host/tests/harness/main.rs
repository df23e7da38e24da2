//! The host's own truths, shown with small guests written as WebAssembly text. What a real Envoy does in the same case
//! is the standard.

mod bodies;
mod call_outs;
mod failures;
mod faults;
mod guest;
mod headers;
mod lapses;
mod profiles;
mod pushes;
mod replays;
mod replies;
mod state;
mod vms;
