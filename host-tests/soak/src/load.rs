//! The visitors, who come again and again over whichever connection is free, and what was said of their answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use fastrand::Rng;
use serde::Serialize;
use serin_envoy::{Connection, Http};
use tokio::task::JoinSet;

use crate::client::{Line, Shared};
use crate::judge::{Verdict, has_moved, judge, seen};
use crate::timeline::Timeline;
use crate::visitor::{Answer, Kind, Visitor, crowd};

/// Connections of HTTP/1.
const CONNECTIONS: usize = 12;
/// Connections of HTTP/2, and requests at a time on each.
const SHARED: (usize, usize) = (3, 4);
/// So many of each kind of find are told in words.
const TOLD: usize = 5;

/// What was found. Everything but the first three fields has to be nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Requests by the version of HTTP.
    pub(crate) requests: BTreeMap<&'static str, u64>,
    /// Answers by status; `none` where the connection broke.
    pub(crate) statuses: BTreeMap<String, u64>,
    /// Failures of an upstream that was down, by what it was, how it failed, and who asked.
    pub(crate) dead: BTreeMap<String, u64>,
    /// Failures of any other kind.
    pub(crate) failed: Finds,
    /// Answers that were not what the rules say.
    pub(crate) wrong: Finds,
    /// Visitors that changed their version without a reason.
    pub(crate) moved: Finds,
    /// Visitors that got another number.
    pub(crate) renumbered: Finds,
}

/// How often something was found, and the first ones in words.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Finds {
    /// How often.
    pub(crate) count: u64,
    /// The first ones.
    pub(crate) first: Vec<String>,
}

impl Finds {
    /// Adds one.
    pub(crate) fn add(&mut self, tell: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(tell());
        }
    }
}

/// Everybody who is under way.
#[derive(Debug)]
pub(crate) struct Load {
    scene: Arc<Common>,
    tasks: JoinSet<Result<()>>,
}

/// What all connections share.
#[derive(Debug)]
struct Common {
    timeline: Arc<Mutex<Timeline>>,
    visitors: Mutex<VecDeque<Visitor>>,
    tally: Mutex<Tally>,
    ends: AtomicBool,
}

/// The value behind a lock, also where a task has broken down.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Visitors of this address, judged by this timeline.
    pub(crate) fn start(address: SocketAddr, timeline: &Arc<Mutex<Timeline>>, seed: u64) -> Self {
        let scene = Arc::new(Common {
            timeline: Arc::clone(timeline),
            visitors: Mutex::new(crowd().into()),
            tally: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let one = (0..CONNECTIONS).map(|_| Line::One(Connection::to(address)));
        let shared = (0..SHARED.0).map(|_| Shared::to(address));
        let two = shared.flat_map(|shared| (0..SHARED.1).map(move |_| Line::Two(Arc::clone(&shared))));
        let mut tasks = JoinSet::new();
        for (line, number) in one.chain(two).zip(0..) {
            tasks.spawn(Arc::clone(&scene).keep_asking(line, Rng::with_seed(seed.wrapping_add(number))));
        }
        Self { scene, tasks }
    }

    /// How many requests were answered so far.
    pub(crate) fn requests(&self) -> u64 {
        locked(&self.scene.tally).requests.values().sum()
    }

    /// Lets what is under way be answered, and tells what was found. Adds to `broken` what tasks broke down of.
    pub(crate) async fn stop(mut self, broken: &mut Finds) -> Tally {
        self.scene.ends.store(true, Ordering::Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            if let Err(error) = task.context("a connection's task broke down").flatten() {
                broken.add(|| format!("{error:#}"));
            }
        }
        locked(&self.scene.tally).clone()
    }
}

impl Common {
    async fn keep_asking(self: Arc<Self>, mut line: Line, mut random: Rng) -> Result<()> {
        while !self.ends.load(Ordering::Relaxed) {
            let next = locked(&self.visitors).pop_front();
            let mut visitor = next.context("there are more visitors than requests at a time")?;
            visitor.forget_now_and_then(&mut random);
            self.ask(&mut line, &mut visitor).await?;
            locked(&self.visitors).push_back(visitor);
        }
        Ok(())
    }

    async fn ask(&self, line: &mut Line, visitor: &mut Visitor) -> Result<()> {
        let sent = visitor.sent();
        let request = sent.request(line.http())?;
        let started = Instant::now();
        let reply = line.send(request).await;
        let answer = reply.as_ref().map(Answer::from).map_err(|error| format!("{error:#}"));
        let window = locked(&self.timeline).window(started, Instant::now());
        let verdict = judge(&sent, &answer, &window);
        let held = visitor.held("forms").map(str::to_owned);
        let cookies = answer.as_ref().map_or(&[][..], |answer| &answer.cookies);
        let renumbered = visitor.keep(cookies);
        let answered = answer.as_ref().ok().filter(|answer| answer.status == 200);
        let now = answered.and_then(|answer| seen(visitor, held.as_deref(), &answer.upstream, &window));
        let moved = visitor.last.as_ref().zip(now.as_ref()).filter(|(before, after)| has_moved(before, after));
        {
            let mut tally = locked(&self.tally);
            tally.count(line.http(), visitor.kind, &answer, verdict);
            if renumbered {
                tally.renumbered.add(|| format!("{sent:?} was given {cookies:?}"));
            }
            if let Some((before, after)) = moved {
                tally.moved.add(|| format!("{visitor:?}: from {before:?} to {after:?}"));
            }
        }
        visitor.last = now.or(visitor.last.take());
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, http: Http, kind: Kind, answer: &Result<Answer, String>, verdict: Verdict) {
        let http = if http == Http::One { "HTTP/1" } else { "HTTP/2" };
        *self.requests.entry(http).or_default() += 1;
        let status = answer.as_ref().map_or("none".to_owned(), |answer| answer.status.to_string());
        *self.statuses.entry(status).or_default() += 1;
        match verdict {
            Verdict::Right => {}
            Verdict::Dead(upstream, failure) => {
                let by_name = if matches!(kind, Kind::Override(_)) { ", asked for by name" } else { "" };
                *self.dead.entry(format!("{upstream} {failure}{by_name}")).or_default() += 1;
            }
            Verdict::Failed(what) => self.failed.add(|| what),
            Verdict::Wrong(what) => self.wrong.add(|| what),
        }
    }
}
