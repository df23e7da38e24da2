//! What is to be learned from the answer to a request: whether it failed, and whether the version's cluster is there.

use serin_core::{Decision, Guard, Identity, Lessons, Time, Upstream};

use crate::host;
use crate::root::Configured;

/// Flags of Envoy's `StreamInfo::CoreResponseFlag`, by their bits in the attribute `response.flags`.
const NO_HEALTHY_UPSTREAM: u64 = 0x2;
const UPSTREAM_CONNECTION_FAILURE: u64 = 0x20;
/// Also of an application's own answer, once it was asked often enough.
const UPSTREAM_RETRY_LIMIT_EXCEEDED: u64 = 0x8000;
const NO_CLUSTER_FOUND: u64 = 0x100_0000;

/// What an answer is waited for with.
pub(crate) struct Awaited {
    rollout: usize,
    lessons: Lessons,
    /// When the request came, in nanoseconds of a clock that does not jump, where time matters.
    began: Option<u64>,
    /// The same as the wall clock had it on the last tick.
    since: Time,
    /// Whether it tries if the version's cluster is back.
    tries: bool,
}

/// An answer as far as its headers tell.
#[derive(Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    grpc: Option<u16>,
}

impl Answered {
    /// Reads the response at hand. One that ends with its headers may have a status of gRPC.
    pub(crate) fn read(ends: bool) -> Self {
        if ends { host::response_statuses() } else { Self { status: host::response_status(), grpc: None } }
    }

    /// Whether Envoy may have answered in the place of an upstream: with 503 or 504, and to gRPC with `UNAVAILABLE`.
    fn may_be_envoys(self) -> bool {
        matches!(self.status, 503 | 504) || self.grpc == Some(14)
    }

    pub(crate) fn new(status: u16, grpc: Option<u16>) -> Self {
        Self { status, grpc }
    }
}

impl Awaited {
    /// What is to be learned from the answer to a request; `None` if nothing.
    #[inline]
    pub(crate) fn of(decision: &Decision<'_>, configured: &Configured) -> Option<Box<Self>> {
        let lessons = decision.lessons()?;
        let times = lessons.counted_for.is_some()
            && decision.rollout.guard().is_some_and(|guard| guard.slower_than().is_some());
        let began = if times { host::monotonic_nanoseconds() } else { None };
        let tries = lessons.missing && configured.tries(decision.index, lessons.version);
        Some(Box::new(Self { rollout: decision.index, lessons, began, since: configured.now(), tries }))
    }

    /// Learns from the answer.
    pub(crate) fn answered(&self, answer: Answered, configured: &Configured) {
        if self.lessons.missing {
            self.learn_of_the_upstream(answer, configured);
        }
        if let (Some(identity), Some(guard)) = (self.lessons.counted_for, configured.guard(self.rollout)) {
            let failed = guard.is_failure(answer.status, answer.grpc) || self.is_late(configured, self.clock());
            self.count(identity, failed, configured);
        }
    }

    /// Counts a failure if no answer has come for so long that it is one. The answer is not counted any more then, but still
    /// tells of the cluster.
    pub(crate) fn give_up(&mut self, configured: &Configured, now: Option<u64>) {
        if self.is_late(configured, now)
            && let Some(identity) = self.lessons.counted_for.take()
        {
            self.count(identity, true, configured);
        }
    }

    /// The clock that does not jump, where time matters.
    pub(crate) fn clock(&self) -> Option<u64> {
        self.began.and_then(|_| host::monotonic_nanoseconds())
    }

    fn is_late(&self, configured: &Configured, now: Option<u64>) -> bool {
        let most = configured.guard(self.rollout).and_then(Guard::slower_than);
        let passed = now.zip(self.began).map(|(now, began)| now.saturating_sub(began) / 1_000_000);
        most.zip(passed).is_some_and(|(most, passed)| passed > most.into())
    }

    /// What else Envoy answers of its own, at overload or after its timeout, says nothing about it: there may have been no
    /// connection yet.
    fn learn_of_the_upstream(&self, answer: Answered, configured: &Configured) {
        let flags = if answer.may_be_envoys() { host::response_flags() } else { Some(0) };
        let upstream = match flags.map(|flags| flags & !UPSTREAM_RETRY_LIMIT_EXCEEDED) {
            Some(0) => Upstream::Answered,
            Some(flags) if flags & (NO_HEALTHY_UPSTREAM | NO_CLUSTER_FOUND) != 0 => Upstream::Missing,
            Some(flags) if flags & UPSTREAM_CONNECTION_FAILURE != 0 => Upstream::Refused,
            _ => return,
        };
        configured.note_upstream(self.rollout, self.lessons.version, upstream, self.tries);
    }

    /// What was asked before a version was taken out says nothing about it since.
    fn count(&self, identity: Identity, failed: bool, configured: &Configured) {
        let (rollout, version) = (self.rollout, self.lessons.version);
        if configured.counts_since(rollout, version).is_some_and(|since| self.since >= since) {
            configured.count_answer(identity, (rollout, version), failed);
        }
    }
}
