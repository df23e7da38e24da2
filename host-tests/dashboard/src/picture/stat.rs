//! Numbers, or the words for them, in large letters.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::look::{GREY, Look, at, bold, plain, width};
use super::{Area, Series, unit};
use crate::Panel;

/// The largest letters, and the letters of names.
const LARGE: u32 = 30;
const SMALL: u32 = 13;

/// Draws the last value of each series, one below the other, with its name if there is more than one.
pub(super) fn draw(area: &Area<'_>, panel: &Panel, series: &[Series], look: &Look) -> Result<()> {
    let (across, high) = area.dim_in_pixel();
    let (across, high) = (i32::try_from(across)?, i32::try_from(high)?);
    let last = |one: &Series| one.values.last().map(|(_, value)| *value);
    let rows: Vec<_> = series.iter().filter_map(|one| Some((one, last(one)?))).collect();
    let pitch = (high / i32::try_from(rows.len())?).min(40);
    let top = (high - pitch * i32::try_from(rows.len())?) / 2;
    for (row, (one, value)) in rows.iter().enumerate() {
        let text = unit::value(panel, *value);
        let middle = top + pitch * i32::try_from(row)? + pitch / 2;
        let name = if rows.len() > 1 { width(&one.name, SMALL) + 12 } else { 0 };
        let most = u32::try_from((pitch - 6).max(1))?.min(LARGE);
        let size = (SMALL..=most).rev().find(|size| width(&text, *size) <= across - name).unwrap_or(SMALL);
        let style = bold(size, look.value(panel, one, *value));
        if rows.len() > 1 {
            area.draw(&Text::new(one.name.clone(), (0, middle), at(plain(SMALL, GREY), HPos::Left)))?;
            area.draw(&Text::new(text, (across, middle), at(style, HPos::Right)))?;
        } else {
            area.draw(&Text::new(text, (across / 2, middle), at(style, HPos::Center)))?;
        }
    }
    Ok(())
}
