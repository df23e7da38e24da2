//! A crowd that is under way in the background: waiting until everybody was answered anew, and the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Shared;

/// Visitors who keep coming in the background; dropping it breaks their requests off.
#[derive(Debug)]
pub struct Traffic {
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: JoinSet<()>,
}

impl Traffic {
    /// Waits until every visitor has sent a request after this call and has been answered.
    ///
    /// # Errors
    /// If that takes longer than a minute and ten milliseconds for each visitor.
    pub async fn round(&self) -> Result<()> {
        // One request of a visitor may be on its way already; the one after that is new for certain.
        let goals: Vec<u64> = self.shared.seats.iter().map(|seat| seat.record().visits + 2).collect();
        let limit = ROUND + ROUND_EACH * u32::try_from(goals.len())?;
        let end = Instant::now() + limit;
        for (seat, goal) in self.shared.seats.iter().zip(goals) {
            while seat.record().visits < goal {
                if Instant::now() > end {
                    bail!("not every visitor was answered within {limit:?}");
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Lets the requests that are on their way be answered and sends no more.
    ///
    /// # Errors
    /// Only if a task breaks down.
    pub async fn stop(self) -> Result<()> {
        self.shared.end.store(0, Ordering::Relaxed);
        self.finish().await
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        while let Some(task) = self.tasks.join_next().await {
            task.context("a connection's task broke down")?;
        }
        Ok(())
    }
}

const ROUND: Duration = Duration::from_secs(60);
const ROUND_EACH: Duration = Duration::from_millis(10);
