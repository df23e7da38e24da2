//! One whole message each way: headers in bytes, a body in chunks, trailers, over HTTP/1.1 or HTTP/2 with prior knowledge.
//!
//! A connection serves one request, so that each meets whatever Envoy has taken up by then.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as Waker, Poll};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, TRAILER};
use hyper::{Method, Request, Response, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Headers or trailers, in order.
pub(crate) type Pairs = Vec<(String, Vec<u8>)>;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The method.
    pub method: String,
    /// `http` or `https`, as the client claims.
    pub scheme: String,
    /// The host.
    pub host: Vec<u8>,
    /// The path with its query.
    pub path: Vec<u8>,
    /// Further headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub chunks: Vec<Vec<u8>>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// A response, read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// Sends a message on a connection of its own, and reads the answer. `None` if the other side closes instead of one.
///
/// # Errors
/// If the connection cannot be made, if the message has no form in this version of HTTP, or if the answer takes longer than
/// thirty seconds.
pub async fn send(address: SocketAddr, http: Http, message: &Message) -> Result<Option<Received>> {
    let request = message.request(http)?;
    let talk = async {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        match exchange(TokioIo::new(stream), http, request).await {
            Ok(response) => read(response).await,
            Err(_) => Ok(None),
        }
    };
    timeout(LIMIT, talk).await.with_context(|| format!("{address} did not answer within {LIMIT:?}"))?
}

const LIMIT: Duration = Duration::from_secs(30);

async fn exchange(io: TokioIo<TcpStream>, http: Http, request: Request<Chunks>) -> hyper::Result<Response<Incoming>> {
    // An error of the connection reaches the request that waits on it; the task has nobody else to tell. It ends with the
    // request's sender or body, whichever is dropped last.
    match http {
        Http::One => {
            let (mut sender, connection) = http1::handshake(io).await?;
            tokio::spawn(async move { connection.await.ok() });
            sender.send_request(request).await
        }
        Http::Two => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(async move { connection.await.ok() });
            sender.send_request(request).await
        }
    }
}

async fn read(response: Response<Incoming>) -> Result<Option<Received>> {
    let (parts, body) = response.into_parts();
    let Ok(whole) = body.collect().await else { return Ok(None) };
    let trailers = whole.trailers().map(pairs).unwrap_or_default();
    let body = whole.to_bytes().to_vec();
    Ok(Some(Received { status: parts.status.as_u16(), headers: pairs(&parts.headers), body, trailers }))
}

impl Message {
    fn request(&self, http: Http) -> Result<Request<Chunks>> {
        let mut request = Request::new(Chunks::new(self.chunks.clone(), &self.trailers)?);
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).context("this is no method")?;
        let path = Bytes::from(self.path.clone());
        match http {
            Http::One => {
                *request.uri_mut() = Uri::from_maybe_shared(path).context("this path cannot be sent")?;
                request.headers_mut().append(HOST, value(&self.host)?);
                let named: Vec<&str> = self.trailers.iter().map(|(name, _)| name.as_str()).collect();
                if !named.is_empty() {
                    request.headers_mut().append(TRAILER, value(named.join(", ").as_bytes())?);
                }
            }
            Http::Two => {
                let uri = Uri::builder().scheme(self.scheme.as_str()).authority(self.host.as_slice());
                let uri = uri.path_and_query(self.path.as_slice()).build();
                *request.uri_mut() = uri.context("this host and path cannot be sent over HTTP/2")?;
                *request.version_mut() = Version::HTTP_2;
            }
        }
        for (name, text) in &self.headers {
            request.headers_mut().append(HeaderName::try_from(name.as_str())?, value(text)?);
        }
        Ok(request)
    }
}

fn value(bytes: &[u8]) -> Result<HeaderValue> {
    HeaderValue::from_bytes(bytes).with_context(|| format!("{:?} cannot be sent", String::from_utf8_lossy(bytes)))
}

/// Names and values in order; those of one name stand together.
pub(crate) fn pairs(headers: &HeaderMap) -> Pairs {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// A body of known chunks, and trailers.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    frames: VecDeque<Frame<Bytes>>,
}

impl Chunks {
    pub(crate) fn new(chunks: Vec<Vec<u8>>, trailers: &[(String, Vec<u8>)]) -> Result<Self> {
        let mut frames: VecDeque<_> = chunks.into_iter().map(|chunk| Frame::data(Bytes::from(chunk))).collect();
        if !trailers.is_empty() {
            let mut map = HeaderMap::new();
            for (name, text) in trailers {
                map.append(HeaderName::try_from(name.as_str())?, value(text)?);
            }
            frames.push_back(Frame::trailers(map));
        }
        Ok(Self { frames })
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Waker<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.frames.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }
}
