//! A dashboard as one SVG, drawn from what its own queries give: its panels where its grid has them.

mod chart;
mod look;
mod stat;
mod timeline;
mod unit;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

use serin_trial::Prometheus;

use crate::{Dashboard, Grid, Panel};
use look::{Look, bold, plain};

/// What a dashboard shows: each panel with what its queries gave.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The panels, rows among them.
    pub panels: Vec<(Panel, Vec<Series>)>,
    /// The time that is shown, from its beginning to its end.
    pub span: Span,
}

/// A time, in seconds since 1970, and the seconds from one value to the next.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// From one value to the next.
    pub step: f64,
    /// How far `rate` looks back.
    pub rate: u32,
}

/// One series of a panel.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the panel calls it.
    pub name: String,
    /// The letter of its query.
    pub letter: String,
    /// Its values with the seconds since the beginning of what is shown; numbers all of them.
    pub values: Vec<(f64, f64)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Shown {
    /// What Prometheus gives for all panels. What a panel asks for one moment is asked for this one.
    ///
    /// # Errors
    /// If a query is refused.
    pub async fn ask(dashboard: &Dashboard, prometheus: &Prometheus, span: Span) -> Result<Self> {
        let rollouts = prometheus.get("label/serin_rollout/values", &[]).await?;
        let rollouts: Vec<_> = rollouts.as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
        let mut panels = Vec::new();
        for panel in &dashboard.panels {
            let mut series = Vec::new();
            for target in &panel.targets {
                let query = dashboard.expand(&target.expr, (whole(span.to - span.from), span.rate));
                let samples = match target.instant {
                    true => prometheus.query(&query).await?,
                    false => prometheus.query_range(&query, span.from, span.to, span.step).await?,
                };
                series.extend(samples.into_iter().map(|sample| {
                    let name = target.name(&sample);
                    let values = sample.values.into_iter().filter(|(_, value)| value.is_finite());
                    let values = values.map(|(moment, value)| (moment - span.from, value)).collect();
                    Series { name, letter: target.ref_id.clone(), values }
                }));
            }
            series.sort_by(|one, other| (&one.letter, &one.name).cmp(&(&other.letter, &other.name)));
            let mut panel = panel.clone();
            panel.title = panel.title.replace("$rollout", &rollouts.join(", "));
            panels.push((panel, series));
        }
        Ok(Self { panels, span })
    }

    /// The picture.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn draw(&self) -> Result<String> {
        let mut svg = String::new();
        let rows = self.panels.iter().map(|(panel, _)| panel.grid.y + panel.grid.h).max().unwrap_or_default();
        {
            let size = (2 * MARGIN + look::COLUMNS * COLUMN, 2 * MARGIN + rows * ROW + FOOT);
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            root.fill(&look::GROUND)?;
            let look = Look::of(self);
            for (panel, series) in &self.panels {
                self.draw_panel(&place(&root, panel.grid), panel, series, &look)?;
            }
            let foot = i32::try_from(size.1 - MARGIN)? - 12;
            root.draw(&Text::new(SAID, (14, foot), plain(12, look::GREY)))?;
            root.present()?;
        }
        Ok(svg)
    }

    fn draw_panel(&self, area: &Area<'_>, panel: &Panel, series: &[Series], look: &Look) -> Result<()> {
        let (width, height) = area.dim_in_pixel();
        let title = panel.title.clone();
        if panel.kind == "row" {
            return Ok(area.draw(&Text::new(title, (2, i32::try_from(height)? - 17), bold(16, look::TEXT)))?);
        }
        let corners = [(0, 0), (i32::try_from(width)? - 1, i32::try_from(height)? - 1)];
        area.draw(&Rectangle::new(corners, WHITE.filled()))?;
        area.draw(&Rectangle::new(corners, look::EDGE.stroke_width(1)))?;
        area.draw(&Text::new(title, (10, 9), bold(13, look::TEXT)))?;
        let inside = area.margin(TITLE, 6, 10, 10);
        if series.iter().all(|series| series.values.is_empty()) {
            let none = panel.field_config.defaults["noValue"].as_str().unwrap_or("no data");
            return Ok(inside.draw(&Text::new(none.to_owned(), (0, 10), plain(13, look::GREY)))?);
        }
        match &*panel.kind {
            "stat" => stat::draw(&inside, panel, series, look),
            "state-timeline" => timeline::draw(&inside, panel, series, self.span, look),
            _ => chart::draw(&inside, panel, series, self.span, look),
        }
    }
}

/// The part of the picture that a place in the grid is, less a gap.
fn place<'a>(root: &Area<'a>, grid: Grid) -> Area<'a> {
    let edge = |cells: u32, size: u32| i32::try_from(MARGIN + cells * size).unwrap_or(i32::MAX);
    let (x, y) = (edge(grid.x, COLUMN), edge(grid.y, ROW));
    let (right, below) = (edge(grid.x + grid.w, COLUMN), edge(grid.y + grid.h, ROW));
    root.clone().shrink((x + GAP, y + GAP), (right - x - 2 * GAP, below - y - 2 * GAP))
}

fn whole(seconds: f64) -> u32 {
    std::time::Duration::from_secs_f64(seconds).as_secs().try_into().unwrap_or(u32::MAX)
}

/// What the picture is, wherever it is shown.
const SAID: &str = "Drawn from a real run, by the titles and queries of the dashboard; not a screenshot of Grafana. Times are \
                    minutes from the beginning.";

/// Pixels of a column and a row of the grid, between panels, around all of them, for a panel's title and below.
const COLUMN: u32 = 50;
const ROW: u32 = 30;
const GAP: i32 = 4;
const MARGIN: u32 = 10;
const TITLE: u32 = 30;
const FOOT: u32 = 20;
