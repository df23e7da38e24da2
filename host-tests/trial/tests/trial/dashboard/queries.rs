//! What is wrong with the queries of a dashboard, as Prometheus has it.

use anyhow::{Context, Result};
use serin_dashboard::{Dashboard, Target, promql};
use serin_trial::{Prometheus, Sample};

use super::{RATE, seconds};

/// Every query that is refused or gives nothing, and every selector that nothing has matched.
pub(super) async fn mistakes(dashboard: &Dashboard, prometheus: &Prometheus, span: (f64, f64)) -> Result<Vec<String>> {
    let mut mistakes = Vec::new();
    for panel in &dashboard.panels {
        for target in &panel.targets {
            let query = dashboard.expand(&target.expr, (seconds(span), RATE));
            let found = match ask(target, &query, prometheus, span).await {
                Err(error) => vec![error.to_string()],
                Ok(samples) if !samples.iter().any(has_number) => vec![format!("no data: {query}")],
                Ok(_) => not_there(&query, prometheus, span).await?,
            };
            mistakes.extend(found.into_iter().map(|mistake| format!("{}: {mistake}", panel.title)));
        }
    }
    for variable in dashboard.variables().iter().filter(|variable| variable.kind == "query") {
        let query = dashboard.expand(&variable.definition, (seconds(span), RATE));
        let (selector, label) = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')')?.rsplit_once(", "))
            .with_context(|| format!("{} asks for no label's values: {query}", variable.name))?;
        let values = prometheus.get(&format!("label/{label}/values"), &[("match[]", selector)]).await?;
        if values.as_array().is_none_or(Vec::is_empty) {
            mistakes.push(format!("{}: no values: {query}", variable.name));
        }
    }
    Ok(mistakes)
}

/// The selectors of a query that no series has matched: an `or` with a zero hides them from the answer.
pub(super) async fn not_there(query: &str, prometheus: &Prometheus, (from, to): (f64, f64)) -> Result<Vec<String>> {
    let [from, to] = [from, to].map(|moment| moment.to_string());
    let mut not_there = Vec::new();
    for selector in promql::selectors(query) {
        let series = prometheus.get("series", &[("match[]", selector), ("start", &from), ("end", &to)]).await?;
        if series.as_array().is_none_or(Vec::is_empty) {
            not_there.push(format!("nothing matches {selector}"));
        }
    }
    Ok(not_there)
}

/// A dashboard with one wrong query does not pass.
pub(super) async fn assert_mistakes_are_found(
    dashboard: &Dashboard,
    prometheus: &Prometheus,
    span: (f64, f64),
) -> Result<()> {
    for (title, right, wrong, said) in [
        ("Decisions by reason", "serin_decisions", "serin_decision", "no data"),
        ("Decisions by reason", "rate(", "rat(", "unknown function"),
        ("Decisions by reason", "serin_rollout=~", "rollout=~", "no data"),
        ("Trips", "serin_guard_trips", "serin_guard_trip", "nothing matches serin_guard_trip{"),
        ("Missing clusters", "serin_missing", "serin_misses", "nothing matches serin_misses{"),
        ("Rejected documents", "serin_config_ok", "serin_config_fine", "nothing matches serin_config_fine{"),
        ("Overrides ignored", "serin_overrides_ignored", "serin_override_ignored", "nothing matches"),
        ("Failures of each cluster", "envoy_response_code_class=\"5\"", "envoy_response_code_class=\"5xx\"", "nothing"),
        ("Updates of the filter", ".+_update_success", ".+_update_succeeded", "no data"),
        ("Share and schedule: $rollout", "/ on (serin_rollout)", "/ on (serin_version)", "no data"),
    ] {
        let mut broken = dashboard.clone();
        let panel = broken.panels.iter_mut().find(|panel| panel.title == title).context(title)?;
        let target = panel.targets.first_mut().context(title)?;
        assert!(target.expr.contains(right), "{title} has no {right}: {}", target.expr);
        target.expr = target.expr.replace(right, wrong);
        let found = mistakes(&broken, prometheus, span).await?;
        let is_found = found.iter().any(|mistake| mistake.starts_with(title) && mistake.contains(said));
        assert!(is_found, "{title} with {wrong}: {found:?}");
    }
    Ok(())
}

async fn ask(target: &Target, query: &str, prometheus: &Prometheus, (from, to): (f64, f64)) -> Result<Vec<Sample>> {
    if target.instant { prometheus.query(query).await } else { prometheus.query_range(query, from, to, 1.0).await }
}

fn has_number(sample: &Sample) -> bool {
    sample.values.iter().any(|(_, value)| value.is_finite())
}
