//! What people ask about rules: where a mistake stands.
//!
//! Nothing of this is in the module.

mod place;

pub use place::{About, Step};
