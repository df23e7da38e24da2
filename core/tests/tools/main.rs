//! What people ask about rules and their mistakes.

#[path = "../common/mod.rs"]
mod common;
mod explain;
mod paths;
mod review;
