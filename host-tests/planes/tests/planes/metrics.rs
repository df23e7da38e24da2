//! What Prometheus makes of the filter's counters in Istio, where Envoy gives them no labels.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;
use serin_planes::istio::Proxy;

use crate::site::{Control, Site, VISITORS};

/// One rule of `metricRelabelings`, with the action `replace` and the replacement `$1`, as it is where nothing else is said.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Relabeling {
    source_labels: Vec<String>,
    regex: String,
    target_label: String,
}

#[tokio::test]
async fn the_pod_monitor_cuts_names_into_labels() -> Result<()> {
    let files = ["istio/gateway/traffic-extension.yaml", "istio/gateway/http-route.yaml"];
    let site = Site::start(Control::istio(Proxy::gateway().with_istios_statistics())?, &files).await?;
    site.ask(VISITORS, &[("x-canary", "always")]).await?;
    site.ask(VISITORS, &[("x-canary", "v9")]).await?;
    site.until(r"^wasmcustom\.serin_decisions\..*", 2).await?;
    let others = site.plane.running().sum(r"^http\..*downstream_rq_total$").await?;
    assert_eq!(0, others, "Istio keeps little else");
    let rules = relabelings()?;
    for (name, expected) in [
        (
            "serin_decisions_rollout_reviews_version_v2_reason_override",
            "serin_decisions serin_reason=override serin_rollout=reviews serin_version=v2",
        ),
        ("serin_overrides_ignored_rollout_reviews", "serin_overrides_ignored serin_rollout=reviews"),
        ("serin_config_ok_plugin_istio_ingress_serin", "serin_config_ok serin_plugin=istio_ingress_serin"),
    ] {
        let lines = site.plane.running().prometheus(name).await?;
        ensure!(lines.len() == 1, "Envoy has no {name}: {lines:?}");
        assert_eq!(expected, relabeled(&rules, name)?);
    }
    Ok(())
}

fn relabelings() -> Result<Vec<Relabeling>> {
    let text = std::fs::read_to_string(format!("{}/istio/telemetry/pod-monitor.yaml", serin_planes::FOLDER))?;
    let monitor: Value = serde_saphyr::from_str(&text)?;
    let rules = monitor.pointer("/spec/podMetricsEndpoints/0/metricRelabelings").context("there are no rules")?;
    Ok(serde_json::from_value(rules.clone())?)
}

/// The name and the labels that Prometheus makes of a name.
fn relabeled(rules: &[Relabeling], name: &str) -> Result<String> {
    let mut labels = BTreeMap::from([("__name__", name.to_owned())]);
    for Relabeling { source_labels, regex, target_label } in rules {
        ensure!(source_labels == &["__name__"], "{source_labels:?} is not the name");
        // Prometheus wants the whole text to match.
        if let Some(found) = Regex::new(&format!("^(?:{regex})$"))?.captures(&labels["__name__"]) {
            labels.insert(target_label, found[1].to_owned());
        }
    }
    let name = labels.remove("__name__").unwrap_or_default();
    Ok(labels.into_iter().fold(name, |all, (label, value)| format!("{all} {label}={value}")))
}
