//! Upstreams that answer as they are told and tell what they saw, for many clients' requests at the same time.
//!
//! Which script a request is for stands in the header [`Scripted::HEADER`], which Envoy's router has to add: filters and
//! clients do not see it. They speak HTTP/2 with prior knowledge.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::message::{Chunks, Pairs, pairs};

/// Running upstreams; they stop when this is dropped.
#[derive(Debug)]
pub struct Scripted {
    addresses: BTreeMap<String, SocketAddr>,
    scripts: Arc<Scripts>,
    _tasks: JoinSet<()>,
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub chunks: Vec<Vec<u8>>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// How long it takes from the end of the request.
    pub after: Duration,
    /// Whether the stream is reset instead.
    pub resets: bool,
}

/// What an upstream saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The upstream's name.
    pub upstream: String,
    /// Headers, with `:method`, `:path`, `:authority` and `:scheme`, and without [`Scripted::HEADER`].
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Scripted {
    /// The header that names a request's script.
    pub const HEADER: &str = "x-script-of-this-request";

    /// Starts an upstream for each name, on free ports of 127.0.0.1, inside the current tokio runtime.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self> {
        let scripts = Arc::new(Scripts::default());
        let mut addresses = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for name in names {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
            addresses.insert(name.to_owned(), listener.local_addr()?);
            tasks.spawn(serve(listener, Arc::from(name), Arc::clone(&scripts)));
        }
        Ok(Self { addresses, scripts, _tasks: tasks })
    }

    /// The address of each upstream, by name.
    pub fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// Has requests of this script answered so from now on, and forgets those that it saw.
    pub fn tell(&self, script: &str, answer: Answer) {
        self.scripts.all().insert(script.to_owned(), Script { answer, ..Script::default() });
    }

    /// What was seen of a script's requests since it was told.
    pub fn seen(&self, script: &str) -> Vec<Seen> {
        self.scripts.all().get(script).map(|script| script.seen.clone()).unwrap_or_default()
    }

    /// Waits until a request of a script was seen.
    pub async fn until_seen(&self, script: &str) {
        let Some(arrived) = self.scripts.all().get(script).map(|script| Arc::clone(&script.arrived)) else { return };
        arrived.notified().await;
    }
}

#[derive(Debug, Default)]
struct Scripts(Mutex<BTreeMap<String, Script>>);

#[derive(Debug, Default)]
struct Script {
    answer: Answer,
    seen: Vec<Seen>,
    arrived: Arc<Notify>,
}

impl Scripts {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Script>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was seen, and tells what to answer.
    fn note(&self, script: &str, seen: Seen) -> Option<Answer> {
        let mut all = self.all();
        let script = all.get_mut(script)?;
        script.seen.push(seen);
        script.arrived.notify_one();
        Some(script.answer.clone())
    }
}

async fn serve(listener: TcpListener, name: Arc<str>, scripts: Arc<Scripts>) {
    let mut connections = JoinSet::new();
    // A listener on loopback fails only for want of file descriptors, which the client sees as a failed request.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer_all(stream, Arc::clone(&name), Arc::clone(&scripts)));
        while connections.try_join_next().is_some() {}
    }
}

async fn answer_all(stream: TcpStream, name: Arc<str>, scripts: Arc<Scripts>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| answer(Arc::clone(&name), Arc::clone(&scripts), request));
    // Envoy closes its connections as it likes; that is no event here.
    http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
}

async fn answer(name: Arc<str>, scripts: Arc<Scripts>, request: Request<Incoming>) -> io::Result<Response<Chunks>> {
    let (script, seen) = read(&name, request).await?;
    let unknown = || Answer { status: 500, ..Answer::default() };
    let answer = scripts.note(&script, seen).unwrap_or_else(unknown);
    sleep(answer.after).await;
    if answer.resets {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    respond(answer).map_err(io::Error::other)
}

async fn read(name: &str, request: Request<Incoming>) -> io::Result<(String, Seen)> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let mut headers: Pairs = vec![(":method".to_owned(), parts.method.as_str().as_bytes().to_vec())];
    let path = parts.uri.path_and_query().map(|path| path.as_str().as_bytes().to_vec());
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes().to_vec());
    let scheme = parts.uri.scheme_str().map(|scheme| scheme.as_bytes().to_vec());
    for (name, value) in [(":path", path), (":authority", authority), (":scheme", scheme)] {
        headers.extend(value.map(|value| (name.to_owned(), value)));
    }
    let script =
        parts.headers.get(Scripted::HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    headers.extend(pairs(&parts.headers).into_iter().filter(|(name, _)| name != Scripted::HEADER));
    let trailers = body.trailers().map(pairs).unwrap_or_default();
    let seen = Seen { upstream: name.to_owned(), headers, body: body.to_bytes().to_vec(), trailers };
    Ok((script.unwrap_or_default(), seen))
}

fn respond(answer: Answer) -> Result<Response<Chunks>> {
    let mut response = Response::new(Chunks::new(answer.chunks, &answer.trailers)?);
    *response.status_mut() = StatusCode::from_u16(answer.status)?;
    for (name, value) in answer.headers {
        response.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::from_bytes(&value)?);
    }
    Ok(response)
}
