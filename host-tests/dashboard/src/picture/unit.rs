//! Numbers with the units that the dashboard gives them.

use super::look::mapping;
use crate::Panel;

/// A value in the words or with the unit of its panel.
pub(super) fn value(panel: &Panel, value: f64) -> String {
    let word = mapping(panel, value).and_then(|mapping| mapping["text"].as_str());
    let unit = panel.field_config.defaults["unit"].as_str().unwrap_or_default();
    let decimals = panel.field_config.defaults["decimals"].as_u64();
    word.map_or_else(|| number(value, unit, decimals), str::to_owned)
}

/// A number with its unit, and with as many decimals as are worth it if it is not said how many.
pub(super) fn number(value: f64, unit: &str, decimals: Option<u64>) -> String {
    match unit {
        "percentunit" => format!("{} %", plain(value * 100.0, decimals)),
        "reqps" => format!("{} req/s", plain(value, decimals)),
        "ms" if value >= 1_000.0 => format!("{} s", plain(value / 1_000.0, decimals)),
        "ms" => format!("{} ms", plain(value, decimals)),
        "s" => duration(value),
        _ => plain(value, decimals),
    }
}

/// Minutes and seconds, as on a clock.
pub(super) fn clock(seconds: f64) -> String {
    let seconds = seconds.round();
    format!("{}:{:02}", (seconds / 60.0).floor(), seconds % 60.0)
}

/// Seconds in a second, a minute, an hour, a day and a year.
pub(super) const DURATIONS: [f64; 5] = [1.0, 60.0, 3_600.0, 86_400.0, 31_557_600.0];

fn duration(seconds: f64) -> String {
    let names = ["s", "min", "h", "d", "y"];
    let (size, name) =
        DURATIONS.into_iter().zip(names).rfind(|(size, _)| seconds >= *size * 0.999).unwrap_or((1.0, "s"));
    format!("{} {name}", plain(seconds / size, None))
}

fn plain(value: f64, decimals: Option<u64>) -> String {
    let is_round = |value: f64| (value - value.round()).abs() < 0.005;
    let worth = || match value.abs() {
        _ if is_round(value) => 0,
        size if size < 1.0 && !is_round(value * 10.0) => 2,
        size => usize::from(size < 10.0),
    };
    let decimals = decimals.and_then(|decimals| usize::try_from(decimals).ok()).unwrap_or_else(worth);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_unit() {
        for (value, unit, decimals, expected) in [
            (0.5, "percentunit", None, "50 %"),
            (0.012, "percentunit", None, "1.2 %"),
            (0.012, "percentunit", Some(0), "1 %"),
            (17.64, "reqps", None, "18 req/s"),
            (0.25, "ms", None, "0.25 ms"),
            (0.1, "reqps", None, "0.1 req/s"),
            (0.05, "reqps", None, "0.05 req/s"),
            (1_500.0, "ms", None, "1.5 s"),
            (45.0, "s", None, "45 s"),
            (105.0, "s", None, "1.8 min"),
            (7_200.0, "s", None, "2 h"),
            (2.3e9, "s", None, "73 y"),
            (3.0, "none", None, "3"),
        ] {
            assert_eq!(expected, number(value, unit, decimals), "{value} {unit}");
        }
        assert_eq!(["0:00", "1:05", "12:00"].map(str::to_owned), [0.0, 64.9, 720.0].map(clock));
    }
}
