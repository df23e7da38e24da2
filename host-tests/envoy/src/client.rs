//! One HTTP/1 connection that stays open, and one exchange in raw bytes.
//!
//! Nothing is retried or followed: a test wants to see what happened, and a failure is counted by whoever asked.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap};
use hyper::http::request::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header lines, repeated ones apart.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as text without the white space around it; from one of our upstreams this is its version's name.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }

    /// The values of the header lines called `name`, in order.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }
}

/// A keep-alive connection to one address, opened at the first request and again after a failure.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

impl Connection {
    /// A connection to `address` that is not open yet.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    /// Sends a GET with what `request` holds (URI and headers) and reads the whole answer.
    ///
    /// # Errors
    /// If the connection cannot be made or breaks, or if the answer takes longer than thirty seconds.
    pub async fn get(&mut self, request: Builder) -> Result<Reply> {
        let request = request.body(()).with_context(|| format!("a request to {} is not valid", self.address))?;
        self.send(request).await
    }

    /// Sends a request without a body and reads the whole answer.
    ///
    /// # Errors
    /// As [`Connection::get`].
    pub async fn send(&mut self, request: Request<()>) -> Result<Reply> {
        let address = self.address;
        let reply = timeout(LIMIT, self.exchange(request)).await;
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                self.sender = None;
                Err(error.context(format!("a request to {address} failed")))
            }
            Err(_) => {
                self.sender = None;
                anyhow::bail!("{address} did not answer within {LIMIT:?}")
            }
        }
    }

    async fn exchange(&mut self, request: Request<()>) -> Result<Reply> {
        let mut request = request.map(|()| Empty::new());
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.address.to_string().parse()?);
        }
        let response = self.sender().await?.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("the body broke off")?.to_bytes();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Empty<Bytes>>> {
        let ready = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !ready {
            self.sender = Some(open(self.address).await?);
        }
        self.sender.as_mut().context("the connection was opened just now")
    }
}

/// Sends `request` as it is on a connection of its own and gives back all that came until the other side closed.
///
/// For what a proper client cannot send: header names in odd case, doubled names, names in a chosen order. The request
/// must ask for `connection: close`.
///
/// # Errors
/// If the connection cannot be made or breaks, or if it is not closed within thirty seconds.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Result<String> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(LIMIT, talk)
        .await
        .with_context(|| format!("{address} did not close within {LIMIT:?}; did the request ask for it?"))?
        .with_context(|| format!("a raw exchange with {address} failed"))
}

const LIMIT: Duration = Duration::from_secs(30);

async fn open(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // An error of the connection reaches the request that waits on it; the task has nobody else to tell.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Upstreams;

    #[tokio::test]
    async fn a_connection_stays_open_and_opens_again_after_a_failure() {
        let upstreams = Upstreams::start(&["v1"]).await.unwrap();
        let (_, address) = upstreams.addresses().next().unwrap();
        let mut connection = Connection::to(address);
        for path in ["/", "/?status=404", "no path", "/"] {
            let reply = connection.get(Request::get(path)).await;
            assert_eq!(path != "no path", reply.is_ok(), "{path}: {reply:?}");
        }
        assert_eq!(3, upstreams.requests("v1"));
    }

    #[tokio::test]
    async fn raw_bytes_arrive_as_they_are() {
        let upstreams = Upstreams::start(&["v1"]).await.unwrap();
        let (_, address) = upstreams.addresses().next().unwrap();
        let request = b"GET /headers HTTP/1.1\r\nhost: a\r\nX-Twice: 1\r\nx-TWICE: 2\r\nconnection: close\r\n\r\n";
        let answer = exchange(address, request).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(r#"["x-twice","1"],["x-twice","2"]"#), "{answer}");
    }
}
