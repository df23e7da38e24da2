//! Requests that nobody has sent: made up from a URL, or from what a rollout asks for.

use serin_core::{Rollout, Sample, samples};

use super::{Request, Url, address};

impl Request {
    /// A request for the first page of a host.
    pub(crate) fn default_page(host: &str) -> Self {
        Self::of_sample(&Sample { method: "GET".to_owned(), path: "/".to_owned(), ..Sample::default() }, host)
    }

    /// A request for a page, as a browser sends it that opens a link.
    pub(crate) fn of_url(url: &Url) -> Self {
        let mut request = Self::default();
        request.set(":method", "GET");
        request.set_url(url);
        request
    }

    /// Goes to this page.
    pub(crate) fn set_url(&mut self, url: &Url) {
        self.set(":scheme", &url.scheme);
        self.set(":authority", &url.host);
        self.set(":path", &url.path);
    }

    /// The page that it goes to.
    pub(crate) fn url(&self) -> Url {
        Url {
            scheme: self.shown(":scheme"),
            user: None,
            host: self.shown(":authority"),
            path: self.shown(":path"),
            fragment: String::new(),
        }
    }

    /// Requests that fit the entries of a rollout's `match`: one for each, then one for a page below it, since the page itself
    /// may be another rollout's. Entries that ask for no host get this one.
    pub(crate) fn ways_into(rollout: &Rollout, host: &str) -> Vec<Self> {
        let found = samples(rollout);
        let below =
            |sample: &Sample| Sample { path: format!("{}/page", sample.path.trim_end_matches('/')), ..sample.clone() };
        let below: Vec<Sample> = found.iter().map(below).collect();
        found.iter().chain(&below).map(|sample| Self::of_sample(sample, host)).collect()
    }

    fn of_sample(sample: &Sample, host: &str) -> Self {
        let mut request = Self::default();
        request.set(":method", &sample.method);
        request.set(":scheme", "https");
        request.set(":authority", sample.host.as_deref().unwrap_or(host));
        request.set(":path", &sample.path);
        for (name, value) in &sample.headers {
            request.add(name, value);
        }
        for (name, value) in &sample.cookies {
            request.add("cookie", &format!("{name}={value}"));
        }
        for (name, value) in &sample.query {
            request.add_query(name, value);
        }
        request.source = sample.source.as_deref().and_then(|source| address(source).ok());
        request
    }
}
