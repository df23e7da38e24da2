//! A Grafana dashboard as it is in its file: its panels, their queries and how they are to be shown.

pub mod picture;
pub mod promql;

use std::path::Path;

use anyhow::{Context, Result};
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;
use serin_trial::{FOLDER, Sample};

/// What is read of a dashboard.
#[derive(Clone, Debug, Deserialize)]
pub struct Dashboard {
    /// Rows, and below each its panels.
    pub panels: Vec<Panel>,
    templating: Templating,
}

/// The variables of a dashboard.
#[derive(Clone, Debug, Deserialize)]
struct Templating {
    list: Vec<Variable>,
}

/// One variable.
#[derive(Clone, Debug, Deserialize)]
pub struct Variable {
    /// Its name, without `$`.
    pub name: String,
    /// `query`, `datasource` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// The query of one of type `query`.
    #[serde(default)]
    pub definition: String,
    /// What it stands for in a query when all of its values are chosen.
    #[serde(default, rename = "allValue")]
    pub all: Option<String>,
    /// Where its query goes.
    #[serde(default)]
    pub datasource: Datasource,
}

/// What a panel, a query or a variable asks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Datasource {
    /// The uid, or a variable that has it.
    pub uid: String,
}

/// One panel, or the title of a row of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    /// Its number in the dashboard.
    pub id: u32,
    /// `row`, `stat`, `timeseries` or `state-timeline`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it shows.
    pub title: String,
    /// What that means, and what to do.
    #[serde(default)]
    pub description: String,
    /// Where it is.
    #[serde(rename = "gridPos")]
    pub grid: Grid,
    /// What it asks.
    #[serde(default)]
    pub datasource: Datasource,
    /// Its queries.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// How values are shown.
    #[serde(default)]
    pub field_config: Fields,
}

/// A place in the grid of 24 columns.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Grid {
    /// Columns from the left.
    pub x: u32,
    /// Rows from above.
    pub y: u32,
    /// Columns.
    pub w: u32,
    /// Rows.
    pub h: u32,
}

/// One query.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its letter.
    pub ref_id: String,
    /// `PromQL`, with variables.
    pub expr: String,
    /// The name of a series, with `{{label}}` for its labels.
    pub legend_format: String,
    /// Whether it is asked for one moment only.
    pub instant: bool,
    /// Where it goes.
    #[serde(default)]
    pub datasource: Datasource,
}

/// How values are shown.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Fields {
    /// How all of them are.
    pub defaults: Value,
    overrides: Vec<Override>,
}

/// What is different for some series.
#[derive(Clone, Debug, Deserialize)]
struct Override {
    matcher: Matcher,
    properties: Vec<Property>,
}

#[derive(Clone, Debug, Deserialize)]
struct Matcher {
    id: String,
    options: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Property {
    id: String,
    value: Value,
}

impl Dashboard {
    /// The trial's dashboard.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn of_the_trial() -> Result<Self> {
        let path = Path::new(FOLDER).join("grafana/dashboards/serin.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no dashboard", path.display()))
    }

    /// Its variables.
    pub fn variables(&self) -> &[Variable] {
        &self.templating.list
    }

    /// The panel with a title.
    ///
    /// # Errors
    /// If there is none.
    pub fn panel(&self, title: &str) -> Result<&Panel> {
        self.panels.iter().find(|panel| panel.title == title).with_context(|| format!("no panel is called {title}"))
    }

    /// A text with the variables' and Grafana's own values in it, all values of each being chosen. `range` is what is
    /// shown, and `rate_interval` what `rate` looks back, both in seconds.
    pub fn expand(&self, text: &str, (range, rate_interval): (u32, u32)) -> String {
        let own = [("__rate_interval", format!("{rate_interval}s")), ("__range", format!("{range}s"))];
        let variables = self.variables().iter().filter_map(|variable| Some((&*variable.name, variable.all.clone()?)));
        // `$job` is also the beginning of `$jobs`.
        let mut values: Vec<_> = own.into_iter().chain(variables).collect();
        values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let mut text = text.to_owned();
        for (name, value) in values {
            text = text.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value);
        }
        text
    }
}

impl Target {
    /// What a series of the answer is called.
    pub fn name(&self, sample: &Sample) -> String {
        let mut name = self.legend_format.clone();
        for (label, value) in &sample.labels {
            name = name.replace(&format!("{{{{{label}}}}}"), value);
        }
        name
    }
}

impl Fields {
    /// The setting at a pointer such as `/custom/lineStyle` for a series of the query with a letter.
    pub fn setting(&self, pointer: &str, series: &str, letter: &str) -> Option<&Value> {
        let id = pointer.trim_start_matches('/').replace('/', ".");
        let matching = self.overrides.iter().filter(|one| one.matcher.matches(series, letter));
        // The last one counts.
        let special = matching.flat_map(|one| &one.properties).rfind(|property| property.id == id);
        special.map(|property| &property.value).or_else(|| self.defaults.pointer(pointer))
    }
}

impl Matcher {
    fn matches(&self, series: &str, letter: &str) -> bool {
        match &*self.id {
            "byFrameRefID" => self.options == letter,
            "byRegexp" => Regex::new(self.options.trim_matches('/').replace("\\/", "/").as_str())
                .is_ok_and(|pattern| pattern.is_match(series)),
            _ => false,
        }
    }
}
