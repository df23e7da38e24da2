//! Requests over connections that stay open, one after the other on each.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use hyper::Request;
use serin_envoy::Connection;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections to one Envoy.
#[derive(Debug)]
pub(crate) struct Pump(Vec<Connection>);

impl Pump {
    /// So many connections, opened at their first request.
    pub(crate) fn to(address: SocketAddr, connections: u32) -> Self {
        Self((0..connections).map(|_| Connection::to(address)).collect())
    }

    /// Sends a request so many times, as fast as the answers come.
    ///
    /// # Errors
    /// At the first answer that fails or is not 200.
    pub(crate) async fn send(&mut self, request: &Request<()>, count: u32) -> Result<()> {
        let connections = u32::try_from(self.0.len())?;
        let share = |n: u32| count / connections + u32::from(n < count % connections);
        self.each(request, |n| {
            let mut left = share(n);
            move || {
                let goes_on = left > 0;
                left = left.saturating_sub(1);
                goes_on
            }
        })
        .await
        .map(drop)
    }

    /// Sends a request for so long, and returns how many answers came.
    ///
    /// # Errors
    /// As [`Pump::send`].
    pub(crate) async fn send_for(&mut self, request: &Request<()>, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        self.each(request, |_| move || Instant::now() < end).await
    }

    /// Sends a request on each connection as long as its `goes_on` says so.
    async fn each<F: FnMut() -> bool + Send + 'static>(
        &mut self,
        request: &Request<()>,
        goes_on: impl Fn(u32) -> F,
    ) -> Result<u64> {
        let mut tasks = JoinSet::new();
        for (n, mut connection) in (0..).zip(self.0.drain(..)) {
            let (request, mut goes_on) = (request.clone(), goes_on(n));
            tasks.spawn(async move {
                let mut sent = 0;
                while goes_on() {
                    send(&mut connection, &request).await?;
                    sent += 1;
                }
                anyhow::Ok((connection, sent))
            });
        }
        let mut all = 0;
        while let Some(done) = tasks.join_next().await {
            let (connection, sent) = done??;
            self.0.push(connection);
            all += sent;
        }
        Ok(all)
    }
}

/// Sends one request; its answer has to be 200.
pub(crate) async fn send(connection: &mut Connection, request: &Request<()>) -> Result<serin_envoy::Reply> {
    let reply = connection.send(request.clone()).await?;
    ensure!(reply.status == 200, "Envoy answered with {}: {}", reply.status, reply.text());
    Ok(reply)
}
