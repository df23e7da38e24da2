//! What Istio and Envoy Gateway make of `manifests/istio` and `manifests/envoy-gateway`, for a real Envoy on loopback.
//!
//! A small renderer in the place of istiod with istio-agent, and of Envoy Gateway: it knows as much of both as the manifests
//! use, and refuses a manifest with a field that it does not know. What it makes has the control planes' names and shapes;
//! but resources come from files, and upstreams on loopback stand for pods.

mod draft;
mod environment;
pub mod envoy_gateway;
mod gateway_api;
pub mod istio;
mod merge;
mod plane;
mod resources;
mod services;
mod store;

pub use draft::Configuration;
pub use environment::Secret;
pub use plane::Plane;
pub use resources::Resources;
pub use services::{Labels, Pod, labels, pods};
pub use store::Store;

/// The folder of the manifests.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests");
