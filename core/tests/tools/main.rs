//! What people ask about rules: warnings, comparisons, explanations, sample requests.

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod coverage;
mod explain;
mod explain_ways;
mod moments;
mod overlaps;
mod paths;
mod review;
mod samples;
