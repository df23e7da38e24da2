//! One GET over HTTP/2 in raw frames (RFC 9113) without compression (RFC 7541), for header values that no client sends.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::HOST;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// 200.
    Served,
    /// 400, or the stream was reset, or the whole connection given up.
    Refused,
}

/// Many are under way at a time, beside other tests.
const LIMIT: Duration = Duration::from_secs(30);

/// The fate of a request with this header.
pub(super) async fn fate(address: SocketAddr, name: &str, value: &[u8]) -> Result<Fate> {
    timeout(LIMIT, exchange(address, name, value)).await.with_context(|| format!("no answer within {LIMIT:?}"))?
}

async fn exchange(address: SocketAddr, name: &str, value: &[u8]) -> Result<Fate> {
    let mut stream = TcpStream::connect(address).await?;
    // The entries of the static table for GET, http and `/`, and the name of its first one with another value.
    let mut block = vec![0x82, 0x86, 0x84, 0x01];
    literal(&mut block, HOST.as_bytes())?;
    block.push(0);
    literal(&mut block, name.as_bytes())?;
    literal(&mut block, value)?;
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    request.extend([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);
    request.extend([0, 0, u8::try_from(block.len())?, HEADERS, END_STREAM | END_HEADERS, 0, 0, 0, 1]);
    request.extend(block);
    stream.write_all(&request).await?;
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return Ok(Fate::Refused);
        }
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await?;
        match head[3] {
            HEADERS => return status(&payload),
            RST_STREAM | GOAWAY => return Ok(Fate::Refused),
            _ => {}
        }
    }
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A text with its length, of less than 127 octets.
fn literal(block: &mut Vec<u8>, text: &[u8]) -> Result<()> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 127).context("this is too long")?;
    block.push(length);
    block.extend(text);
    Ok(())
}

/// `:status` comes first, after sizes of the table.
fn status(block: &[u8]) -> Result<Fate> {
    match block.iter().find(|octet| **octet & 0xe0 != 0x20) {
        Some(0x88) => Ok(Fate::Served),
        Some(0x8c) => Ok(Fate::Refused),
        other => bail!("a status that is neither 200 nor 400: {other:x?}"),
    }
}
