//! The trial of `manifests/docker-compose` without containers: its app in nginx, its Envoy and its Prometheus, all on free
//! ports of loopback, with their own files and nothing but addresses and the place of the module replaced.

mod app;
pub mod dashboard;
pub mod picture;
mod programs;
mod prometheus;
pub mod promql;
mod server;
mod trial;

pub use dashboard::Dashboard;
pub use programs::{Programs, required};
pub use prometheus::{Prometheus, Sample};
pub use trial::{KEY, Trial};

/// The folder of the trial's files.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/docker-compose");
