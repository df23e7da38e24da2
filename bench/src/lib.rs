//! Documents and requests that the benches share.

pub mod results;

use std::borrow::Cow;

use serin_core::Source;

/// A request as its headers.
pub struct Request(Vec<(&'static str, String)>);

impl Request {
    /// A request to a host and path, with further headers.
    pub fn to(host: &str, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut all = vec![(":authority", host.to_owned()), (":path", path.to_owned())];
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self(all)
    }
}

impl Source for Request {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_bytes().into())
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(found, _)| *found == name).map(|(_, value)| value.as_bytes().to_vec()).collect()
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        None
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        Some(b"192.0.2.7:49152".to_vec())
    }
}

/// What the rollouts of a document cover.
#[derive(Clone, Copy)]
pub enum Covers {
    /// A host and a path each; a single rollout covers every request.
    Hosts,
    /// One host, a path each.
    Paths,
    /// A wildcard host each.
    Wildcards,
    /// A host each, beside two conditions on headers.
    Headers,
}

impl Covers {
    /// All of them, with their names.
    pub const ALL: [(&str, Self); 4] =
        [("hosts", Self::Hosts), ("paths", Self::Paths), ("wildcards", Self::Wildcards), ("headers", Self::Headers)];

    /// A request that the rollout of this number covers, with further headers.
    pub fn request(self, rollout: usize, headers: &[(&'static str, &str)]) -> Request {
        let headers = [&[("x-region", "eu"), ("x-team", "qa")], headers].concat();
        let path = format!("/shop/{rollout}/reviews?page=2");
        let host = match self {
            Self::Hosts | Self::Headers => format!("h{rollout}.example.com"),
            Self::Paths => "shop.example.com".to_owned(),
            Self::Wildcards => format!("www.h{rollout}.example.com"),
        };
        Request::to(&host, &path, &headers)
    }

    fn field(self, n: usize) -> String {
        format!(r#""match": [{}], "#, self.entry(n))
    }

    fn entry(self, n: usize) -> String {
        match self {
            Self::Hosts => format!(r#"{{"hosts": ["h{n}.example.com"], "path": {{"prefix": "/shop/{n}"}}}}"#),
            Self::Paths => format!(r#"{{"hosts": ["shop.example.com"], "path": {{"prefix": "/shop/{n}"}}}}"#),
            Self::Wildcards => format!(r#"{{"hosts": ["*.h{n}.example.com"]}}"#),
            Self::Headers => format!(
                r#"{{"hosts": ["h{n}.example.com"],
                    "headers": [{{"name": "x-region", "exact": "eu"}}, {{"name": "x-team", "in": ["dev", "qa"]}}]}}"#
            ),
        }
    }
}

/// A document with so many rollouts; a single one covers every request.
pub fn document(rollouts: usize, covers: Covers) -> String {
    document_with(rollouts, covers, "")
}

/// The same with more fields in every rollout, each with a comma behind it.
pub fn document_with(rollouts: usize, covers: Covers, fields: &str) -> String {
    let matches = |n| if rollouts == 1 { String::new() } else { covers.field(n) };
    listed(rollouts, |n| matches(n) + fields)
}

/// As [`document`], but a single rollout covers only what it would among others.
pub fn matching_document(rollouts: usize, covers: Covers) -> String {
    listed(rollouts, |n| covers.field(n))
}

fn listed(rollouts: usize, fields: impl Fn(usize) -> String) -> String {
    let rollout = |n: usize| {
        format!(
            r#""r{n}": {{{}"stable": "v1", "versions": {{"v1": {{"cluster": "c1"}}, "v2": {{"cluster": "c2", "weight": 10}}}},
               "override": {{"header": "x-canary"}}, "sticky": {{"unit": [{{"header": "x-user-id"}}]}}}}"#,
            fields(n)
        )
    };
    let listed: Vec<String> = (0..rollouts).map(rollout).collect();
    format!(r#"{{"rollouts": {{{}}}}}"#, listed.join(","))
}
