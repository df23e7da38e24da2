//! Time as the decision sees it: whole seconds, and the days that cookies hold.

/// So many seconds have a day.
pub(crate) const SECONDS_A_DAY: u32 = 86_400;

/// A moment: whole seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The moment so many seconds after 1970-01-01 UTC.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }

    /// The day that the moment lies in.
    #[inline]
    pub fn day(self) -> Day {
        Day(u32::try_from(self.0 / u64::from(SECONDS_A_DAY)).unwrap_or(u32::MAX))
    }

    /// The moment so many seconds later.
    pub fn plus(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds.into()))
    }

    /// Seconds from `earlier` to this moment; 0 if it is not earlier.
    pub(crate) fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment with up to eleven decimal digits, as cookies and tokens hold it.
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        digits(text, 11).map(Self)
    }
}

/// A day: whole days since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u32);

impl Day {
    /// The day with up to seven decimal digits, as cookies hold it.
    #[inline]
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        digits(text, 7).and_then(|day| u32::try_from(day).ok()).map(Self)
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whole days from `earlier` to this day; 0 if it is not earlier.
    #[inline]
    pub fn days_since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The number that one to `most` decimal digits spell; `most` is small enough that it cannot overflow.
#[inline]
fn digits(text: &[u8], most: usize) -> Option<u64> {
    let sound = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    sound.then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
