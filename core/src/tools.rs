//! What people ask about rules: where a mistake stands, and what is valid and yet surely not meant. Why a request got its version
//! is told by `decide`.
//!
//! Nothing of this is in the module.

mod logic;
mod place;
mod review;
mod words;

pub use place::{About, Step};
pub use review::{WARNINGS, Warning, review};
pub(crate) use words::shown;
