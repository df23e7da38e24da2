//! States over time, as bars with the words for them.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::chart::{moments, x_axis};
use super::look::{GREY, Look, TEXT, at, mixed, plain, width};
use super::{Area, Series, Span, unit};
use crate::Panel;

const NAMES: u32 = 12;
/// The highest that a bar may be, and the room for the names of moments.
const BAR: i32 = 44;
const AXIS: i32 = 22;

/// Draws a bar for each series, with a part for each of its states.
pub(super) fn draw(area: &Area<'_>, panel: &Panel, series: &[Series], span: Span, look: &Look) -> Result<()> {
    let (across, high) = area.dim_in_pixel();
    let (across, high) = (i32::try_from(across)?, i32::try_from(high)?);
    let left = series.iter().map(|one| width(&one.name, NAMES)).max().unwrap_or_default() + 8;
    let seconds = span.to - span.from;
    #[expect(clippy::cast_possible_truncation, reason = "within the picture")]
    let x = |second: f64| left + (f64::from(across - left) * (second / seconds).clamp(0.0, 1.0)) as i32;
    let pitch = (high - AXIS) / i32::try_from(series.len())?;
    for (row, one) in series.iter().enumerate() {
        let middle = pitch * i32::try_from(row)? + pitch / 2;
        let half = (pitch * 2 / 5).min(BAR / 2);
        area.draw(&Text::new(one.name.clone(), (0, middle), at(plain(NAMES, GREY), HPos::Left)))?;
        for (from, to, value) in states(&one.values, span.step) {
            let colour = look.value(panel, one, value);
            let (start, end) = (x(from), x(to).max(x(from) + 1));
            area.draw(&Rectangle::new([(start, middle - half), (end, middle + half)], mixed(colour, 0.75).filled()))?;
            let word = unit::value(panel, value);
            if width(&word, NAMES) < end - start {
                area.draw(&Text::new(word, ((start + end) / 2, middle), at(plain(NAMES, TEXT), HPos::Center)))?;
            }
        }
    }
    for moment in moments(seconds, across - left) {
        x_axis(area, (x(moment), high - AXIS), moment)?;
    }
    Ok(())
}

/// Runs of one value, from their beginning to the beginning of the next; a gap ends one.
fn states(values: &[(f64, f64)], step: f64) -> Vec<(f64, f64, f64)> {
    let mut states: Vec<(f64, f64, f64)> = Vec::new();
    for &(moment, value) in values {
        match states.last_mut() {
            Some((_, to, same)) if *same == value && moment - *to < step / 2.0 => *to = moment + step,
            _ => states.push((moment, moment + step, value)),
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_runs_of_one_value_without_a_gap() {
        let values = [(0.0, 0.0), (2.0, 0.0), (4.0, 2.0), (10.0, 2.0), (12.0, 2.0)];
        assert_eq!(vec![(0.0, 4.0, 0.0), (4.0, 6.0, 2.0), (10.0, 14.0, 2.0)], states(&values, 2.0));
    }
}
