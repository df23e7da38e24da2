//! The six acts of the demo. Each drives real visitors and writes down what they saw.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use serin_envoy::{Ask, Configuration, Crowd, Traffic};
use tokio::time::interval;

use crate::demo::report::Report;
use crate::demo::site::{BLOG, SHOP, Site};
use crate::progress::{Progress, Step};

/// Plays all acts in order.
pub(crate) async fn play(site: &mut Site, progress: &Progress, report: &mut Report) -> Result<()> {
    let visits = site.visitors() * ROUNDS;
    let step = progress.step(format!("{} visitors come {ROUNDS} times each", site.visitors()));
    step.bar(visits);
    weights(site, &step, report).await?;
    step.done(format!("{visits} requests"));

    let step = progress.step("visitors ask for a version");
    overrides(site, report).await?;
    step.done("");

    let step = progress.step("new rules while traffic flows");
    let before = site.crowd.visits();
    let traffic = site.crowd.keep_visiting();
    let changes = Changes { site, traffic, step, report, total: Total::default() };
    let step = changes.all().await?;
    step.done(format!("{} requests", site.crowd.visits() - before));
    Ok(())
}

/// 1 and 2: the share is the weight, and nobody changes version.
async fn weights(site: &Site, step: &Step, report: &mut Report) -> Result<()> {
    with_bar(&site.crowd, step, site.crowd.visit(ROUNDS)).await?;
    let seen = site.crowd.take_report();
    report.share("1 weight 10: visitors on v2", seen.visitor_share("v2"), 0.10, site.visitors());
    report.share("1 weight 10: requests on v2", seen.request_share("v2"), 0.10, site.visitors());
    report.count("1 weight 10: requests failed", seen.failed, 0, site.visitors() * ROUNDS);
    report.count("2 sticky: changes of version", seen.moves(), 0, seen.answered());
    Ok(())
}

/// 3: who names a version gets it; who names an unknown one gets what he had.
async fn overrides(site: &Site, report: &mut Report) -> Result<()> {
    for (way, name) in [("header", "x-canary"), ("query", "canary"), ("cookie", "canary-override")] {
        let mut reached = 0;
        for version in ["v2", "v1"] {
            let newcomers = site.newcomers(SHOP, SAMPLE)?;
            visit_naming(&newcomers, way, name, version).await?;
            reached += newcomers.take_report().requests_on(version);
        }
        let all = 2 * SAMPLE as u64;
        report.count(&format!("3 override by {way}: named version reached"), reached, all, all);

        let newcomers = site.newcomers(SHOP, SAMPLE)?;
        newcomers.visit(1).await?;
        visit_naming(&newcomers, way, name, "v9").await?;
        let seen = newcomers.take_report();
        let changes = seen.moves() + seen.failed;
        report.count(&format!("3 unknown version by {way}: changes of version"), changes, 0, seen.answered());
    }
    Ok(())
}

/// Every visitor names `version` once.
async fn visit_naming(visitors: &Crowd, way: &str, name: &str, version: &str) -> Result<()> {
    let ask = match way {
        "header" => Ask::path("/").header(name, version),
        "query" => Ask::path(&format!("/?{name}={version}")),
        _ => {
            visitors.set_cookie(name, version).await?;
            Ask::default()
        }
    };
    visitors.visit_as(1, ask).await
}

/// The acts in which Envoy gets new rules while the visitors keep coming.
struct Changes<'a> {
    site: &'a mut Site,
    traffic: Traffic,
    step: Step,
    report: &'a mut Report,
    total: Total,
}

/// The sum of all that was reported in one act; nothing between the first request and the last is left out.
#[derive(Default)]
struct Total {
    answered: u64,
    failed: u64,
    moved_in: u64,
    moved_back: u64,
}

impl Total {
    fn add(&mut self, seen: &serin_envoy::Report) {
        self.answered += seen.answered();
        self.failed += seen.failed;
        self.moved_in += seen.moved("v1", "v2");
        self.moved_back += seen.moved("v2", "v1");
    }
}

impl Changes<'_> {
    /// Plays them, ends the traffic and gives the step back.
    async fn all(mut self) -> Result<Step> {
        self.step.bar(PUSHES);
        self.traffic.round().await?;
        self.ramp().await?;
        self.roll_back().await?;
        self.switch_off().await?;
        self.end_of_act("5");
        self.broken().await?;
        self.one_broken_of_two().await?;

        let Self { site, traffic, step, report, mut total } = self;
        traffic.stop().await?;
        total.add(&site.crowd.take_report());
        report.count("6 requests failed", total.failed, 0, total.answered + total.failed);
        Ok(step)
    }

    /// 4: more weight moves visitors into the canary, and none out.
    async fn ramp(&mut self) -> Result<()> {
        self.push("weight 10 to 30", self.site.with_v2(&json!({"weight": 30}))?).await?;
        let seen = self.round().await?;
        let visitors = self.site.visitors();
        let total = self.end_of_act("4");
        let moved = ratio(total.moved_in, visitors);
        self.report.share("4 ramp 10 to 30: visitors moved v1 to v2", moved, 0.20, visitors);
        self.report.count("4 ramp 10 to 30: visitors moved back", total.moved_back, 0, visitors);
        self.report.share("4 ramp 10 to 30: visitors on v2", seen.visitor_share("v2"), 0.30, visitors);
        Ok(())
    }

    /// 5: a weight of 0 takes everybody off the canary.
    async fn roll_back(&mut self) -> Result<()> {
        let seen = self.push("weight 30 to 0", self.site.with_v2(&json!({"weight": 0}))?).await?;
        self.nobody_left("5 roll-back to 0", &seen).await
    }

    /// 5: so does `off: true`, even those who ask for the version.
    async fn switch_off(&mut self) -> Result<()> {
        let seen = self.push("weight 30 again", self.site.with_v2(&json!({"weight": 30}))?).await?;
        self.report.share("5 weight 30 again: visitors on v2", seen.visitor_share("v2"), 0.30, self.site.visitors());
        let seen = self.push("off", self.site.with_v2(&json!({"weight": 30, "off": true}))?).await?;
        self.nobody_left("5 off", &seen).await?;
        let newcomers = self.site.newcomers(SHOP, SAMPLE)?;
        newcomers.visit_as(1, Ask::path("/").header("x-canary", "v2")).await?;
        let seen = self.take(&newcomers);
        self.report.count("5 off: override reached v2", seen.requests_on("v2"), 0, seen.answered());
        Ok(())
    }

    /// 6: a document with a mistake changes nothing, and the mistake is in the log.
    async fn broken(&mut self) -> Result<()> {
        self.push("weight 30", self.site.with_v2(&json!({"weight": 30}))?).await?;
        let typo = Configuration::Struct(self.site.with_v2(&json!({"wieght": 60}))?);
        let unreadable = Configuration::Text("{\"rollouts\": ".to_owned());
        let documents = [
            ("6 typo in a field", typo, "rollouts.shop.versions.v2.wieght: unknown field; did you mean \"weight\"?"),
            ("6 text that is no document", unreadable, "document: neither JSON nor a Struct"),
        ];
        for (name, rules, message) in documents {
            let known = self.site.envoy.filter_errors()?.len();
            let seen = self.push(name, rules).await?;
            let lines = self.site.envoy.filter_errors()?.split_off(known);
            self.report.logged(&format!("{name}: error"), &lines, message);
            self.report.count(&format!("{name}: changes of version"), seen.moves(), 0, seen.answered());
        }
        Ok(())
    }

    /// 6: a mistake in one rollout holds up no other.
    async fn one_broken_of_two(&mut self) -> Result<()> {
        let shop = |weight: u32| json!({ "weight": weight });
        self.push("two rollouts", self.site.with_blog(&shop(30), &json!(30))?).await?;
        let readers = self.site.newcomers(BLOG, SAMPLE)?;
        let reading = readers.keep_visiting();
        reading.round().await?;

        let known = self.site.envoy.filter_errors()?.len();
        let one_broken = self.site.with_blog(&shop(50), &json!("a lot"))?;
        let seen = self.push("one broken rollout of two", one_broken).await?;
        reading.round().await?;
        reading.stop().await?;
        let lines = self.site.envoy.filter_errors()?.split_off(known);
        let (read, name) = (self.take(&readers), "6 one rollout of two broken");
        self.report.logged(&format!("{name}: error"), &lines, "rollouts.blog.versions.v2.weight: ");
        let share = seen.visitor_share("v2");
        self.report.share(&format!("{name}: other's visitors on v2"), share, 0.50, self.site.visitors());
        self.report.count(&format!("{name}: own changes of version"), read.moves(), 0, read.answered());
        Ok(())
    }

    /// Pushes new rules and tells what the crowd saw from the last report until everybody had come again after it.
    async fn push(&mut self, name: &str, rules: impl Into<Configuration>) -> Result<serin_envoy::Report> {
        self.step.at(name);
        self.site.envoy.push(rules).await?;
        let seen = self.round().await?;
        self.step.inc(1);
        Ok(seen)
    }

    /// What the crowd saw from the last report until everybody had come again.
    async fn round(&mut self) -> Result<serin_envoy::Report> {
        self.traffic.round().await?;
        let seen = self.site.crowd.take_report();
        self.total.add(&seen);
        Ok(seen)
    }

    /// What a smaller crowd saw.
    fn take(&mut self, crowd: &Crowd) -> serin_envoy::Report {
        let seen = crowd.take_report();
        self.total.add(&seen);
        seen
    }

    /// Reports the failures of a whole act; the next one begins to count anew.
    fn end_of_act(&mut self, act: &str) -> Total {
        let total = std::mem::take(&mut self.total);
        self.report.count(&format!("{act} requests failed"), total.failed, 0, total.answered + total.failed);
        total
    }

    /// Nobody is left on `v2`: neither visitors after `seen`, nor a single request after that.
    async fn nobody_left(&mut self, name: &str, seen: &serin_envoy::Report) -> Result<()> {
        let left = seen.visitors_on("v2");
        self.report.count(&format!("{name}: visitors left on v2"), left, 0, self.site.visitors());
        let after = self.round().await?;
        self.report.count(&format!("{name}: later requests on v2"), after.requests_on("v2"), 0, after.answered());
        Ok(())
    }
}

/// Moves the bar while the crowd works.
async fn with_bar(crowd: &Crowd, step: &Step, work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut shown = crowd.visits();
    let mut tick = interval(Duration::from_millis(100));
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = tick.tick() => {
                let visits = crowd.visits();
                step.inc(visits - shown);
                shown = visits;
            }
        }
    }
}

/// How often each visitor comes before anything changes.
const ROUNDS: u64 = 5;
/// Visitors in the smaller trials.
const SAMPLE: usize = 200;
/// How many documents [`Changes`] pushes.
const PUSHES: u64 = 9;

#[expect(clippy::cast_precision_loss, reason = "visitor counts are far below 2^52")]
fn ratio(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}
