//! Documents and requests that the benches share.

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

impl Source for &Request {
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_bytes().to_vec())
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

/// A document with so many rollouts, each for a host and a path of its own; of one rollout, for every request.
pub fn document(rollouts: usize) -> String {
    let rollout = |n: usize| {
        let covers = if rollouts == 1 {
            String::new()
        } else {
            format!(r#""match": [{{"hosts": ["h{n}.example.com"], "path": {{"prefix": "/shop/{n}"}}}}], "#)
        };
        format!(
            r#""r{n}": {{{covers}"stable": "v1", "versions": {{"v1": {{"cluster": "c1"}}, "v2": {{"cluster": "c2", "weight": 10}}}},
               "override": {{"header": "x-canary"}}, "sticky": {{"unit": [{{"header": "x-user-id"}}]}}}}"#
        )
    };
    let listed: Vec<String> = (0..rollouts).map(rollout).collect();
    format!(r#"{{"rollouts": {{{}}}}}"#, listed.join(","))
}
