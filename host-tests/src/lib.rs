//! What the module is asked where its cost is counted (the tests of the budgets) and measured (the benches): one list for
//! both, so that a figure means the same in both.

#![forbid(unsafe_code)]

pub mod budgets;
mod documents;
pub mod runner;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use serin_host::{Exchange, Module, Proxy, ProxyBuilder, Request, Usage, Worker};

pub use documents::{all, shop};

/// A document and a visitor who asks for `/cart` at `example.com`.
pub struct Case {
    /// Short, as results are filed.
    pub name: &'static str,
    /// In words, as `host-tests/budgets.json` has it.
    pub title: &'static str,
    document: Value,
    visitor: Visitor,
    headers: Vec<(&'static str, &'static str)>,
}

/// Who asks.
#[derive(Clone, Copy)]
enum Visitor {
    /// Somebody who brings no cookie.
    New,
    /// Somebody who brings all cookies that came with this version.
    On(&'static str),
}

/// A case in a running proxy.
pub struct Running {
    worker: Worker,
    cookie: Option<String>,
    headers: Vec<(&'static str, &'static str)>,
}

impl Case {
    /// Finds the visitor's cookies in one proxy, and starts another for what is to be counted: nobody has used it yet.
    ///
    /// # Errors
    /// If the module refuses the document, or 10,000 visitors are not enough to find one on the version.
    pub fn start(&self, module: &Module) -> Result<Running> {
        let worker = || anyhow::Ok(start(module, &self.document).with_context(|| self.title.to_owned())?.worker(0));
        let cookie = match self.visitor {
            Visitor::New => None,
            Visitor::On(version) => Some(cookies_of(&worker()?, version).with_context(|| self.title.to_owned())?),
        };
        Ok(Running { worker: worker()?, cookie, headers: self.headers.clone() })
    }
}

impl Running {
    /// The visitor's request, ready to be sent as often as wanted.
    pub fn request(&self) -> Request {
        let request = self.worker.get("/cart").header("accept", "text/html").header("user-agent", "a browser");
        let request = self.cookie.iter().fold(request, |request, cookie| request.header("cookie", cookie));
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// What a request costs: the third, for the first ones grow what is kept for good.
    ///
    /// # Errors
    /// If the VM dies.
    pub fn cost(&self) -> Result<Usage> {
        for _ in 0..2 {
            self.request().send()?;
        }
        Ok(self.request().send()?.usage)
    }

    /// The thread that serves it.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }
}

/// A proxy with one worker that follows the document.
///
/// # Errors
/// If the module refuses the document, or finds a mistake in it.
pub fn start(module: &Module, document: &Value) -> Result<Proxy> {
    let proxy = ProxyBuilder::new(module).plugin_name("serin").start(document.to_string())?;
    ensure!(proxy.gauge("serin_config_ok.plugin.serin") == Some(1), "a mistake in the document: {:?}", proxy.log());
    Ok(proxy)
}

/// All that the response wants a visitor on this version to keep, as a client sends it back.
fn cookies_of(worker: &Worker, wanted: &str) -> Result<String> {
    for _ in 0..10_000 {
        let exchange = worker.get("/cart").send()?;
        if version(&exchange) == wanted {
            return Ok(cookies(&exchange));
        }
    }
    anyhow::bail!("10,000 visitors, and none of them on {wanted}")
}

/// The version that routes see; stable is marked by no header.
fn version(exchange: &Exchange) -> String {
    exchange.request.text("x-canary-version").unwrap_or_else(|| "v1".to_owned())
}

fn cookies(exchange: &Exchange) -> String {
    let lines = exchange.response.all("set-cookie").into_iter().map(String::from_utf8_lossy);
    lines.map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect::<Vec<_>>().join("; ")
}
