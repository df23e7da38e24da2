//! Time as the decision sees it: whole seconds, and the days that cookies hold.

/// So many seconds have a day.
pub(crate) const SECONDS_A_DAY: u32 = 86_400;

/// A moment: whole seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The moment so many seconds after 1970-01-01 UTC.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }

    /// The moment that RFC 3339 §5.6 spells, such as `2026-11-21T09:00:00Z` or `2026-11-21T10:30:00.5+01:30`. A fraction of
    /// a second is dropped. `None` before 1970, and for leap seconds, which no proxy's clock shows.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (moment, zone) = text.as_bytes().split_at_checked("2026-11-21T09:00:00".len())?;
        let part = |from: usize, length: usize| digits(moment.get(from..from + length)?, length);
        let mark = |at: usize| moment.get(at).map(u8::to_ascii_uppercase);
        let marks = [4, 7, 10, 13, 16].map(mark) == [b'-', b'-', b'T', b':', b':'].map(Some);
        let (year, month, day) = (part(0, 4)?, part(5, 2)?, part(8, 2)?);
        let (hour, minute, second) = (part(11, 2)?, part(14, 2)?, part(17, 2)?);
        let next_month = if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
        let today = days_before(year, month) + day.checked_sub(1)?;
        let sound = year >= 1970 && (1..=12).contains(&month) && today < next_month;
        let seconds = clock(hour, minute)? + second;
        let (ahead, behind) = offset(zone)?;
        let local = today * u64::from(SECONDS_A_DAY) + seconds;
        (marks && sound && second < 60).then(|| (local + behind).checked_sub(ahead).map(Self))?
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

/// Seconds since midnight at this time of day.
fn clock(hour: u64, minute: u64) -> Option<u64> {
    (hour < 24 && minute < 60).then_some(hour * 3_600 + minute * 60)
}

/// How many seconds local time is ahead of UTC, and behind it, by what stands after the seconds: a fraction, and `Z` or an
/// offset such as `+01:00`.
fn offset(zone: &[u8]) -> Option<(u64, u64)> {
    let zone = match zone.strip_prefix(b".") {
        None => zone,
        Some(fraction) => {
            let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fraction.get(length..).filter(|_| length > 0)?
        }
    };
    match zone {
        [b'Z' | b'z'] => Some((0, 0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = clock(digits(&[*h1, *h2], 2)?, digits(&[*m1, *m2], 2)?)?;
            Some(if *sign == b'+' { (seconds, 0) } else { (0, seconds) })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to the first of a month, for years from 1970 on; 0 for earlier ones.
fn days_before(year: u64, month: u64) -> u64 {
    // Months are counted from March, so that a leap day is a year's last one and month lengths follow a straight line
    // (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5;
    days.saturating_sub(719_468)
}

/// The number that one to `most` decimal digits spell; `most` is small enough that it cannot overflow.
#[inline]
pub(crate) fn digits(text: &[u8], most: usize) -> Option<u64> {
    let sound = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    sound.then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
