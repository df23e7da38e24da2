//! Draws the trial's dashboard from a roll-out that is played in four minutes of real time:
//! `cargo run --release -p serin-trial --example picture -- docs/images/dashboard.svg`.
//!
//! It needs the programs that the tests of this crate need, in the same variables.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serin_dashboard::Dashboard;
use serin_dashboard::picture::{Shown, Span};
use serin_trial::{Programs, Prometheus, Trial, required};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep, sleep_until};

/// What happens, by the second. The schedule's ramp takes two minutes from its start.
const MISTAKE: u64 = 15;
const MENDED: u64 = 30;
const START: u64 = 45;
const BROKEN: u64 = 75;
const WHOLE: u64 = 95;
/// In the last seconds of the schedule's second step.
const END: u64 = 220;

/// How far `rate` looks back, in seconds.
const RATE: u32 = 15;

const RIGHT: &str = "v2: {cluster: v2, weight: 10}";
const WRONG: &str = "v2: {cluster: v2, wait: 10}";

#[tokio::main]
async fn main() -> Result<()> {
    let file = std::env::args_os().nth(1).map(PathBuf::from).context("name the file to write")?;
    let programs = Programs::from_env()?.zip(required("PROMETHEUS"));
    let (programs, prometheus) = programs.context("a program is not there")?;
    let mut trial = Trial::start(&programs).await?;
    let prometheus = Prometheus::start(&prometheus, &trial).await?;
    let _visitors = trial.visitors(200, Duration::from_millis(20))?;
    // From the beginning on there is enough behind each moment for a rate.
    sleep(Duration::from_secs(RATE.into()) + Duration::from_secs(5)).await;

    let (began, from) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64());
    let second = |second| sleep_until(began + Duration::from_secs(second));
    second(MISTAKE).await;
    trial.edit(RIGHT, WRONG).await?;
    second(MENDED).await;
    trial.edit(WRONG, RIGHT).await?;
    second(START).await;
    let now = OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?;
    trial.edit("2100-01-01T00:00:00Z", &now).await?;
    second(BROKEN).await;
    trial.set_broken("v2", true)?;
    second(WHOLE).await;
    trial.set_broken("v2", false)?;
    second(END).await;

    let to = from + began.elapsed().as_secs_f64();
    let span = Span { from, to, step: 2.0, rate: RATE };
    let shown = Shown::ask(&Dashboard::of_the_trial()?, &prometheus, span).await?;
    std::fs::write(&file, shown.draw()?).with_context(|| format!("cannot write {}", file.display()))
}
