//! Bars that lie, one below the other, with the median as a number and the quartiles as whiskers.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::markdown::number;
use crate::stats::Spread;

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: Spread,
    pub(super) colour: RGBColor,
}

const WIDTH: u32 = 860;
/// Room for a bar and the gap to the next.
const PITCH: u32 = 24;
/// Room for the labels at the left, and for the title, the axis and its name above and below.
const LABELS: u32 = 270;
const TITLE: u32 = 44;
const AXIS: u32 = 52;
/// Room for the number behind the longest bar.
const NUMBERS: u32 = 70;

/// Draws them; `None` if there are none.
pub(super) fn bars(title: &str, unit: &str, bars: &[Bar]) -> Result<Option<String>> {
    if bars.is_empty() {
        return Ok(None);
    }
    let mut svg = String::new();
    let height = TITLE + PITCH * u32::try_from(bars.len())? + AXIS;
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw(&Text::new(title.to_owned(), (16, 14), ("sans-serif", 18).into_font()))?;
        draw(&root, unit, bars)?;
        root.present()?;
    }
    Ok(Some(svg))
}

fn draw(root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, unit: &str, bars: &[Bar]) -> Result<()> {
    let longest = bars.iter().map(|bar| bar.value.high).fold(0.0, f64::max);
    let shortest = bars.iter().map(|bar| bar.value.low).fold(0.0, f64::min);
    let end = if longest > 0.0 { longest * 1.02 } else { 1.0 };
    let rows = bars.len() as f64;
    let mut chart = ChartBuilder::on(root)
        .margin_top(TITLE)
        .margin_right(NUMBERS)
        .margin_bottom(4)
        .x_label_area_size(AXIS - 4)
        .margin_left(LABELS)
        .build_cartesian_2d(shortest..end, rows..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_desc(unit)
        .x_label_formatter(&|x| number(*x))
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.15))
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .draw()?;
    let label = ("sans-serif", 13).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
    let value = ("sans-serif", 13).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    for (row, bar) in bars.iter().enumerate() {
        let middle = row as f64 + 0.5;
        let Spread { low, median, high } = bar.value;
        chart
            .plotting_area()
            .draw(&Rectangle::new([(0.0, middle - 0.32), (median, middle + 0.32)], bar.colour.filled()))?;
        let whisker = |from, to| PathElement::new([from, to], BLACK.stroke_width(1));
        if high > low {
            chart.plotting_area().draw(&whisker((low, middle), (high, middle)))?;
            for x in [low, high] {
                chart.plotting_area().draw(&whisker((x, middle - 0.2), (x, middle + 0.2)))?;
            }
        }
        let (right, y) = chart.plotting_area().map_coordinate(&(high.max(median), middle));
        let (left, _) = chart.plotting_area().map_coordinate(&(shortest, middle));
        root.draw(&Text::new(bar.label.clone(), (left - 8, y), label.clone()))?;
        root.draw(&Text::new(number(median), (right + 6, y), value.clone()))?;
    }
    Ok(())
}
