//! A server that cannot say which free port it took, and so is told one.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Result, bail};
use hyper::Request;
use serin_envoy::{Connection, Process, Reply};
use tokio::time::{Instant, sleep};

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    /// Where it takes connections.
    pub address: SocketAddr,
    process: Process,
}

impl Server {
    /// Starts what `command` makes for an address, and waits until a GET of `path` gives an answer that is `ready`. What it prints
    /// goes into `log`. Another program may take the port meanwhile, and then there is another try: for a server that does not
    /// end at once then, as nginx does not, the answer has to tell whose it is.
    ///
    /// # Errors
    /// If it ends at once for another reason, or is not ready within thirty seconds, with what it printed.
    pub async fn start(
        log: &Path,
        path: &str,
        ready: impl Fn(&Reply) -> bool,
        command: impl Fn(SocketAddr) -> Result<Command>,
    ) -> Result<Self> {
        let end = Instant::now() + START;
        loop {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            let process = Process::start(&command(address)?, &File::create(log)?)?;
            while process.ended().is_none() {
                let answer = Connection::to(address).get(Request::get(path)).await;
                if answer.is_ok_and(|reply| ready(&reply)) && process.ended().is_none() {
                    return Ok(Self { address, process });
                }
                if Instant::now() > end {
                    bail!("not ready at {address} within {START:?}; it says\n{}", fs::read_to_string(log)?);
                }
                sleep(POLL).await;
            }
            let said = fs::read_to_string(log)?;
            if Instant::now() > end || !said.to_lowercase().contains("address already in use") {
                bail!("a server ended at its start; it says\n{said}");
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended by itself, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process.ended()
    }
}

const START: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
