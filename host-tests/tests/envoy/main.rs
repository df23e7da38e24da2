//! The filter in a real Envoy, in front of real upstreams, with visitors.
//!
//! One program for all of them: to link it takes longer than to run most.

mod capabilities;
mod chains;
mod conditions;
mod effects;
mod guard;
mod holds;
mod hostile;
mod missing;
mod paths;
mod regions;
mod retries;
mod routes;
mod rules;
mod schedule;
mod shares;
mod support;
mod tracing;
mod units;
mod updates;
mod visitors;
mod weights;
mod yaml;
