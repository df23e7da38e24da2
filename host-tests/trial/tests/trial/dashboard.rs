//! The dashboard and the alerts of the trial, in a Prometheus that has seen what happens to a roll-out.

mod form;
mod queries;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serin_dashboard::Dashboard;
use serin_dashboard::picture::{Shown, Span};
use serin_envoy::{Ask, Connection, Crowd, Visitor};
use serin_trial::{FOLDER, Programs, Prometheus, Trial, required};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

/// How far `rate` looks back: some of the seconds between which Prometheus scrapes here.
const RATE: u32 = 5;
/// Everybody keeps what chance has given, so the shares are as exact as they are many.
const VISITORS: u32 = 1_000;
/// More than none.
const ANY: RangeInclusive<f64> = f64::MIN_POSITIVE..=f64::MAX;
const MOST: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

const ALERTS: [&str; 6] = [
    "SerinDocumentRefused",
    "SerinVersionOut",
    "SerinClusterMissing",
    "SerinUpdateRefused",
    "SerinFilterAbsent",
    "SerinFilterFails",
];

/// The trial while it is watched.
struct Watched {
    trial: Trial,
    prometheus: Prometheus,
    dashboard: Dashboard,
    crowd: Crowd,
    began: f64,
}

#[tokio::test]
async fn everything_that_happens_to_a_roll_out_is_on_the_dashboard() -> Result<()> {
    let Some((programs, prometheus)) = Programs::from_env()?.zip(required("PROMETHEUS")) else { return Ok(()) };
    let trial = Trial::start(&programs).await?;
    let prometheus = Prometheus::start(&prometheus, &trial).await?;
    let crowd = Crowd::new(trial.address(), "shop.example.com", VISITORS.try_into()?, 8)?;
    let dashboard = Dashboard::of_the_trial()?;
    let mut watched = Watched { trial, prometheus, dashboard, crowd, began: now() };

    watched.visit_for_a_rate().await?;
    watched.assert_share(0.1).await?;
    watched.run_the_schedule_to_its_second_step().await?;
    watched.visit_for_a_rate().await?;
    watched.assert_share(0.5).await?;
    let _visitors = watched.trial.visitors(20, Duration::ZERO)?;
    watched.break_and_mend().await?;
    watched.make_a_mistake_and_mend_it().await?;
    watched.lose_a_cluster().await?;
    watched.until("Overrides ignored", "shop", ANY).await?;
    watched.push_what_envoy_refuses().await?;

    watched.assert_shown().await?;
    let span = watched.span();
    let wrong = queries::mistakes(&watched.dashboard, &watched.prometheus, span).await?;
    assert!(wrong.is_empty(), "{wrong:#?}");
    queries::assert_mistakes_are_found(&watched.dashboard, &watched.prometheus, span).await?;
    watched.assert_every_alert_asks_for_what_is_there().await?;
    watched.assert_drawn().await?;
    watched.take_the_filter_out().await
}

impl Watched {
    /// The crowd comes until a rate is of nothing but these visits.
    async fn visit_for_a_rate(&self) -> Result<()> {
        // Envoy's numbers are up to a second old, and so is what was scraped.
        let end = Instant::now() + Duration::from_secs(u64::from(RATE) + 2);
        while Instant::now() < end {
            self.crowd.visit_as(1, Ask::path("/").header("sec-fetch-dest", "document")).await?;
        }
        Ok(())
    }

    /// Whether v2 has a share now that chance gives: within 4.5 standard deviations.
    async fn assert_share(&self, expected: f64) -> Result<()> {
        let now = self.now("Share now").await?;
        let share = *now.get("shop/v2").with_context(|| format!("no share of v2: {now:?}"))?;
        let tolerance = 4.5 * (expected * (1.0 - expected) / f64::from(VISITORS)).sqrt();
        assert!((share - expected).abs() <= tolerance, "{share} is not {expected} ± {tolerance}");
        Ok(())
    }

    /// Moves the start so that the first step, a ramp of two minutes, is over soon, and the second one lasts.
    async fn run_the_schedule_to_its_second_step(&mut self) -> Result<()> {
        self.trial.edit("{weight: 50, for: 1m}", "{weight: 50, for: 1h}").await?;
        let start = OffsetDateTime::now_utc().replace_nanosecond(0)? - Duration::from_secs(112);
        self.trial.edit("2100-01-01T00:00:00Z", &start.format(&Rfc3339)?).await?;
        for step in [1.0, 2.0] {
            self.until("Schedule step", "shop", step..=step).await?;
        }
        Ok(())
    }

    /// One failure, and a scrape that has it: of a series that begins with all its failures no rate can be told.
    async fn fail_once(&self) -> Result<()> {
        self.trial.set_broken("v2", true)?;
        let mut connection = Connection::to(self.trial.address());
        let end = Instant::now() + MOST;
        while Visitor::of("shop.example.com")?.get(&mut connection, "/api/stock", &[]).await?.status != 500 {
            ensure!(Instant::now() < end, "v2 does not fail");
        }
        self.trial.set_broken("v2", false)?;
        for series in [
            r#"envoy_cluster_upstream_rq_xx{envoy_cluster_name="v2",envoy_response_code_class="5"}"#,
            r#"serin_guard_failures{serin_version="v2"}"#,
        ] {
            while self.prometheus.query(series).await?.is_empty() {
                ensure!(Instant::now() < end, "there is no {series} within {MOST:?}");
                sleep(POLL).await;
            }
        }
        Ok(())
    }

    async fn break_and_mend(&self) -> Result<()> {
        self.fail_once().await?;
        self.trial.set_broken("v2", true)?;
        let end = Instant::now() + MOST;
        while self.now("Guard").await?.get("shop/v2") != Some(&2.0) {
            ensure!(Instant::now() < end, "the guard does not take v2 out: {:?}", self.now("Guard").await?);
            self.crowd.visit_as(1, Ask::path("/api/stock").header("sec-fetch-dest", "empty")).await?;
        }
        self.until_alert("SerinVersionOut", "firing").await?;
        self.trial.set_broken("v2", false)
    }

    async fn make_a_mistake_and_mend_it(&mut self) -> Result<()> {
        let (right, wrong) = ("v2: {cluster: v2, weight: 10}", "v2: {cluster: v2, wait: 10}");
        self.trial.edit(right, wrong).await?;
        self.until("Rules document", "serin", 0.0..=0.0).await?;
        self.until_alert("SerinDocumentRefused", "firing").await?;
        self.trial.edit(wrong, right).await?;
        self.until("Rules document", "serin", 1.0..=1.0).await
    }

    async fn lose_a_cluster(&mut self) -> Result<()> {
        let (right, wrong) = ("v2: {cluster: v2, weight: 10}", "v2: {cluster: nowhere, weight: 10}");
        self.trial.edit(right, wrong).await?;
        self.until_alert("SerinClusterMissing", "firing").await?;
        self.trial.edit(wrong, right).await
    }

    async fn push_what_envoy_refuses(&self) -> Result<()> {
        let right = "filename: ";
        ensure!(self.trial.rules().contains(right), "the rules do not name the module by `{right}`");
        let wrong = self.trial.rules().replace(right, "filename: /nowhere");
        self.trial.envoy().replace("serin.yaml", &wrong)?;
        self.until_alert("SerinUpdateRefused", "firing").await?;
        self.until("Updates of the filter", "serin refused", ANY).await
    }

    /// With another filter in its place the metrics of this one are gone.
    async fn take_the_filter_out(&mut self) -> Result<()> {
        let rules = self.trial.rules().to_owned();
        let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        ensure!(rules.contains(wasm), "the rules do not name {wasm}");
        let other = "resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: serin\n  \
                     typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation}\n";
        self.trial.edit(&rules, other).await?;
        self.until_alert("SerinFilterAbsent", "pending").await
    }

    /// What was done is in the panels, each with its lowest and highest value.
    async fn assert_shown(&self) -> Result<()> {
        for (title, series, lowest, highest) in [
            ("Rules document", "serin", 0.0..=0.0, 1.0..=1.0),
            ("Step over time", "shop", 0.0..=0.0, 2.0..=2.0),
            ("Slots by schedule", "shop", 0.1..=0.1, 0.5..=0.5),
            ("Paused over time", "shop", 0.0..=0.0, 0.0..=0.0),
            ("Guard over time", "shop/v2", 0.0..=0.0, 2.0..=2.0),
            ("Trips", "shop/v2", 0.0..=0.0, 1.0..=2.0),
            ("Requests that guards count", "shop/v2 failed", 0.0..=0.0, ANY),
            ("Failed for the guard", "shop/v2", 0.0..=0.0, ANY),
            ("Decisions by reason", "guard", 0.0..=f64::MAX, ANY),
            ("Decisions by reason", "missing", 0.0..=f64::MAX, ANY),
            ("Failures of each cluster", "v1", 0.0..=0.0, 0.0..=0.0),
            ("Failures of each cluster", "v2", 0.0..=0.0, ANY),
            ("Overrides ignored", "shop", 0.0..=0.0, ANY),
            ("Missing clusters", "shop/v2", 0.0..=0.0, ANY),
            ("Missing clusters", "shop/v1", 0.0..=0.0, 0.0..=0.0),
            ("Rejected documents", "serin", 0.0..=0.0, ANY),
            ("Updates of the filter", "serin taken up", 0.0..=0.0, ANY),
            ("Updates of the filter", "serin refused", 0.0..=0.0, ANY),
            ("VMs in an Envoy", "fewest", 4.0..=8.0, 4.0..=8.0),
            ("VMs started again", "serin failed", 0.0..=0.0, 0.0..=0.0),
        ] {
            let shown = self.shown(title).await?;
            let Some(values) = shown.get(series) else { bail!("{title} has no {series}: {:?}", shown.keys()) };
            let [low, high] = [f64::min, f64::max].map(|end| values.iter().copied().reduce(end).unwrap_or(f64::NAN));
            assert!(lowest.contains(&low) && highest.contains(&high), "{title}: {series} is {low} to {high}");
        }
        Ok(())
    }

    /// The picture has every panel, with something in it.
    async fn assert_drawn(&self) -> Result<()> {
        let (from, to) = self.span();
        let shown = Shown::ask(&self.dashboard, &self.prometheus, Span { from, to, step: 1.0, rate: RATE }).await?;
        let svg = shown.draw()?;
        let picture = roxmltree::Document::parse(&svg).map_err(anyhow::Error::msg)?;
        let texts: Vec<_> = picture.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        let titles = shown.panels.iter().map(|(panel, _)| &*panel.title);
        for text in titles.chain(["out", "runs", "shop/v2", "serin refused"]) {
            assert!(texts.contains(&text), "{text} is not drawn");
        }
        assert!(!svg.contains("NaN") && !svg.contains("no data"), "a panel is empty, or a number is none");
        Ok(())
    }

    /// The alerts' queries are held against what is there as the dashboard's are.
    async fn assert_every_alert_asks_for_what_is_there(&self) -> Result<()> {
        let groups = self.prometheus.get("rules", &[]).await?;
        let rules = groups.pointer("/groups/0/rules").and_then(|rules| rules.as_array()).context("no rules")?;
        let names: Vec<_> = rules.iter().filter_map(|rule| rule["name"].as_str()).collect();
        assert_eq!(ALERTS, *names);
        for rule in rules {
            assert_eq!("ok", rule["health"], "{rule}");
            let asked = rule["query"].as_str().context("a rule without a query")?;
            let wrong = queries::not_there(asked, &self.prometheus, self.span()).await?;
            assert!(wrong.is_empty(), "{}: {wrong:?}", rule["name"]);
            for text in ["/annotations/summary", "/annotations/description", "/labels/severity"] {
                assert!(rule.pointer(text).is_some_and(|text| text != ""), "{}: no {text}", rule["name"]);
            }
        }
        Ok(())
    }

    /// The values of a panel now, by series.
    async fn now(&self, title: &str) -> Result<BTreeMap<String, f64>> {
        let mut now = BTreeMap::new();
        for target in &self.dashboard.panel(title)?.targets {
            let query = self.dashboard.expand(&target.expr, (RATE, RATE));
            for sample in self.prometheus.query(&query).await? {
                now.extend(sample.values.last().map(|(_, value)| (target.name(&sample), *value)));
            }
        }
        Ok(now)
    }

    /// The values of a panel since the beginning, by series.
    async fn shown(&self, title: &str) -> Result<BTreeMap<String, Vec<f64>>> {
        let (from, to) = self.span();
        let mut shown: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for target in &self.dashboard.panel(title)?.targets {
            let query = self.dashboard.expand(&target.expr, (seconds((from, to)), RATE));
            for sample in self.prometheus.query_range(&query, from, to, 1.0).await? {
                let values = sample.values.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
                shown.entry(target.name(&sample)).or_default().extend(values);
            }
        }
        Ok(shown)
    }

    /// Waits until a series of a panel has such a value.
    async fn until(&self, title: &str, series: &str, value: RangeInclusive<f64>) -> Result<()> {
        let end = Instant::now() + MOST;
        loop {
            let now = self.now(title).await?;
            if now.get(series).is_some_and(|now| value.contains(now)) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{title} does not have {value:?} for {series} within {MOST:?}: {now:?}");
            sleep(POLL).await;
        }
    }

    async fn until_alert(&self, name: &str, state: &str) -> Result<()> {
        let end = Instant::now() + MOST;
        loop {
            let answer = self.prometheus.get("alerts", &[]).await?;
            let alerts = answer["alerts"].as_array().context("no alerts")?;
            if alerts.iter().any(|alert| alert["labels"]["alertname"] == name && alert["state"] == state) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{name} is not {state} within {MOST:?}: {answer}");
            sleep(POLL).await;
        }
    }

    /// From the beginning until now, in whole seconds, so that there is a value for this very moment.
    fn span(&self) -> (f64, f64) {
        let to = now();
        (to - (to - self.began).ceil(), to)
    }
}

/// What takes long, or what a sound filter does not do, is played to the alerts by `alerts.test.yml`.
#[test]
fn promtool_finds_no_mistake() -> Result<()> {
    let Some(promtool) = required("PROMTOOL") else { return Ok(()) };
    let folder = PathBuf::from(FOLDER).join("prometheus");
    let played = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trial/dashboard/alerts.test.yml");
    for (what, file) in [
        (["check", "rules"], folder.join("alerts.yml")),
        (["check", "config"], folder.join("prometheus.yml")),
        (["test", "rules"], played),
    ] {
        let output = Command::new(&promtool).args(what).arg(&file).output()?;
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{}: {said}", file.display());
    }
    Ok(())
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn seconds((from, to): (f64, f64)) -> u32 {
    Duration::from_secs_f64(to - from).as_secs().try_into().unwrap_or(u32::MAX)
}
