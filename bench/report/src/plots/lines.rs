//! Lines over the number of rollouts, both axes logarithmic, with the quartiles as whiskers.

use anyhow::Result;
use plotters::prelude::*;

use crate::markdown::number;
use crate::stats::Spread;

/// One line.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) colour: RGBColor,
    /// Rollouts, and what was measured with so many.
    pub(super) points: Vec<(f64, Spread)>,
}

const SIZE: (u32, u32) = (860, 420);

/// Draws them; `None` if there are no points. A logarithmic scale has no place for what is not above zero.
pub(super) fn lines(title: &str, unit: &str, lines: &[Line]) -> Result<Option<String>> {
    let Some([left, right, low, high]) = ends(lines) else { return Ok(None) };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw(&Text::new(title.to_owned(), (16, 14), ("sans-serif", 18).into_font()))?;
        let x = (left * 0.9..right * 1.2).log_scale();
        let y = (low * 0.7..high * 1.4).log_scale();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(48)
            .margin_right(30)
            .margin_bottom(6)
            .margin_left(8)
            .x_label_area_size(48)
            .y_label_area_size(74)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc("rollouts, or header-match routes")
            .y_desc(unit)
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| number(*y))
            .light_line_style(WHITE)
            .bold_line_style(BLACK.mix(0.15))
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 14))
            .draw()?;
        for Line { name, colour, points } in lines {
            let colour = *colour;
            let drawable = || points.iter().filter(|(x, spread)| *x > 0.0 && spread.low > 0.0);
            let medians = drawable().map(|(x, spread)| (*x, spread.median));
            chart
                .draw_series(LineSeries::new(medians, colour.stroke_width(2)).point_size(3))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(3)));
            let whisker = |(x, spread): &(f64, Spread)| {
                PathElement::new([(*x, spread.low), (*x, spread.high)], colour.stroke_width(1))
            };
            chart.draw_series(drawable().map(whisker))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 14))
            .draw()?;
        root.present()?;
    }
    Ok(Some(svg))
}

/// Left, right, lower and upper end of what can be drawn on logarithmic scales; `None` if nothing can.
fn ends(lines: &[Line]) -> Option<[f64; 4]> {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|(x, spread)| *x > 0.0 && spread.low > 0.0);
    Some([
        points().map(|point| point.0).reduce(f64::min)?,
        points().map(|point| point.0).reduce(f64::max)?,
        points().map(|point| point.1.low).reduce(f64::min)?,
        points().map(|point| point.1.high).reduce(f64::max)?,
    ])
}
