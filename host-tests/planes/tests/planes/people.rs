//! People who come again and again: each with the cookies of a browser, or with an id of its own.

use std::collections::BTreeMap;

use anyhow::Result;
use serin_envoy::{Connection, Visitor};
use tokio::task::JoinSet;

use crate::site::Entry;

/// What each of them got, in their order: the version, or the status and the text of anything but 200.
pub(crate) type Answers = Vec<String>;

/// So many people of one site.
pub(crate) struct People {
    entry: Entry,
    people: Vec<(usize, Visitor)>,
}

impl People {
    pub(crate) fn new(count: usize, entry: Entry) -> Result<Self> {
        let person = |number| Ok((number, Visitor::of(entry.host)?));
        Ok(Self { entry, people: (0..count).map(person).collect::<Result<_>>()? })
    }

    /// Everybody comes once, over new connections.
    pub(crate) async fn visit(&mut self, address: std::net::SocketAddr) -> Result<Answers> {
        self.visit_with(address, &[]).await
    }

    /// Everybody comes once with these headers, over new connections.
    pub(crate) async fn visit_with(
        &mut self,
        address: std::net::SocketAddr,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Answers> {
        let mut tasks = JoinSet::new();
        let each = self.people.len().div_ceil(CONNECTIONS);
        while !self.people.is_empty() {
            let mut group = self.people.split_off(self.people.len().saturating_sub(each));
            let (entry, headers) = (self.entry, headers.to_vec());
            tasks.spawn(async move {
                let mut connection = Connection::to(address);
                let mut answers = Vec::new();
                for (number, visitor) in &mut group {
                    let id = number.to_string();
                    let mut headers = headers.clone();
                    if entry.by_id {
                        headers.push(("x-user-id", &id));
                    }
                    let reply = visitor.get(&mut connection, entry.path, &headers).await?;
                    let failed = format!("{} {}", reply.status, reply.text());
                    answers.push((*number, if reply.status == 200 { reply.text() } else { failed }));
                }
                anyhow::Ok((group, answers))
            });
        }
        let mut all = BTreeMap::new();
        while let Some(done) = tasks.join_next().await {
            let (group, answers) = done??;
            self.people.extend(group);
            all.extend(answers);
        }
        self.people.sort_by_key(|(number, _)| *number);
        Ok(all.into_values().collect())
    }
}

/// How many got `version`.
pub(crate) fn count(answers: &Answers, version: &str) -> usize {
    answers.iter().filter(|answer| *answer == version).count()
}

/// That the share of v2 is one that chance gives (within 4.5 standard deviations), and that all others got v1.
#[track_caller]
pub(crate) fn assert_share(answers: &Answers, expected: f64) {
    let (all, canary) = (number(answers.len()), number(count(answers, "v2")));
    assert_eq!(answers.len(), count(answers, "v1") + count(answers, "v2"), "{answers:?}");
    let tolerance = 4.5 * (expected * (1.0 - expected) / all).sqrt();
    assert!((canary / all - expected).abs() <= tolerance, "{} is not {expected} ± {tolerance}", canary / all);
}

/// That nobody moved but from one version to the other.
#[track_caller]
pub(crate) fn assert_moves(before: &Answers, after: &Answers, from: &str, to: &str) {
    for (number, (before, after)) in before.iter().zip(after).enumerate() {
        let moved = (before.as_str(), after.as_str()) == (from, to);
        assert!(before == after || moved, "person {number} went from {before} to {after}, not from {from} to {to}");
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a crowd is small"))
}

const CONNECTIONS: usize = 8;
