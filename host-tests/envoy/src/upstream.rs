//! Small HTTP servers that stand for the versions of a site.
//!
//! Each answers every request with its own name; a path that ends with `/headers` with the request's headers as a JSON
//! array of `[name, value]` pairs instead. The query can ask for more: `status=503` for another status, `set-cookie=a%3Db`
//! for a cookie of the application, `header=location:%2Fb` for any other header, `echo=x-lane` for a header of the request,
//! and `attempts=3` for status 503 until Envoy says in `x-envoy-attempt-count` that this is the third attempt.
//!
//! A server can be made to fail: see [`Behaviour`], and [`Upstreams::stop`].

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, SET_COOKIE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// The running servers; they stop when this is dropped.
#[derive(Debug)]
pub struct Upstreams {
    servers: BTreeMap<String, Server>,
    tasks: JoinSet<()>,
}

/// How a server treats every request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Behaviour {
    /// As the request asks.
    #[default]
    Answers,
    /// With this status.
    Status(u16),
    /// With a status of 500 for so many of a hundred requests, evenly spread.
    Fails(u64),
    /// As the request asks, after so long.
    Late(Duration),
    /// Not at all, and the connection stays open.
    Never,
    /// It closes the connection instead of an answer.
    Resets,
}

impl Upstreams {
    /// Starts one server per name, each on a free port of 127.0.0.1, inside the current tokio runtime.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(names: &[&str]) -> Result<Self> {
        let mut servers = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for &name in names {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
            let site =
                Arc::new(Site { name: name.to_owned(), requests: AtomicU64::new(0), behaviour: Mutex::default() });
            let address = listener.local_addr()?;
            let task = tasks.spawn(serve(listener, Arc::clone(&site)));
            servers.insert(name.to_owned(), Server { address, site, task });
        }
        Ok(Self { servers, tasks })
    }

    /// Has a server treat requests so from now on.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn set(&self, name: &str, behaviour: Behaviour) -> Result<()> {
        let server = self.servers.get(name).with_context(|| format!("there is no server {name}"))?;
        *server.site.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
        Ok(())
    }

    /// Stops a server: connections end, and new ones are refused.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn stop(&self, name: &str) -> Result<()> {
        self.servers.get(name).with_context(|| format!("there is no server {name}"))?.task.abort();
        Ok(())
    }

    /// Starts a server again that was stopped, where it was.
    ///
    /// # Errors
    /// If there is none of this name, or its port is taken.
    pub async fn start_again(&mut self, name: &str) -> Result<()> {
        let server = self.servers.get_mut(name).with_context(|| format!("there is no server {name}"))?;
        let listener = TcpListener::bind(server.address).await.context("the port is taken")?;
        server.task = self.tasks.spawn(serve(listener, Arc::clone(&server.site)));
        Ok(())
    }

    /// How many requests the server `name` has answered; 0 for a name that there is not.
    pub fn requests(&self, name: &str) -> u64 {
        self.servers.get(name).map_or(0, |server| server.site.requests.load(Ordering::Relaxed))
    }

    /// All names and addresses, by name.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.servers.iter().map(|(name, server)| (name.as_str(), server.address))
    }
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    site: Arc<Site>,
    task: AbortHandle,
}

/// What a server is, whether it runs or not.
#[derive(Debug)]
struct Site {
    name: String,
    requests: AtomicU64,
    behaviour: Mutex<Behaviour>,
}

async fn serve(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    // A listener on loopback fails only for want of file descriptors, which the client sees as a failed request.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer_all(stream, Arc::clone(&site)));
        while connections.try_join_next().is_some() {}
    }
}

async fn answer_all(stream: TcpStream, site: Arc<Site>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| treat(&site, request));
    // Envoy closes its connections as it likes; that is no event here.
    http1::Builder::new().max_headers(MOST_HEADERS).serve_connection(TokioIo::new(stream), service).await.ok();
}

/// More than Envoy passes on, whatever its limit is set to.
const MOST_HEADERS: usize = 8_192;

async fn treat(site: &Site, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let number = site.requests.fetch_add(1, Ordering::Relaxed);
    let behaviour = *site.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
    let mut response = answer(&site.name, &request);
    match behaviour {
        Behaviour::Answers => {}
        Behaviour::Status(status) => set_status(&mut response, &status.to_string()),
        Behaviour::Fails(of_hundred) if number * 37 % 100 < of_hundred => set_status(&mut response, "500"),
        Behaviour::Fails(_) => {}
        Behaviour::Late(time) => sleep(time).await,
        Behaviour::Never => pending().await,
        Behaviour::Resets => return Err(io::ErrorKind::ConnectionReset.into()),
    }
    Ok(response)
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let body = match request.uri().path() {
        path if path.ends_with("/headers") => headers_as_json(request.headers()),
        _ => format!("{name}\n"),
    };
    let mut response = Response::new(Full::from(body));
    for (key, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        match key.as_ref() {
            "status" => set_status(&mut response, &value),
            "set-cookie" => add_header(&mut response, SET_COOKIE.as_str(), &value),
            "header" => add_header_line(&mut response, &value),
            "echo" => add_back(&mut response, request.headers(), &value),
            "attempts" if attempt(request.headers()) < value.parse().unwrap_or(0) => set_status(&mut response, "503"),
            _ => {}
        }
    }
    response
}

fn set_status<B>(response: &mut Response<B>, value: &str) {
    if let Ok(status) = value.parse() {
        *response.status_mut() = status;
    }
}

fn add_header_line<B>(response: &mut Response<B>, line: &str) {
    if let Some((name, value)) = line.split_once(':') {
        add_header(response, name, value);
    }
}

/// Repeated ones apart, as they came.
fn add_back<B>(response: &mut Response<B>, headers: &HeaderMap, name: &str) {
    for value in headers.get_all(name) {
        if let Ok(name) = HeaderName::try_from(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
}

fn add_header<B>(response: &mut Response<B>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.trim().parse()) {
        response.headers_mut().append(name, value);
    }
}

/// Which of Envoy's attempts a request is; 0 if Envoy does not say.
fn attempt(headers: &HeaderMap) -> u32 {
    let count = headers.get("x-envoy-attempt-count").and_then(|count| count.to_str().ok());
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Bytes that are no UTF-8 are shown with replacement characters.
fn headers_as_json(headers: &HeaderMap) -> String {
    let pairs = headers
        .iter()
        .map(|(name, value)| serde_json::json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]));
    serde_json::Value::Array(pairs.collect()).to_string()
}
