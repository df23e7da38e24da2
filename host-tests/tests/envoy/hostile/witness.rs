//! Upstreams for what is no plain exchange: each answers with the very head of the request that came, and closes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A running upstream; it stops when this is dropped.
pub(super) struct Witness {
    pub(super) address: SocketAddr,
    _task: JoinSet<()>,
}

impl Witness {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks is Envoy's, and shows in what the test gets.
                tokio::spawn(async { tell(stream).await.ok() });
            }
        });
        Ok(Self { address, _task: task })
    }
}

async fn tell(mut stream: TcpStream) -> Result<()> {
    const TUNNEL: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
    const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let answer = if head.starts_with(b"CONNECT") { TUNNEL } else { UPGRADE };
    stream.write_all(&[answer, &head].concat()).await?;
    Ok(stream.shutdown().await?)
}
