//! Pictures of the two versions of the trial's app, for the docs:
//! `cargo run --release -p serin-trial --example screenshot -- docs/images`, with the variables that the tests need.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serin_browser::Chromium;
use serin_trial::{Programs, Trial};

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).context("expected the folder of the pictures")?;
    let programs = Programs::from_env()?.context("NGINX is not set")?;
    let chromium = Chromium::from_env().context("CHROMIUM or CHROMEDRIVER is not set")?;
    let mut trial = Trial::start(&programs).await?;
    let address = format!("http://{}/", trial.address());
    let browser = chromium.start().await?;
    for (version, weight) in [("v1", 0), ("v2", 100)] {
        trial.set_weight(weight).await?;
        browser.open(&address).await?;
        let page = browser.more().await?;
        anyhow::ensure!(page.version() == version && page.misfits().is_empty(), "not a page of {version}: {page:?}");
        let file = folder.join(format!("trial-{version}.png"));
        fs::write(&file, browser.picture(720, 620).await?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    browser.quit().await
}
