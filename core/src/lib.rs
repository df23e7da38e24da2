//! The decision of Serin, canary routing inside Envoy: which version serves a request, and why.
//!
//! ```text
//! document ──Rules::parse→ Rules ──┐
//!                                  ├─decide→ Decision ─Effects::of→ Effects
//! request headers ───────→ Facts ──┘
//! ```
//!
//! Pure and total: no clock, no randomness, no log, no I/O. Time and random bits come in as arguments; headers come in
//! through [`Source`]. Nothing here knows proxy-wasm or Envoy.
//!
//! ```
//! use std::borrow::Cow;
//!
//! use serin_core::{Current, Effects, Facts, Rules, Source, Surroundings, Time, decide};
//!
//! struct Headers(Vec<(&'static str, &'static str)>);
//!
//! impl Source for Headers {
//!     fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
//!         self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_bytes().into())
//!     }
//!     fn headers(&self, name: &str) -> Vec<Vec<u8>> {
//!         self.0.iter().filter(|(found, _)| *found == name).map(|(_, value)| value.as_bytes().to_vec()).collect()
//!     }
//!     fn cluster_name(&self) -> Option<Vec<u8>> {
//!         None
//!     }
//!     fn source_address(&self) -> Option<Vec<u8>> {
//!         Some(b"192.0.2.7:49152".to_vec())
//!     }
//! }
//!
//! let document = br#"{"rollouts": {"shop": {
//!     "stable": "v1",
//!     "versions": {"v1": {}, "v2": {"weight": 10}},
//!     "override": {"header": "x-canary"}
//! }}}"#;
//! let rules = Rules::parse(document, &Surroundings::default()).rules.expect("the document is sound");
//! let request = Headers(vec![(":authority", "shop.example.com"), ("x-canary", "v2")]);
//! let facts = Facts::new(&request);
//!
//! let now = Time::from_unix_seconds(1_800_000_000);
//! let decision = decide(&rules, &Current::new(&rules, now), &facts, now, || 0).expect("every request is covered");
//! let effects = Effects::of(&rules, Some(&decision), &facts, now);
//!
//! assert_eq!(decision.reason.as_str(), "override");
//! assert!(effects.set().eq([("x-canary-version", "v2".into())]));
//! ```

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
// In the module the `Debug` form of values is a trap: it is only there for the text of panics.
#![cfg_attr(not(test), deny(clippy::use_debug))]

mod condition;
mod cookie;
mod cover;
mod current;
mod decide;
mod document;
mod effects;
mod error;
mod facts;
mod guard;
mod header;
mod keys;
pub mod list;
mod matcher;
mod node;
mod rules;
mod schedule;
#[cfg(feature = "schema")]
mod schema;
mod series;
mod slot;
mod time;
mod token;
#[cfg(feature = "tools")]
mod tools;

pub use cookie::{CookieSettings, Kept, Mark, Out, Visitor, VisitorNumber};
pub use current::{Current, Upstream};
#[cfg(feature = "tools")]
pub use decide::{Covered, Explanation, Layer, Outcome, Uncovered, explain, explain_layers};
pub use decide::{Decision, Lessons, Reason, decide};
pub use document::{Parsed, Surroundings};
pub use effects::{Effects, ResponseEffects, private_cache_control};
pub use error::{ConfigError, nearest};
pub use facts::{Facts, Source};
pub use guard::{Change, Counted, Guard, Identity, Ledger, Standing, Tally, Watched, Watchlist, lower_bound, tail};
pub use header::HeaderName;
pub use keys::Keys;
pub use node::{Node, SyntaxError};
pub use rules::{Inbound, Output, OutputHeaders, OutputKind, Rollout, Rules, Version, VersionId};
pub use schedule::{Moment, News, Phase, Said, Schedule};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use series::series;
pub use slot::{Intervals, Place, SLOTS, Share, Slot, SlotKey};
pub use time::{Day, Time};
pub use token::Token;
#[cfg(feature = "tools")]
pub use tools::{
    About, Compared, Coverage, Move, OverrideNames, Sample, Secrets, Segment, Step, Trusts, UnitKind, WARNINGS,
    Warning, When, compare, duration_seconds, review, samples, share_of, span_in_words, steps,
};
