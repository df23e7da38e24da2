//! What people ask about rules: where a mistake stands, what is valid and yet surely not meant, who moves from one document to
//! the next, and a request for each way into a rollout. Why a request got its version is told by `decide`.
//!
//! Nothing of this is in the module.

mod compare;
mod literal;
mod logic;
mod place;
mod review;
mod sample;
mod turns;
mod ways;
mod words;

pub use compare::{Compared, Coverage, Move, Secrets, Segment, When, compare, share_of};
pub use place::{About, Step, steps};
pub use review::{WARNINGS, Warning, review};
pub use sample::{Sample, samples};
pub use ways::{OverrideNames, Trusts, UnitKind, duration_seconds, span_in_words};
pub(crate) use words::shown;
