//! Values over time, as lines, stacked areas or bars.

use anyhow::Result;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::look::{EDGE, GREY, LINE, Look, TEXT, at, mixed, plain, width};
use super::{Area, Series, Span, unit};
use crate::Panel;

type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

const LABELS: u32 = 11;
const NAMES: u32 = 12;
/// Room for one row of names, for the moments below and between a name and the next.
const NAMES_ROW: i32 = 18;
const MOMENTS: u32 = 20;
const SWATCH: i32 = 16;

/// An axis from zero with a line and a label at each tick.
struct Axis {
    end: f64,
    ticks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "within the picture")]
    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (f64::from(to - from) * value / self.end).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.end
    }
}

/// How the values of a panel are drawn.
struct Style<'a> {
    panel: &'a Panel,
    look: &'a Look,
    span: Span,
    /// Of times: on the scale are the logarithms of seconds.
    logarithmic: bool,
}

/// Draws the chart with the names of its series below.
pub(super) fn draw(area: &Area<'_>, panel: &Panel, series: &[Series], span: Span, look: &Look) -> Result<()> {
    let logarithmic = custom(panel, "/custom/scaleDistribution/type") == "log";
    let style = Style { panel, look, span, logarithmic };
    let series: Vec<_> = series.iter().map(|one| style.scaled(one)).collect();
    let area = names(area, &style, &series)?;
    let stacked = custom(panel, "/custom/stacking/mode") == "normal";
    let bars = custom(panel, "/custom/drawStyle") == "bars";
    let layers = if stacked { stack(&series, span) } else { Vec::new() };
    let most = match layers.last() {
        Some(top) => top.iter().map(|(_, _, high)| *high).fold(0.0, f64::max),
        None => series.iter().flat_map(|one| &one.values).map(|(_, value)| *value).fold(0.0, f64::max),
    };
    let ticks = style.ticks(most);
    let labels = ticks.iter().map(|tick| width(&style.label(*tick), LABELS)).max().unwrap_or_default();
    let seconds = span.to - span.from;
    let free = panel.field_config.defaults["max"].is_null();
    let top = ticks.last().copied().unwrap_or(1.0).max(if free { most * 1.05 } else { most });
    let across = i32::try_from(area.dim_in_pixel().0)? - labels - 6;
    let mut chart = ChartBuilder::on(&area)
        .margin_top(6)
        .margin_right(6)
        .x_label_area_size(MOMENTS)
        .y_label_area_size(labels + 6)
        .build_cartesian_2d(Axis { end: seconds, ticks: moments(seconds, across) }, Axis { end: top, ticks })?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(EDGE)
        .label_style(plain(LABELS, GREY))
        .x_label_formatter(&|x| unit::clock(*x))
        .y_label_formatter(&|y| style.label(*y))
        .draw()?;
    for (one, layer) in series.iter().zip(&layers) {
        draw_layer(&mut chart, layer, style.colour(one), span.step)?;
    }
    let single = if bars { draw_bars } else { draw_line };
    series.iter().filter(|_| !stacked).try_for_each(|one| single(&mut chart, &style, one))
}

/// Writes the names below, as many in a row as there is room for, and gives back what is left above.
fn names<'a>(area: &Area<'a>, style: &Style<'_>, series: &[Series]) -> Result<Area<'a>> {
    let across = i32::try_from(area.dim_in_pixel().0)?;
    let mut places = Vec::new();
    let (mut x, mut row) = (0, 0);
    for one in series {
        let size = SWATCH + 5 + width(&one.name, NAMES) + 12;
        if x > 0 && x + size - 12 > across {
            (x, row) = (0, row + 1);
        }
        places.push((x, row, one));
        x += size;
    }
    let high = i32::try_from(area.dim_in_pixel().1)?;
    let (above, below) = area.split_vertically(high - NAMES_ROW * (row + 1));
    for (x, row, one) in places {
        let y = NAMES_ROW * row + NAMES_ROW / 2;
        let swatch = [(x, y - 2), (x + SWATCH, y + 1)];
        if style.is_dashed(one) {
            for part in [x, x + 6, x + 12] {
                below.draw(&Rectangle::new([(part, y - 1), (part + 3, y + 1)], style.colour(one).filled()))?;
            }
        } else {
            below.draw(&Rectangle::new(swatch, style.colour(one).filled()))?;
        }
        below.draw(&Text::new(one.name.clone(), (x + SWATCH + 5, y), at(plain(NAMES, TEXT), HPos::Left)))?;
    }
    Ok(above)
}

impl Style<'_> {
    /// A series as it is drawn: on a logarithmic scale there is no place for what is not above zero.
    fn scaled(&self, series: &Series) -> Series {
        let mut series = series.clone();
        if self.logarithmic {
            series.values.retain(|(_, value)| *value >= 1.0);
            series.values.iter_mut().for_each(|(_, value)| *value = value.log10());
        }
        series
    }

    fn colour(&self, series: &Series) -> RGBColor {
        self.look.series(self.panel, series)
    }

    fn is_dashed(&self, series: &Series) -> bool {
        self.panel.field_config.setting("/custom/lineStyle", &series.name, &series.letter).is_some()
    }

    /// Round numbers from zero up to the panel's end, or to what is not below the largest value.
    fn ticks(&self, most: f64) -> Vec<f64> {
        let end = self.panel.field_config.defaults["max"].as_f64().unwrap_or(most);
        let end = if end > 0.0 { end } else { 1.0 };
        if self.logarithmic {
            return unit::DURATIONS.map(f64::log10).into_iter().filter(|tick| *tick <= end).collect();
        }
        let power = 10_f64.powf((end / 4.0).log10().floor());
        let is_count = self.unit() == "none";
        let least = if is_count { 1.0 } else { 0.0 };
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| *step >= least && end / step <= 4.001).unwrap_or(1.0);
        let mut ticks = vec![0.0];
        while ticks.last().is_some_and(|last| *last < end * 0.999) {
            ticks.push(ticks.last().copied().unwrap_or_default() + step);
        }
        ticks
    }

    fn label(&self, tick: f64) -> String {
        let value = if self.logarithmic { 10_f64.powf(tick) } else { tick };
        unit::number(value, self.unit(), None)
    }

    fn unit(&self) -> &str {
        self.panel.field_config.defaults["unit"].as_str().unwrap_or_default()
    }
}

fn draw_line(chart: &mut Chart<'_, '_>, style: &Style<'_>, series: &Series) -> Result<()> {
    let line = style.colour(series).stroke_width(2);
    for run in runs(&series.values, style.span.step) {
        if style.is_dashed(series) {
            chart.draw_series(DashedLineSeries::new(run.iter().copied(), 7, 5, line))?;
        } else {
            chart.draw_series(LineSeries::new(run.iter().copied(), line))?;
        }
    }
    Ok(())
}

/// A bar is as wide as its step.
fn draw_bars(chart: &mut Chart<'_, '_>, style: &Style<'_>, series: &Series) -> Result<()> {
    let (half, colour) = (style.span.step / 2.0, style.colour(series));
    let bars = series.values.iter().filter(|(_, value)| *value > 0.0);
    chart.draw_series(
        bars.map(|(moment, value)| Rectangle::new([(moment - half, 0.0), (moment + half, *value)], colour.filled())),
    )?;
    Ok(())
}

/// One layer of a stack.
fn draw_layer(chart: &mut Chart<'_, '_>, layer: &[(f64, f64, f64)], colour: RGBColor, step: f64) -> Result<()> {
    let values: Vec<_> = layer.iter().map(|(moment, _, high)| (*moment, *high)).collect();
    for run in runs(&values, step) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        let below = layer.iter().rev().filter(|(moment, ..)| (first..=last).contains(moment));
        let outline: Vec<_> = run.iter().copied().chain(below.map(|(moment, low, _)| (*moment, *low))).collect();
        chart.draw_series([Polygon::new(outline, mixed(colour, 0.7).filled())])?;
        chart.draw_series(LineSeries::new(run.iter().copied(), colour.stroke_width(1)))?;
    }
    Ok(())
}

/// Each series on top of those before: its moments with its lower and its upper edge.
fn stack(series: &[Series], span: Span) -> Vec<Vec<(f64, f64, f64)>> {
    let mut moments: Vec<f64> = series.iter().flat_map(|one| &one.values).map(|(moment, _)| *moment).collect();
    moments.sort_by(f64::total_cmp);
    moments.dedup_by(|one, other| (*one - *other).abs() < span.step / 2.0);
    let mut edge = vec![0.0; moments.len()];
    let layer = |one: &Series| {
        let at = |moment: f64| one.values.iter().find(|(other, _)| (other - moment).abs() < span.step / 2.0);
        let layer = moments.iter().zip(&mut edge).map(|(moment, edge)| {
            let low = *edge;
            *edge += at(*moment).map_or(0.0, |(_, value)| *value);
            (*moment, low, *edge)
        });
        layer.collect()
    };
    series.iter().map(layer).collect()
}

/// The parts of a series without a gap.
fn runs(values: &[(f64, f64)], step: f64) -> impl Iterator<Item = &[(f64, f64)]> {
    values.chunk_by(move |one, next| next.0 - one.0 < step * 1.5)
}

/// Whole minutes, or halves where there is room.
pub(super) fn moments(seconds: f64, across: i32) -> Vec<f64> {
    let step = [15.0, 30.0, 60.0, 120.0, 300.0].into_iter().find(|step| f64::from(across) * step / seconds > 44.0);
    let step = step.unwrap_or(600.0);
    std::iter::successors(Some(0.0), |moment| Some(moment + step)).take_while(|moment| *moment <= seconds).collect()
}

/// Writes a moment below a place.
pub(super) fn x_axis(area: &Area<'_>, (x, y): (i32, i32), moment: f64) -> Result<()> {
    area.draw(&PathElement::new([(x, y), (x, y + 4)], EDGE))?;
    Ok(area.draw(&Text::new(unit::clock(moment), (x, y + 12), at(plain(LABELS, GREY), HPos::Center)))?)
}

fn custom<'a>(panel: &'a Panel, pointer: &str) -> &'a str {
    panel.field_config.defaults.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default()
}
