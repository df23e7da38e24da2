//! What a page of the app says about itself.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A page of the app as it stands in the browser.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Page {
    /// The version that each part came from, by the part: `page`, `style`, `script`, `stock`, `details`.
    parts: BTreeMap<String, String>,
    /// What the answer to the last look in the stock says about its decision.
    pub decision: String,
    /// What the page has loaded so far.
    pub loaded: Vec<Loaded>,
}

/// Something that a page has loaded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Loaded {
    /// Where from.
    pub path: String,
    /// With which status.
    pub status: u16,
    /// Whether it was the browser's cache that had it.
    pub cached: bool,
}

impl Page {
    /// Run in the browser, it gives what [`Page::from_value`] reads.
    pub(crate) const SCRIPT: &str = r##"
        const cell = document.querySelector("#decision");
        const parts = [...document.querySelectorAll("[id^=from-]")];
        const loaded = performance.getEntriesByType("resource").map(entry => ({
            path: new URL(entry.name).pathname,
            status: entry.responseStatus,
            cached: entry.transferSize === 0,
        }));
        return {
            parts: Object.fromEntries(parts.map(part => [part.id.slice("from-".length), part.textContent])),
            decision: cell?.textContent ?? "",
            loaded,
        };
    "##;
    /// What the app shows in place of a version as long as nobody has clicked.
    pub(crate) const NOT_ASKED_FOR: &str = "not asked for";

    pub(crate) fn from_value(value: Value) -> Result<Self> {
        let text = value.to_string();
        serde_json::from_value(value).with_context(|| format!("the page says {text}"))
    }

    /// The version that the page itself came from.
    pub fn version(&self) -> &str {
        self.part("page")
    }

    /// The version that a part came from, or what the app shows in its place; empty where there is no such part.
    pub fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    /// The parts that did not come from the page's own version, and what could not be loaded.
    pub fn misfits(&self) -> Vec<String> {
        let fits = |(name, version): &(&String, &String)| {
            *version == self.version() || (*name == "details" && *version == Self::NOT_ASKED_FOR)
        };
        let parts = self.parts.iter().filter(|part| !fits(part)).map(|(name, version)| format!("{name}: {version}"));
        let failed = self.loaded.iter().filter(|loaded| loaded.status != 200);
        parts.chain(failed.map(|loaded| format!("{}: {}", loaded.path, loaded.status))).collect()
    }
}
