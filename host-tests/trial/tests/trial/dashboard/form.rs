//! The dashboard's file by itself, and where Grafana finds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_dashboard::{Dashboard, Grid, promql};
use serin_trial::FOLDER;

const COLUMNS: u32 = 24;

#[test]
fn panels_have_a_place_a_number_and_words() -> Result<()> {
    let dashboard = Dashboard::of_the_trial()?;
    let panels = &dashboard.panels;
    let unique = |all: Vec<String>| all.len() == all.iter().collect::<BTreeSet<_>>().len();
    assert!(unique(panels.iter().map(|panel| panel.id.to_string()).collect()), "two panels have one number");
    assert!(unique(panels.iter().map(|panel| panel.title.clone()).collect()), "two panels have one title");
    for (at, panel) in panels.iter().enumerate() {
        let Grid { x, w, h, .. } = panel.grid;
        let title = &panel.title;
        assert!(!title.is_empty() && w > 0 && h > 0 && x + w <= COLUMNS, "{title}: {:?}", panel.grid);
        for other in &panels[..at] {
            assert!(!overlap(panel.grid, other.grid), "{title} covers {}", other.title);
        }
        if panel.kind == "row" {
            continue;
        }
        assert!(["stat", "timeseries", "state-timeline"].contains(&&*panel.kind), "{title} is a {}", panel.kind);
        assert!(panel.description.ends_with('.'), "{title}: {}", panel.description);
        assert!(panel.field_config.defaults["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{title}: no unit");
        assert!(!panel.targets.is_empty(), "{title} asks for nothing");
        assert!(unique(panel.targets.iter().map(|target| target.ref_id.clone()).collect()), "{title}: letters");
    }
    Ok(())
}

#[test]
fn queries_name_no_installation() -> Result<()> {
    let dashboard = Dashboard::of_the_trial()?;
    for panel in dashboard.panels.iter().filter(|panel| panel.kind != "row") {
        assert_eq!("${datasource}", panel.datasource.uid, "{}", panel.title);
        for target in &panel.targets {
            assert_eq!("${datasource}", target.datasource.uid, "{}", panel.title);
            for label in ["job", "instance"] {
                let matcher = format!("{label}=~\"${label}\"");
                let selectors = promql::selectors(&dashboard.expand(&target.expr, (60, 60))).len();
                assert_eq!(selectors, target.expr.matches(&matcher).count(), "{}: not each {matcher}", panel.title);
            }
            // What else is asked for by a value is what Envoy and Serin call it everywhere.
            let query = dashboard.expand(&target.expr, (60, 60));
            for selector in promql::selectors(&query) {
                let values: Vec<_> = selector.split('"').skip(1).step_by(2).collect();
                let is_known = |value: &&str| value.starts_with("envoy_") || [".+", "5", "-"].contains(value);
                assert!(values.iter().all(is_known), "{}: {values:?}", panel.title);
            }
        }
    }
    for variable in dashboard.variables().iter().filter(|variable| variable.kind == "query") {
        assert_eq!(("${datasource}", Some(".+")), (&*variable.datasource.uid, variable.all.as_deref()));
    }
    Ok(())
}

#[test]
fn grafana_finds_the_dashboard_and_it_finds_its_data() -> Result<()> {
    let compose = yaml("compose.yaml")?;
    let grafana = &compose["services"]["grafana"];
    let volumes = grafana["volumes"].as_array().context("Grafana has no volumes")?;
    let here = |inside: &str| {
        let mounted = volumes.iter().filter_map(|volume| volume.as_str()?.split_once(':'));
        let mut parts = mounted.map(|(from, to)| (from, to.split_once(':').map_or(to, |(path, _)| path)));
        parts.find_map(|(from, to)| Some(Path::new(FOLDER).join(from).join(Path::new(inside).strip_prefix(to).ok()?)))
    };
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().context("no home")?;
    let file = here(home).with_context(|| format!("{home} is not mounted"))?;
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    assert_eq!((&json!("serin"), &Value::Null), (&dashboard["uid"], &dashboard["id"]));

    let provider = yaml("grafana/provisioning/dashboards/serin.yaml")?;
    let path = provider.pointer("/providers/0/options/path").and_then(Value::as_str).context("no folder")?;
    assert_eq!(here(path).as_deref().map(normal), file.parent().map(normal), "another folder is provisioned");

    let source = &yaml("grafana/provisioning/datasources/prometheus.yaml")?["datasources"][0];
    let variables = dashboard.pointer("/templating/list").and_then(Value::as_array).context("no variables")?;
    let variable = variables.iter().find(|variable| variable["name"] == "datasource").context("no data source")?;
    assert_eq!((&json!("datasource"), &source["type"]), (&variable["type"], &variable["query"]));
    let chosen = &variable["current"]["value"];
    assert!(*chosen == source["uid"] || *chosen == "default" && source["isDefault"] == true, "{chosen} is not there");
    Ok(())
}

fn overlap(one: Grid, other: Grid) -> bool {
    one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h
}

fn yaml(name: &str) -> Result<Value> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join(name)).with_context(|| format!("no {name}"))?;
    serde_saphyr::from_str(&text).with_context(|| format!("{name} is no YAML"))
}

fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}
