//! What people ask about rules and their mistakes.

mod paths;
mod review;
