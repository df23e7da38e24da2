//! Measures the filter in a real Envoy, beside what else could do its job: CPU per request, throughput and latency, growth
//! with the number of rollouts, memory.
//!
//! Every contestant is held against its job before it is measured; one that does not do it ends the run.

mod bootstrap;
mod calls;
mod chains;
mod forwarding;
mod growth;
mod job;
mod load;
mod machine;
mod memory;
mod plan;
mod pump;
mod rounds;
mod script;
mod usage;

use std::path::PathBuf;

pub use chains::measure as chains;
pub use forwarding::measure as forwarding;
pub use growth::measure as growth;
pub use machine::machine;
pub use memory::measure as memory;
pub use plan::{Effort, Load, Plan, Soak};

/// What is measured, and in what.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The executable of Envoy.
    pub envoy: PathBuf,
    /// The filter.
    pub module: PathBuf,
    /// A module on the SDK that does nothing, untrimmed.
    pub empty: PathBuf,
}
