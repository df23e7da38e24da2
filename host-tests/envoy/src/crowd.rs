//! Many visitors at once, over a few connections that stay open, and a record of what each of them saw.
//!
//! Whichever connection is free takes the next visitor, so a visitor comes over many connections and, since Envoy's
//! workers share the connections out among them, to every worker.

mod report;
mod traffic;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::client::{Connection, Reply};
use crate::visitor::Visitor;

pub use report::Report;
pub use traffic::Traffic;

/// The visitors of one site.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    connections: usize,
}

/// What every visitor asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    path: String,
    headers: Vec<(String, String)>,
}

impl Default for Ask {
    fn default() -> Self {
        Self::path("/")
    }
}

impl Ask {
    /// `path`, which may have a query.
    pub fn path(path: &str) -> Self {
        Self { path: path.to_owned(), headers: Vec::new() }
    }

    /// With a request header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Crowd {
    /// `visitors` visitors of `http://<host>/` without cookies, who come to `address` over `connections` connections.
    ///
    /// # Errors
    /// If `host` is no host name.
    pub fn new(address: SocketAddr, host: &str, visitors: usize, connections: usize) -> Result<Self> {
        let seat = |_| Ok(Seat { visitor: Visitor::of(host)?.into(), record: Mutex::default() });
        let seats = (0..visitors).map(seat).collect::<Result<_>>()?;
        let shared =
            Shared { address, seats, next: AtomicU64::new(0), end: AtomicU64::new(0), visits: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared), connections })
    }

    /// The number of visitors.
    #[expect(clippy::len_without_is_empty, reason = "a crowd of nobody is of no use")]
    pub fn len(&self) -> usize {
        self.shared.seats.len()
    }

    /// Every visitor comes `rounds` times to the front page.
    ///
    /// # Errors
    /// Only if a task breaks down; failed requests are in the report.
    pub async fn visit(&self, rounds: u64) -> Result<()> {
        self.visit_as(rounds, Ask::default()).await
    }

    /// Every visitor asks `rounds` times for `ask`.
    ///
    /// # Errors
    /// As [`Crowd::visit`].
    pub async fn visit_as(&self, rounds: u64, ask: Ask) -> Result<()> {
        self.start(rounds * self.len() as u64, ask).finish().await
    }

    /// The visitors come again and again until the traffic is stopped.
    pub fn keep_visiting(&self) -> Traffic {
        self.keep_visiting_as(Ask::default())
    }

    /// The visitors ask for `ask` again and again until the traffic is stopped.
    pub fn keep_visiting_as(&self, ask: Ask) -> Traffic {
        self.start(u64::MAX / 2, ask)
    }

    /// How many requests the crowd has sent so far.
    pub fn visits(&self) -> u64 {
        self.shared.visits.load(Ordering::Relaxed)
    }

    /// Gives every visitor a cookie, as another page of the site could have done.
    ///
    /// # Errors
    /// If it is no cookie.
    pub async fn set_cookie(&self, name: &str, value: &str) -> Result<()> {
        for seat in &self.shared.seats {
            seat.visitor.lock().await.set_cookie(name, value)?;
        }
        Ok(())
    }

    /// The value of the cookie `name` of every visitor who has it.
    pub async fn cookies(&self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        for seat in &self.shared.seats {
            values.extend(seat.visitor.lock().await.cookie(name).map(str::to_owned));
        }
        values
    }

    /// What happened since the last report.
    pub fn take_report(&self) -> Report {
        let mut report = Report::default();
        for seat in &self.shared.seats {
            seat.record().hand_over(&mut report);
        }
        report
    }

    fn start(&self, requests: u64, ask: Ask) -> Traffic {
        let shared = &self.shared;
        shared.end.store(shared.next.load(Ordering::Relaxed) + requests, Ordering::Relaxed);
        let ask = Arc::new(ask);
        let mut tasks = JoinSet::new();
        for _ in 0..self.connections {
            tasks.spawn(Arc::clone(shared).run(Arc::clone(&ask)));
        }
        Traffic { shared: Arc::clone(shared), tasks }
    }
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    seats: Vec<Seat>,
    /// The next request's number; the visitor is that modulo their count.
    next: AtomicU64,
    /// The number at which requests end.
    end: AtomicU64,
    visits: AtomicU64,
}

#[derive(Debug)]
struct Seat {
    visitor: tokio::sync::Mutex<Visitor>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    visits: u64,
    version: Option<String>,
    /// The version at the last report.
    reported: Option<String>,
    report: Report,
}

impl Shared {
    /// One connection's work.
    async fn run(self: Arc<Self>, ask: Arc<Ask>) {
        let mut connection = Connection::to(self.address);
        let headers: Vec<_> = ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        while let Some(seat) = self.next_seat() {
            let mut visitor = seat.visitor.lock().await;
            let reply = visitor.get(&mut connection, &ask.path, &headers).await;
            seat.record().note(reply);
            self.visits.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn next_seat(&self) -> Option<&Seat> {
        let take = |next: u64| (next < self.end.load(Ordering::Relaxed)).then_some(next + 1);
        let number = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        self.seats.get(usize::try_from(number % self.seats.len() as u64).ok()?)
    }
}

impl Seat {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn note(&mut self, reply: Result<Reply>) {
        self.visits += 1;
        let version = match reply {
            Ok(reply) if reply.status == 200 => reply.text(),
            Ok(reply) => return self.fail(format!("status {}: {}", reply.status, reply.text())),
            Err(error) => return self.fail(format!("{error:#}")),
        };
        *self.report.requests.entry(version.clone()).or_default() += 1;
        match self.version.replace(version.clone()) {
            Some(before) if before != version => *self.report.moves.entry((before, version)).or_default() += 1,
            _ => {}
        }
    }

    fn fail(&mut self, what: String) {
        self.report.failed += 1;
        if self.report.failures.len() < SHOWN_FAILURES {
            self.report.failures.push(what);
        }
    }

    /// Adds what was seen to `sum` and forgets it; the version that the visitor is on stays known.
    fn hand_over(&mut self, sum: &mut Report) {
        let own = std::mem::take(&mut self.report);
        for (version, count) in own.requests {
            *sum.requests.entry(version).or_default() += count;
        }
        for (pair, count) in own.moves {
            *sum.moves.entry(pair).or_default() += count;
        }
        if let Some(version) = &self.version {
            *sum.serving.entry(version.clone()).or_default() += 1;
            match self.reported.replace(version.clone()) {
                Some(before) if before != *version => {
                    *sum.resettled.entry((before, version.clone())).or_default() += 1;
                }
                _ => {}
            }
        }
        sum.failed += own.failed;
        sum.failures.extend(own.failures);
        sum.failures.truncate(SHOWN_FAILURES);
    }
}

const SHOWN_FAILURES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Upstreams;

    async fn server() -> (Upstreams, SocketAddr) {
        let upstreams = Upstreams::start(&["v1"]).await.unwrap();
        let address = upstreams.addresses().next().unwrap().1;
        (upstreams, address)
    }

    #[tokio::test]
    async fn every_visitor_comes_as_often_as_asked() {
        let (upstreams, address) = server().await;
        let crowd = Crowd::new(address, "shop.example.com", 30, 4).unwrap();
        crowd.visit(3).await.unwrap();
        crowd.visit_as(2, Ask::path("/?status=503")).await.unwrap();
        let report = crowd.take_report();
        assert_eq!((90, 60, 30, 0), (report.answered(), report.failed, report.visitors_on("v1"), report.moves()));
        assert_eq!((5, 150, 150), (report.failures.len(), crowd.visits(), upstreams.requests("v1")));
        assert_eq!((0, 30), (crowd.take_report().answered(), crowd.take_report().visitors_on("v1")));
    }

    #[tokio::test]
    async fn a_change_of_version_is_a_move() {
        let (_upstreams, address) = server().await;
        let crowd = Crowd::new(address, "shop.example.com", 3, 2).unwrap();
        crowd.visit(1).await.unwrap();
        crowd.visit_as(1, Ask::path("/headers")).await.unwrap();
        crowd.visit(1).await.unwrap();
        let report = crowd.take_report();
        assert_eq!((6, 3), (report.moves(), report.visitors_on("v1")));
    }

    #[tokio::test]
    async fn a_round_ends_after_everybody_was_answered_anew() {
        let (upstreams, address) = server().await;
        let crowd = Crowd::new(address, "shop.example.com", 50, 4).unwrap();
        let traffic = crowd.keep_visiting();
        traffic.round().await.unwrap();
        assert_eq!(50, crowd.take_report().visitors_on("v1"));
        traffic.stop().await.unwrap();
        let sent = upstreams.requests("v1");
        assert!(sent >= 100);
        crowd.visit(1).await.unwrap();
        assert_eq!(sent + 50, upstreams.requests("v1"));
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_a_failure_and_no_answer() {
        let (upstreams, address) = server().await;
        drop(upstreams);
        let crowd = Crowd::new(address, "shop.example.com", 4, 2).unwrap();
        // The server's task ends only when the runtime comes to it.
        tokio::task::yield_now().await;
        crowd.visit(1).await.unwrap();
        let report = crowd.take_report();
        assert_eq!((0, 4), (report.answered(), report.failed));
    }

    #[tokio::test]
    async fn visitors_send_back_the_cookies_that_they_were_given() {
        let (_upstreams, address) = server().await;
        let crowd = Crowd::new(address, "shop.example.com", 2, 1).unwrap();
        crowd.visit_as(1, Ask::path("/?set-cookie=a%3D1%3B+max-age%3D60&set-cookie=b%3D2%3B+path%3D/b")).await.unwrap();
        assert_eq!(["1", "1"], *crowd.cookies("a").await);
        assert!(crowd.cookies("b").await.is_empty());
        crowd.set_cookie("c", "3").await.unwrap();
        let mut visitor = crowd.shared.seats[0].visitor.lock().await;
        let seen = visitor.get(&mut Connection::to(address), "/headers", &[]).await.unwrap().text();
        assert!(seen.contains("a=1; c=3") || seen.contains("c=3; a=1"), "{seen}");
        visitor.get(&mut Connection::to(address), "/?set-cookie=a%3D1%3B+max-age%3D0", &[]).await.unwrap();
        assert_eq!(None, visitor.cookie("a"));
    }
}
