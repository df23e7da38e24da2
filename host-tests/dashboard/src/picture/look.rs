//! Colours and letters.

use std::collections::BTreeSet;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Series, Shown};
use crate::Panel;

pub(super) const COLUMNS: u32 = 24;
pub(super) const GROUND: RGBColor = RGBColor(243, 244, 246);
pub(super) const EDGE: RGBColor = RGBColor(221, 224, 230);
pub(super) const TEXT: RGBColor = RGBColor(36, 41, 46);
pub(super) const GREY: RGBColor = RGBColor(105, 112, 122);
pub(super) const LINE: RGBColor = RGBColor(232, 234, 238);
const BLUE: RGBColor = RGBColor(47, 109, 178);

/// For series that the dashboard gives no colour of their own; told apart by people who see colours differently, too.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 158, 115),
    RGBColor(123, 97, 168),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(140, 109, 49),
    RGBColor(90, 100, 112),
    RGBColor(107, 142, 35),
];

/// The colours of a picture: a name has one colour in all panels.
pub(super) struct Look(Vec<String>);

impl Look {
    pub(super) fn of(shown: &Shown) -> Self {
        let all = shown.panels.iter().flat_map(|(panel, series)| series.iter().map(move |one| (panel, one)));
        let by_name = all.filter(|(panel, one)| fixed(panel, one).is_none());
        Self(by_name.map(|(_, one)| one.name.clone()).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The colour of a series.
    pub(super) fn series(&self, panel: &Panel, series: &Series) -> RGBColor {
        let of_name = || self.0.iter().position(|name| *name == series.name).unwrap_or_default();
        fixed(panel, series).unwrap_or_else(|| PALETTE[of_name() % PALETTE.len()])
    }

    /// The colour of a value of a series: that of its word, of its threshold, of its size, or the series'.
    pub(super) fn value(&self, panel: &Panel, series: &Series, value: f64) -> RGBColor {
        let defaults = &panel.field_config.defaults;
        let word = mapping(panel, value).and_then(|mapping| mapping["color"].as_str());
        let mode = defaults.pointer("/color/mode").and_then(|mode| mode.as_str()).unwrap_or_default();
        let most = series.values.iter().map(|(_, value)| *value).fold(1.0, f64::max);
        match (word, mode) {
            (Some(word), _) => named(word),
            (None, "thresholds") => {
                let steps = defaults.pointer("/thresholds/steps").and_then(|steps| steps.as_array());
                let is_reached = |step: &&serde_json::Value| step["value"].as_f64().is_none_or(|at| value >= at);
                let reached = steps.into_iter().flatten().rfind(is_reached);
                reached.and_then(|step| step["color"].as_str()).map_or(TEXT, named)
            }
            (None, mode) if mode.starts_with("continuous") => mixed(BLUE, 0.35 + 0.65 * value / most),
            _ => self.series(panel, series),
        }
    }
}

/// What a value is called instead.
pub(super) fn mapping(panel: &Panel, value: f64) -> Option<&serde_json::Value> {
    let mappings = panel.field_config.defaults["mappings"].as_array()?;
    mappings.iter().find_map(|mapping| mapping["options"].get(value.to_string()))
}

fn fixed(panel: &Panel, series: &Series) -> Option<RGBColor> {
    let colour = panel.field_config.setting("/color", &series.name, &series.letter)?;
    (colour["mode"] == "fixed").then(|| colour["fixedColor"].as_str().map_or(TEXT, named))
}

fn named(name: &str) -> RGBColor {
    match name {
        "blue" => BLUE,
        "semi-dark-yellow" => RGBColor(232, 176, 0),
        "green" => RGBColor(58, 145, 72),
        "orange" => RGBColor(230, 126, 20),
        "red" => RGBColor(205, 45, 55),
        _ => TEXT,
    }
}

/// A colour over white.
pub(super) fn mixed(RGBColor(red, green, blue): RGBColor, share: f64) -> RGBColor {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
    let mix = |part: u8| (255.0 - (255.0 - f64::from(part)) * share.clamp(0.0, 1.0)).round() as u8;
    RGBColor(mix(red), mix(green), mix(blue))
}

pub(super) fn plain(size: u32, colour: RGBColor) -> TextStyle<'static> {
    // What plotters calls a size is the height of a line.
    ("Helvetica, Arial, sans-serif", f64::from(size) * 1.24).into_font().color(&colour)
}

pub(super) fn bold(size: u32, colour: RGBColor) -> TextStyle<'static> {
    let font = ("Helvetica, Arial, sans-serif", f64::from(size) * 1.24).into_font().style(FontStyle::Bold);
    font.color(&colour)
}

pub(super) fn at(style: TextStyle<'static>, horizontal: HPos) -> TextStyle<'static> {
    style.pos(Pos::new(horizontal, VPos::Center))
}

/// About how wide a text is: an SVG is drawn by fonts that are not known here.
pub(super) fn width(text: &str, size: u32) -> i32 {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    i32::try_from(letters * size * 58 / 100).unwrap_or(i32::MAX)
}
