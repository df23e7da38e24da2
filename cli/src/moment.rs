//! Moments as people write and read them.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serin_core::Time;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(Time);

impl Moment {
    pub(crate) fn now() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self(Time::from_unix_seconds(seconds))
    }

    pub(crate) fn of(time: Time) -> Self {
        Self(time)
    }

    pub(crate) fn time(self) -> Time {
        self.0
    }
}

impl FromStr for Moment {
    type Err = String;

    /// As a schedule has it, or `now`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::now());
        }
        let expected = "expected a moment such as 2026-11-26T09:00:00Z or 2026-11-26T10:00:00+01:00, or now";
        Time::from_rfc3339(text).map(Self).ok_or_else(|| expected.to_owned())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.unix_seconds()).unwrap_or(i64::MAX);
        let text = OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|moment| moment.format(&Rfc3339).ok());
        // Beyond the year 9999 RFC 3339 has no words.
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "second {seconds} after 1970"),
        }
    }
}
