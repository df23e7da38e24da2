//! A server that cannot say which free port it took, and so is told one.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use serin_envoy::Process;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    /// Where it takes connections.
    pub address: SocketAddr,
    _process: Process,
}

impl Server {
    /// Starts what `command` makes for an address, and waits until it takes connections. What it prints goes into `log`.
    /// Another program may take the port meanwhile; then there is another try.
    ///
    /// # Errors
    /// If it ends at once for another reason, or takes no connection within thirty seconds, with what it printed.
    pub async fn start(log: &Path, command: impl Fn(SocketAddr) -> Result<Command>) -> Result<Self> {
        let end = Instant::now() + START;
        loop {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            let process = Process::start(&command(address)?, &File::create(log)?)?;
            while process.ended().is_none() {
                // The process is asked again, since the one that answers may be another one that took the port.
                if TcpStream::connect(address).await.is_ok() && process.ended().is_none() {
                    return Ok(Self { address, _process: process });
                }
                if Instant::now() > end {
                    bail!("no answer at {address} within {START:?}; it says\n{}", fs::read_to_string(log)?);
                }
                sleep(POLL).await;
            }
            let said = fs::read_to_string(log)?;
            if Instant::now() > end || !said.to_lowercase().contains("address already in use") {
                bail!("a server ended at its start; it says\n{said}");
            }
        }
    }
}

const START: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
