//! The host's own truths, shown with small guests written as WebAssembly text. What a real Envoy does in the same case
//! is the standard.

mod guest;
mod headers;
mod pushes;
mod state;
mod vms;
