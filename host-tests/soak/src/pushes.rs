//! Pushes into a running Envoy, and whether each took effect: on every worker, and in the counters.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serin_envoy::{Connection, Envoy, Http};

use crate::load::{Finds, locked};
use crate::plan::{Kind, Push};
use crate::timeline::{Document, Timeline};
use crate::visitor::{Answer, Kind as VisitorKind, Visitor};

/// Connections that see which document a worker follows. Envoy's workers share them out among them.
const WATCHERS: usize = 16;
/// A push takes effect within this time, and one of several megabytes within the second; which leaves room for a machine
/// that has other things to do.
const LIMITS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];
/// The run ends if one takes no effect at all.
const END: Duration = Duration::from_secs(60);
/// What must take no effect has none after this time, either.
const AGAIN: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(5);

/// What became of the pushes of one kind.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Pushed {
    /// How many there were.
    pub(crate) count: u64,
    /// How many took effect as they had to, and in time: what is sound on all workers, what is not nowhere, and not a moment
    /// later either.
    pub(crate) as_expected: u64,
    /// Milliseconds from the move of the file until every worker followed, of each.
    pub(crate) milliseconds: Vec<u64>,
}

/// Pushes, and the connections that watch them.
#[derive(Debug)]
pub(crate) struct Pusher {
    envoy: Envoy,
    watchers: Vec<Connection>,
    timeline: Arc<Mutex<Timeline>>,
    workers: u64,
    /// What became of them.
    pub(crate) pushed: BTreeMap<Kind, Pushed>,
    /// What did not become of them.
    pub(crate) ineffective: Finds,
}

impl Pusher {
    /// With a watcher on every worker.
    ///
    /// # Errors
    /// If Envoy's workers do not share out connections.
    pub(crate) async fn new(envoy: Envoy, timeline: &Arc<Mutex<Timeline>>, workers: u32) -> Result<Self> {
        let watchers = (0..WATCHERS).map(|_| Connection::to(envoy.address())).collect();
        let (pushed, ineffective) = Default::default();
        let workers = u64::from(workers);
        let mut pusher = Self { envoy, watchers, timeline: Arc::clone(timeline), workers, pushed, ineffective };
        pusher.markers().await?;
        let active = pusher.envoy.values(r"^listener\..*\.worker_\d+\.downstream_cx_active$").await?;
        ensure!(active.len() as u64 == workers && !active.contains(&0), "not every worker is watched: {active:?}");
        Ok(pusher)
    }

    /// The Envoy.
    pub(crate) fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// Moves a document into place and waits until every worker follows it, or until it is known that none does.
    ///
    /// # Errors
    /// If Envoy has ended, does not take it up, or if a worker does not follow it within a minute.
    //
    // It runs on a thread that serves no visitor, so that a long document holds up none.
    pub(crate) async fn push(&mut self, push: Push) -> Result<()> {
        let before = locked(&self.timeline).newest().context("there is always a document")?;
        let document = push.kind.takes_effect().then(|| Document::new(&push, Some(&before))).transpose()?;
        let marker = push.scene.marker.to_string();
        let rejected = self.rejected().await?;
        if let Some(document) = document {
            locked(&self.timeline).announce(Arc::new(document));
        }
        self.envoy.push(push.configuration).await.with_context(|| format!("a push: {}", push.kind))?;
        let moved = fs::metadata(self.envoy.rules_file())?.modified()?;
        while self.markers().await?.iter().any(|seen| *seen != marker) {
            ensure!(moved.elapsed()? < END, "{} took no effect within {END:?}", push.kind);
            tokio::time::sleep(POLL).await;
        }
        let took = moved.elapsed()?;
        locked(&self.timeline).confirm(Instant::now());
        let mut stays = true;
        if !push.kind.takes_effect() {
            tokio::time::sleep(AGAIN).await;
            stays = self.markers().await?.iter().all(|seen| *seen == marker);
        }
        // The trial run and the main thread have a VM, too.
        let mistakes = if push.kind.is_sound() { 0 } else { self.workers + 2 };
        let counted = (self.rejected().await?.saturating_sub(rejected), self.is_ok().await?);
        self.note(push.kind, took, counted == (mistakes, push.kind.is_sound()) && stays, || {
            let (rejected, is_ok) = counted;
            format!(
                "rejected {rejected} times of {mistakes}, serin_config_ok is {is_ok}, takes no effect later: {stays}"
            )
        });
        Ok(())
    }

    fn note(&mut self, kind: Kind, took: Duration, is_right: bool, tell: impl FnOnce() -> String) {
        let pushed = self.pushed.entry(kind).or_default();
        pushed.count += 1;
        pushed.milliseconds.push(took.as_millis().try_into().unwrap_or(u64::MAX));
        let limit = LIMITS[usize::from(kind.is_long())];
        if took <= limit && is_right {
            pushed.as_expected += 1;
        } else {
            self.ineffective.add(|| format!("{kind}: after {took:?} of {limit:?}, {}", tell()));
        }
    }

    /// What each watcher sees of the document that its worker follows.
    async fn markers(&mut self) -> Result<Vec<String>> {
        let request = Visitor::new(VisitorKind::Beacon, 0).sent();
        let mut markers = Vec::new();
        for watcher in &mut self.watchers {
            let answer = Answer::from(&watcher.send(request.request(Http::One)?).await?);
            markers.push(answer.lane.unwrap_or_default());
        }
        Ok(markers)
    }

    async fn rejected(&self) -> Result<u64> {
        self.envoy.sum(r"^wasmcustom\.serin_config_rejected\.plugin\.serin$").await
    }

    async fn is_ok(&self) -> Result<bool> {
        Ok(self.envoy.sum(r"^wasmcustom\.serin_config_ok\.plugin\.serin$").await? == 1)
    }
}
