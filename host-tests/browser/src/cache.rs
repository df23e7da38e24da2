//! The one thing that `WebDriver` has no command for: a browser that takes nothing from its cache.

use fantoccini::wd::WebDriverCompatibleCommand;
use hyper::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// What takes it to that, in this order: commands of Chromium's own protocol, which chromedriver hands on.
pub(crate) fn disable() -> [Command; 2] {
    [Command("Network.enable", json!({})), Command("Network.setCacheDisabled", json!({"cacheDisabled": true}))]
}

/// A command and its parameters.
#[derive(Debug)]
pub(crate) struct Command(&'static str, Value);

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"cmd": self.0, "params": self.1}).to_string()))
    }
}
