//! Connections that stay open: of HTTP/1 for one request at a time, of HTTP/2 for several at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serin_envoy::{Connection, Http, Reply};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// What one visitor after the other uses.
#[derive(Debug)]
pub(crate) enum Line {
    /// A connection of its own.
    One(Connection),
    /// A share of a connection.
    Two(Arc<Shared>),
}

impl Line {
    /// The version of HTTP that it speaks.
    pub(crate) fn http(&self) -> Http {
        match self {
            Self::One(_) => Http::One,
            Self::Two(_) => Http::Two,
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// If the connection cannot be made or breaks, or if the answer takes longer than thirty seconds.
    pub(crate) async fn send(&mut self, request: Request<()>) -> Result<Reply> {
        match self {
            Self::One(connection) => connection.send(request).await,
            Self::Two(shared) => shared.send(request).await,
        }
    }
}

/// A connection of HTTP/2, opened at the first request and again after it has broken.
#[derive(Debug)]
pub(crate) struct Shared {
    address: SocketAddr,
    sender: Mutex<Option<SendRequest<Empty<Bytes>>>>,
}

impl Shared {
    /// A connection to `address` that is not open yet.
    pub(crate) fn to(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self { address, sender: Mutex::default() })
    }

    async fn send(&self, request: Request<()>) -> Result<Reply> {
        timeout(LIMIT, self.exchange(request)).await.with_context(|| format!("no answer within {LIMIT:?}"))?
    }

    async fn exchange(&self, request: Request<()>) -> Result<Reply> {
        let mut sender = self.sender().await?;
        sender.ready().await?;
        let response = sender.send_request(request.map(|()| Empty::new())).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("the body broke off")?.to_bytes();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    async fn sender(&self) -> Result<SendRequest<Empty<Bytes>>> {
        let mut kept = self.sender.lock().await;
        if let Some(sender) = kept.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let stream = TcpStream::connect(self.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // An error of the connection reaches the requests that wait on it; the task has nobody else to tell.
        tokio::spawn(async move { connection.await.ok() });
        Ok(kept.insert(sender).clone())
    }
}

const LIMIT: Duration = Duration::from_secs(30);
