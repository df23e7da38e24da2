//! Chromium without a window, driven through chromedriver, that keeps its cookies from one start to the next, and what the
//! trial's shop shows in it.

mod cache;
mod page;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
pub use fantoccini::cookies::Cookie;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, json};
use serin_trial::{Server, required};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub use page::{Loaded, Page};

/// The programs that a browser is made of.
#[derive(Clone, Debug)]
pub struct Chromium {
    browser: PathBuf,
    driver: PathBuf,
}

impl Chromium {
    /// Those that `CHROMIUM` and `CHROMEDRIVER` name; none, with a line that says so, if one of them is not named.
    pub fn from_env() -> Option<Self> {
        Some(Self { browser: required("CHROMIUM")?, driver: required("CHROMEDRIVER")? })
    }

    /// Starts a browser that has never been anywhere.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(&self) -> Result<Browser> {
        let home = tempfile::Builder::new().prefix("serin-browser-").tempdir()?;
        self.start_in(Home(home)).await
    }

    async fn start_in(&self, home: Home) -> Result<Browser> {
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", home.0.path().join("profile").display()));
        let options = json!({"binary": self.browser, "args": arguments});
        let capabilities = Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let command = |address: SocketAddr| {
            let mut command = Command::new(&self.driver);
            command.arg(format!("--port={}", address.port()));
            // Chromium writes beside its profile as well.
            command.env("HOME", home.0.path()).env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
            Ok(command)
        };
        let log = home.0.path().join("log");
        let driver = Server::start(&log, "/status", |reply| reply.text().contains("ready"), command)
            .await
            .context("chromedriver does not start")?;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://{}", driver.address))
            .await
            .context("Chromium does not start")?;
        Ok(Browser { client, driver, home, programs: self.clone() })
    }
}

/// A running browser with one window. It ends when it is dropped, and what it has kept is gone.
#[derive(Debug)]
pub struct Browser {
    // Dropped in this order: without chromedriver at the other end of its pipe Chromium ends by itself.
    client: Client,
    driver: Server,
    home: Home,
    programs: Chromium,
}

impl Browser {
    /// Goes to a page of the app and waits until it has said where its parts came from.
    ///
    /// # Errors
    /// If the page cannot be loaded, or does not say so within fifteen seconds.
    pub async fn open(&self, address: &str) -> Result<Page> {
        self.client.goto(address).await?;
        self.until("the stock", |page| page.part("stock") != PENDING).await
    }

    /// Loads the page again.
    ///
    /// # Errors
    /// As [`Browser::open`].
    pub async fn reload(&self) -> Result<Page> {
        self.client.refresh().await?;
        self.until("the stock", |page| page.part("stock") != PENDING).await
    }

    /// Clicks on “More about it”, for which the page loads a script that it did not need before.
    ///
    /// # Errors
    /// As [`Browser::open`].
    pub async fn more(&self) -> Result<Page> {
        self.client.find(Locator::Id("more")).await?.click().await?;
        self.until("the details", |page| page.part("details") != Page::NOT_ASKED_FOR).await
    }

    /// Waits until the page has looked in the stock once more.
    ///
    /// # Errors
    /// As [`Browser::open`].
    pub async fn next_look(&self) -> Result<Page> {
        let looks = |page: &Page| page.loaded.iter().filter(|loaded| loaded.path == "/api/stock").count();
        let before = looks(&self.page().await?);
        self.until("another look in the stock", |page| looks(page) > before).await
    }

    async fn page(&self) -> Result<Page> {
        Page::from_value(self.client.execute(Page::SCRIPT, Vec::new()).await?)
    }

    async fn until(&self, what: &str, ready: impl Fn(&Page) -> bool) -> Result<Page> {
        let end = Instant::now() + LIMIT;
        loop {
            let page = self.page().await?;
            if ready(&page) {
                return Ok(page);
            }
            if Instant::now() > end {
                bail!("the page does not show {what} within {LIMIT:?}: {page:?}");
            }
            sleep(POLL).await;
        }
    }

    /// A cookie of the site, with all its attributes.
    ///
    /// # Errors
    /// If there is none of the name.
    pub async fn cookie(&self, name: &str) -> Result<Cookie<'static>> {
        self.client.get_named_cookie(name).await.with_context(|| format!("no cookie {name}"))
    }

    /// Forgets the site's cookies, and is a new visitor.
    ///
    /// # Errors
    /// If chromedriver does not answer.
    pub async fn become_new(&self) -> Result<()> {
        Ok(self.client.delete_all_cookies().await?)
    }

    /// Has every part of a page asked for, also where the browser has it in its cache.
    ///
    /// # Errors
    /// If chromedriver does not answer.
    pub async fn disable_cache(&self) -> Result<()> {
        for command in cache::disable() {
            self.client.issue_cmd(command).await?;
        }
        Ok(())
    }

    /// A picture (PNG) of the page at a size in CSS pixels.
    ///
    /// # Errors
    /// If chromedriver does not answer.
    pub async fn picture(&self, width: u32, height: u32) -> Result<Vec<u8>> {
        // The window has a frame, whose size nobody tells before it is there.
        self.client.set_window_size(width, height).await?;
        let frame =
            self.client.execute("return [outerWidth - innerWidth, outerHeight - innerHeight]", Vec::new()).await?;
        let [more, higher] =
            [&frame[0], &frame[1]].map(|number| number.as_u64().and_then(|number| number.try_into().ok()));
        let (more, higher): (u32, u32) = more.zip(higher).with_context(|| format!("no size of a frame: {frame}"))?;
        self.client.set_window_size(width + more, height + higher).await?;
        Ok(self.client.screenshot().await?)
    }

    /// Ends the browser and starts it again with all that it has kept.
    ///
    /// # Errors
    /// If it leaves a process behind, or cannot be started.
    pub async fn restart(self) -> Result<Self> {
        let Self { client, driver, home, programs } = self;
        end(client, driver, &home).await?;
        programs.start_in(home).await
    }

    /// Ends the browser.
    ///
    /// # Errors
    /// If it leaves a process behind.
    pub async fn quit(self) -> Result<()> {
        let Self { client, driver, home, .. } = self;
        end(client, driver, &home).await
    }

    /// The folder that has all that it writes, and that all of its processes name.
    pub fn folder(&self) -> &Path {
        self.home.0.path()
    }
}

/// Closes the window, upon which Chromium writes its cookies and ends, and then chromedriver.
async fn end(client: Client, driver: Server, home: &Home) -> Result<()> {
    client.close().await?;
    drop(driver);
    home.until_unused()
}

/// The folder of a browser.
#[derive(Debug)]
struct Home(TempDir);

impl Home {
    /// Waits until no process of the browser is left that could write into the folder.
    fn until_unused(&self) -> Result<()> {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let left = processes_that_name(self.0.path())?;
            if left.is_empty() {
                return Ok(());
            }
            if std::time::Instant::now() > end {
                bail!("the browser has ended, and processes of it still run after {LIMIT:?}: {left:?}");
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // An error here has no way out, and what is left is a folder.
        self.until_unused().ok();
    }
}

/// The running processes in whose command line a folder is named.
///
/// # Errors
/// Where there is no `/proc`.
pub fn processes_that_name(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.to_string_lossy();
    let processes = fs::read_dir("/proc").context("there is no /proc")?.filter_map(Result::ok);
    let processes = processes.filter(|process| process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    // One that ends meanwhile, or has ended and is only listed still, has no command line.
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    Ok(lines.filter(|line| line.contains(&*folder)).collect())
}

const ARGUMENTS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    // No name but that of the site is one.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--hide-scrollbars",
    // When chromedriver is killed the pipe closes, and Chromium ends.
    "--remote-debugging-pipe",
];
const PENDING: &str = "…";
const LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(40);
