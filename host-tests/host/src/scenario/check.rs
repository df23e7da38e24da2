//! What a scenario must not be, although a file can say it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::expected::Expected;
use super::step::{RequestStep, Step};
use super::{Expectation, Scenario};

/// When Envoy's router gives up on an upstream, by default.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(15);

impl Scenario {
    /// # Errors
    /// If nothing could come of it, or not the same in every host.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(!self.about.trim().is_empty(), "`about` says nothing");
        ensure!(
            self.steps.is_empty() || !self.expect.is_of_refusal(),
            "`steps` must be empty where the first configuration is refused: there is nothing that could serve"
        );
        self.steps.iter().enumerate().try_for_each(|(index, step)| match step {
            Step::Request(step) => step.check().with_context(|| format!("step {}", index + 1)),
            _ => Ok(()),
        })
    }
}

impl Expectation {
    fn is_of_refusal(&self) -> bool {
        self.0.get("accepted") == Some(&Expected::is(false))
    }
}

impl RequestStep {
    fn check(&self) -> Result<()> {
        ensure!(self.repeat > 0, "`repeat` is 0; expected at least 1");
        ensure!(
            self.upstream.after < ROUTE_TIMEOUT,
            "`after` is {:?}; expected less than {ROUTE_TIMEOUT:?}, when the route gives up",
            self.upstream.after
        );
        let forwarded = self.request.headers.0.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
        ensure!(!forwarded, "`x-forwarded-for` is what the trusted hop says; expected `source` in its place");
        Ok(())
    }
}
