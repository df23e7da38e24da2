//! Names of metrics, as `manifests/envoy/envoy.yaml` cuts them into Prometheus labels.

/// `serin_<name>`, and `.<label>.<value>` for each label.
#[inline(never)]
pub fn series(name: &str, labels: &[(&str, &str)]) -> String {
    let mut series = String::from("serin_");
    series.push_str(name);
    for part in labels.iter().flat_map(|(label, value)| [label, value]) {
        series.push('.');
        series.push_str(part);
    }
    series
}
