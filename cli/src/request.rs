//! A request as a proxy sees it: from options, from a URL, or from a curl line.

mod curl;
mod made;
mod url;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::Method;
use serin_core::{HeaderName, Source};

use crate::failure::Failure;
pub(crate) use url::Url;

/// A request as a proxy sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// In their order, names in lower case, pseudo-headers included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The client's address with its port.
    pub source: Option<String>,
    /// The cluster that the route has chosen.
    pub cluster: Option<String>,
}

impl Source for Request {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let name = known_as(name);
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.into())
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        let name = known_as(name);
        self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        self.source.clone().map(String::into_bytes)
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        self.cluster.clone().map(String::into_bytes)
    }
}

/// Envoy finds `:authority` by the name `host` as well (`source/common/http/header_map_impl.cc`).
fn known_as(name: &str) -> &str {
    if name == "host" { ":authority" } else { name }
}

impl Request {
    /// A header, or pseudo-header, as text.
    pub(crate) fn shown(&self, name: &str) -> String {
        self.header(name).map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default()
    }

    /// Takes the place of all headers of this name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let name = known_as(name);
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// Adds a header; cookies join those that are there, as browsers send them, and there is one host.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let cookies = self.headers.iter_mut().find(|(found, _)| name == "cookie" && found == name);
        match cookies {
            Some((_, line)) => line.extend_from_slice(format!("; {value}").as_bytes()),
            None if name == "host" => self.set(name, value),
            None => self.headers.push((name.to_owned(), value.as_bytes().to_vec())),
        }
    }

    /// Whether there is a cookie of this name.
    pub(crate) fn has_cookie(&self, name: &str) -> bool {
        self.shown("cookie").split(';').any(|pair| pair.split('=').next().is_some_and(|found| found.trim() == name))
    }

    /// Whether there is a parameter of this name in the query string.
    pub(crate) fn has_query(&self, name: &str) -> bool {
        let path = self.shown(":path");
        let query = path.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair.split('=').next() == Some(name))
    }

    /// Adds a parameter to the query string.
    pub(crate) fn add_query(&mut self, name: &str, value: &str) {
        let path = self.shown(":path");
        let mark = if path.contains('?') { '&' } else { '?' };
        self.set(":path", &format!("{path}{mark}{name}={value}"));
    }
}

/// The options that make a request.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RequestArgs {
    /// The whole URL, in place of --host, --path and --scheme; `.` and `..` in its path lead where they do in curl.
    #[arg(long, value_name = "URL", help_heading = "Request", conflicts_with_all = ["host", "path", "scheme"])]
    url: Option<String>,
    /// The host that is asked for.
    #[arg(long, value_name = "HOST", help_heading = "Request")]
    host: Option<String>,
    /// The path, with its query string if it has one [default: /].
    #[arg(long, value_name = "PATH", help_heading = "Request")]
    path: Option<String>,
    /// The method [default: GET].
    #[arg(short = 'X', long, value_name = "METHOD", help_heading = "Request")]
    method: Option<String>,
    /// Whether it comes by http or https; cookies with `secure: auto` depend on it [default: https].
    #[arg(long, value_name = "SCHEME", value_parser = ["http", "https"], help_heading = "Request")]
    scheme: Option<String>,
    /// A header, as in curl; may be given again.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", help_heading = "Request")]
    headers: Vec<String>,
    /// Cookies, as in curl; may be given again.
    #[arg(short = 'b', long = "cookie", value_name = "NAME=VALUE", help_heading = "Request")]
    cookies: Vec<String>,
    /// The client's address, with a port or without.
    #[arg(long, value_name = "ADDRESS", help_heading = "Request")]
    source: Option<String>,
    /// With `split: route`, the cluster that the route's own weights have chosen.
    #[arg(long, value_name = "CLUSTER", help_heading = "Request")]
    cluster: Option<String>,
}

impl RequestArgs {
    /// Whether no option was given.
    pub(crate) fn is_empty(&self) -> bool {
        let of_url = self.url.is_none() && self.host.is_none() && self.path.is_none() && self.method.is_none();
        let of_url = of_url && self.scheme.is_none();
        of_url && self.headers.is_empty() && self.cookies.is_empty() && self.source.is_none() && self.cluster.is_none()
    }

    /// The request, by these options or by a curl line.
    pub(crate) fn request(&self, curl: &[String]) -> Result<Request, Failure> {
        let line = match curl {
            [] => curl::Curl::default(),
            words => curl::Curl::read(words)?,
        };
        let mut request = Request::default();
        request.set(":method", self.method.as_deref().or(line.method.as_deref()).unwrap_or("GET"));
        match (&self.url, &line.url) {
            (_, Some(url)) => {
                self.check_beside(url)?;
                request.set_url(url);
            }
            (None, None) if !curl.is_empty() && self.host.is_none() => {
                return Err(curl::no_url());
            }
            (Some(url), None) => request.set_url(&Url::read(url, "https")?.squashed()),
            (None, None) => {
                request.set(":scheme", self.scheme.as_deref().unwrap_or("https"));
                request.set(":authority", self.host.as_deref().unwrap_or_default());
                request.set(":path", self.path.as_deref().unwrap_or("/"));
            }
        }
        check(&request)?;
        self.add(&mut request, &line)?;
        Ok(request)
    }

    /// The URL of a curl line says it all.
    fn check_beside(&self, url: &Url) -> Result<(), Failure> {
        let parts = [("url", &self.url), ("host", &self.host), ("path", &self.path), ("scheme", &self.scheme)];
        let Some((name, _)) = parts.iter().find(|(_, given)| given.is_some()) else { return Ok(()) };
        let url = url.text();
        Err(Failure::new(format!("--{name} and the curl line, which has {url:?}; expected one of them")))
    }

    /// Whether it is said which host the request goes to.
    pub(crate) fn has_host(&self) -> bool {
        let is_host = |header: &String| header.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("host"));
        self.url.is_some() || self.host.is_some() || self.headers.iter().any(is_host)
    }

    /// A request with what these options say in the place of its own.
    pub(crate) fn onto(&self, mut request: Request) -> Result<Request, Failure> {
        for (name, value) in [(":method", &self.method), (":scheme", &self.scheme), (":path", &self.path)] {
            value.iter().for_each(|value| request.set(name, value));
        }
        check(&request)?;
        self.add(&mut request, &curl::Curl::default())?;
        Ok(request)
    }

    /// Adds what is not in the first line of a request.
    fn add(&self, request: &mut Request, line: &curl::Curl) -> Result<(), Failure> {
        for header in line.headers.iter().chain(&self.headers) {
            add_header(request, header)?;
        }
        for cookies in line.cookies.iter().chain(&self.cookies) {
            if !cookies.contains('=') {
                return Err(Failure::new(format!("{cookies:?} is no cookie; expected 'NAME=VALUE'")));
            }
            request.add("cookie", cookies);
        }
        if let Some(source) = &self.source {
            request.source = Some(address(source)?);
        }
        request.cluster = self.cluster.clone();
        Ok(())
    }
}

/// What no client would send is a slip of who asks.
fn check(request: &Request) -> Result<(), Failure> {
    let (method, host, path) = (request.shown(":method"), request.shown(":authority"), request.shown(":path"));
    let is_text = |text: &str| !text.contains(|character: char| character.is_control() || character == ' ');
    if Method::from_bytes(method.as_bytes()).is_err() {
        return Err(Failure::new(format!("the method is {method:?}; expected one such as GET")));
    }
    if !is_text(&host) || host.contains('/') {
        return Err(Failure::new(format!("the host is {host:?}; expected one such as shop.example.com")));
    }
    if !is_text(&path) || !path.starts_with('/') {
        return Err(Failure::new(format!("the path is {path:?}; expected one that begins with /, without spaces")));
    }
    Ok(())
}

/// A header as curl takes it: `name: value`, `name;` for an empty one, `name:` and nothing behind it for none of the name.
fn add_header(request: &mut Request, header: &str) -> Result<(), Failure> {
    let wrong = || Failure::new(format!("{header:?} is no header; expected 'name: value'"));
    let (name, value) = match (header.split_once(':'), header.strip_suffix(';')) {
        (Some((name, value)), _) => (name, value.trim()),
        (None, Some(name)) => (name, ""),
        (None, None) => return Err(wrong()),
    };
    let name = HeaderName::new(name.trim()).ok_or_else(wrong)?;
    if value.chars().any(|character| character.is_control() && character != '\t') {
        return Err(wrong());
    }
    match name.as_str() {
        "host" => request.set(":authority", value),
        name if value.is_empty() && header.contains(':') => request.headers.retain(|(found, _)| found != name),
        name => request.add(name, value),
    }
    Ok(())
}

/// An address with a port, as the proxy tells it.
fn address(text: &str) -> Result<String, Failure> {
    const ANY_PORT: u16 = 49_152;
    let with_port = text.parse::<SocketAddr>();
    let without = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, ANY_PORT));
    let address = with_port.or(without);
    let wrong =
        |_| Failure::new(format!("{text:?} is no address; expected one such as 192.0.2.7, or [2001:db8::7]:443"));
    address.map(|address| address.to_string()).map_err(wrong)
}
