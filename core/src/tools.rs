//! What people ask about rules: where a mistake stands, what is valid and yet surely not meant, who moves from one document to
//! the next. Why a request got its version is told by `decide`.
//!
//! Nothing of this is in the module.

mod compare;
mod logic;
mod place;
mod review;
mod words;

pub use compare::{Compared, Move, Segment, compare};
pub use place::{About, Step};
pub use review::{WARNINGS, Warning, review};
pub(crate) use words::shown;
