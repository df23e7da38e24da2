//! The shipped manifests in a real Envoy, with what Istio and Envoy Gateway make of them.
//!
//! One program for all of them: to link it takes longer than to run most.

mod argo_rollouts;
mod connections;
mod envoy_gateway;
mod failures;
mod istio;
mod keys;
mod metrics;
mod native;
mod people;
mod readme;
mod route_weights;
mod shared_vm;
mod site;
