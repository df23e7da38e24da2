//! The choice of a route for a request, and the answers that Envoy gives where the choice leads nowhere.

use super::{
    Cluster, FilterSwitch, HeaderMatch, HeaderTest, PathMatch, Route, RouteMatch, RouteTable, Target, Weighted,
};
use crate::headers::HeaderMap;

/// What a table makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it goes.
    pub destination: Destination,
    /// The cluster that the route names, whether there is such a one or not.
    pub cluster: Option<String>,
    /// Headers that the upstream does not get.
    pub remove: Vec<String>,
    /// The switch of the filter on this route.
    pub filter: Option<FilterSwitch>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To the upstream of this cluster.
    Upstream(String),
    /// To none: Envoy answers itself.
    Local(LocalReply),
}

/// An answer of Envoy itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// Its status.
    pub status: u16,
    /// Its body; that of a refused connection goes on with words that depend on Envoy's version.
    pub body: &'static str,
    /// `response.flags`.
    pub flags: u64,
    /// `response.code_details`.
    pub details: &'static str,
}

impl LocalReply {
    /// No route matches.
    pub const NO_ROUTE: Self = Self { status: 404, body: "", flags: 0x100, details: "route_not_found" };
    /// The route's cluster is not known.
    pub const NO_CLUSTER: Self = Self { status: 503, body: "", flags: 0x100_0000, details: "cluster_not_found" };
    /// The cluster has no endpoint.
    pub const NO_ENDPOINT: Self =
        Self { status: 503, body: "no healthy upstream", flags: 0x2, details: "no_healthy_upstream" };
    /// The cluster's endpoint refuses connections.
    pub const REFUSED: Self = Self {
        status: 503,
        body: "upstream connect error or disconnect/reset before headers.",
        flags: 0x20,
        details: "upstream_reset_before_response_started{remote_connection_failure}",
    };

    /// The upstream resets the stream.
    pub const RESET: Self = Self {
        status: 503,
        body: "upstream connect error or disconnect/reset before headers.",
        flags: 0x10,
        details: "upstream_reset_before_response_started{remote_reset}",
    };

    /// The upstream does not answer in time.
    pub const TIMEOUT: Self =
        Self { status: 504, body: "upstream request timeout", flags: 0x4, details: "response_timeout" };

    /// A route that answers itself.
    fn direct(status: u16) -> Self {
        Self { status, body: "", flags: 0, details: "direct_response" }
    }
}

impl RouteTable {
    /// What becomes of a request with these headers. `random` picks among weighted clusters.
    pub fn choose(&self, request: &HeaderMap, random: u64) -> Choice {
        let Some(route) = self.routes.iter().find(|route| route.matches.holds(request)) else {
            let destination = Destination::Local(LocalReply::NO_ROUTE);
            return Choice { destination, cluster: None, remove: Vec::new(), filter: None };
        };
        let (destination, cluster) = match route.cluster(request, random) {
            Ok(name) => (self.destination(&name), Some(name).filter(|name| !name.is_empty())),
            Err(status) => (Destination::Local(LocalReply::direct(status)), None),
        };
        Choice { destination, cluster, remove: route.remove.clone(), filter: route.filter }
    }

    fn destination(&self, cluster: &str) -> Destination {
        match self.clusters.get(cluster) {
            Some(Cluster::Serves) => Destination::Upstream(cluster.to_owned()),
            Some(Cluster::Empty) => Destination::Local(LocalReply::NO_ENDPOINT),
            Some(Cluster::Refuses) => Destination::Local(LocalReply::REFUSED),
            None => Destination::Local(LocalReply::NO_CLUSTER),
        }
    }
}

impl Route {
    /// The cluster's name, empty where the header that has it is not there; or the status of an answer at once.
    fn cluster(&self, request: &HeaderMap, random: u64) -> Result<String, u16> {
        match &self.target {
            Target::Cluster(name) => Ok(name.clone()),
            Target::ClusterHeader(header) => Ok(request.text(header).unwrap_or_default()),
            Target::Weighted(weighted) => Ok(weighted.pick(request, random)),
            Target::Respond(status) => Err(*status),
        }
    }
}

impl Weighted {
    fn pick(&self, request: &HeaderMap, random: u64) -> String {
        let total: u64 = self.clusters.iter().map(|(_, weight)| u64::from(*weight)).sum();
        // Envoy takes a header's number only where the header is there once.
        let number = |header: &String| match request.all(header).as_slice() {
            [value] => std::str::from_utf8(value).ok()?.parse().ok(),
            _ => None,
        };
        let given = self.by_header.as_ref().and_then(number);
        let mut left = given.unwrap_or(random) % total.max(1);
        for (cluster, weight) in &self.clusters {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return cluster.clone(),
            }
        }
        String::new()
    }
}

impl RouteMatch {
    /// Whether a request is so.
    fn holds(&self, request: &HeaderMap) -> bool {
        let path = request.text(":path").unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let right_path = match &self.path {
            PathMatch::Prefix(prefix) => path.starts_with(prefix.as_str()),
            PathMatch::Exact(exact) => path == exact,
        };
        right_path && self.headers.iter().all(|header| header.holds(request))
    }
}

impl HeaderMatch {
    fn holds(&self, request: &HeaderMap) -> bool {
        let values = request.all(&self.name);
        let joined = values.join(&b","[..]);
        let holds = match &self.test {
            HeaderTest::Present(present) => values.is_empty() != *present,
            _ if values.is_empty() => return false,
            HeaderTest::Exact(value) => joined == value.as_bytes(),
            HeaderTest::Prefix(prefix) => joined.starts_with(prefix.as_bytes()),
        };
        holds != self.invert
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> HeaderMap {
        HeaderMap::request().with(":path", path)
    }

    fn to(table: &RouteTable, request: &HeaderMap) -> Destination {
        table.choose(request, 0).destination
    }

    fn upstream(name: &str) -> Destination {
        Destination::Upstream(name.to_owned())
    }

    #[track_caller]
    fn check(match_: &str, request: &HeaderMap, holds: bool) {
        let matches: RouteMatch = serde_saphyr::from_str(match_).unwrap();
        assert_eq!(matches.holds(request), holds, "{match_}");
    }

    #[test]
    fn the_first_route_that_matches_is_taken() {
        let table = RouteTable::new(&["v1", "v2"], vec![Route::to("v2").when("x-v", "2"), Route::to("v1")]);
        assert_eq!(upstream("v1"), to(&table, &request("/")));
        assert_eq!(upstream("v2"), to(&table, &request("/").with("X-V", "2")));
        assert_eq!(upstream("v1"), to(&table, &request("/").with("x-v", "2").with("x-v", "2")));
    }

    #[test]
    fn a_path_is_held_against_a_route_without_its_query() {
        for (match_, path, holds) in [
            ("{prefix: /a}", "/ab?c", true),
            ("{prefix: /a}", "/b?/a", false),
            ("{path: /a}", "/a?b#c", true),
            ("{path: /a}", "/a/", false),
        ] {
            check(match_, &request(path), holds);
        }
    }

    #[test]
    fn headers_are_matched_as_envoy_does() {
        let with = |name, value| request("/").with(name, value);
        for (header, request, holds) in [
            ("present: true", with("a", ""), true),
            ("present: true", with("b", ""), false),
            ("present: false", with("b", ""), true),
            ("present: true, invert: true", with("b", ""), true),
            ("exact: x", with("a", "x"), true),
            ("exact: x", with("a", "xy"), false),
            ("exact: x, invert: true", with("a", "y"), true),
            ("exact: x, invert: true", with("b", "y"), false),
            ("exact: 'x,y'", with("a", "x").with("a", "y"), true),
            ("prefix: x", with("a", "xy"), true),
            ("prefix: x, invert: true", with("a", "xy"), false),
        ] {
            check(&format!("{{prefix: /, headers: [{{name: a, {header}}}]}}"), &request, holds);
        }
    }

    #[test]
    fn a_cluster_that_does_not_serve_is_answered_for() {
        let mut table = RouteTable::new(&["v1"], RouteTable::fail_safe_routes("x-c", "v1"));
        table.clusters.extend([("none".to_owned(), Cluster::Empty), ("deaf".to_owned(), Cluster::Refuses)]);
        for (cluster, reply) in [
            ("none", LocalReply::NO_ENDPOINT),
            ("deaf", LocalReply::REFUSED),
            ("other", LocalReply::NO_CLUSTER),
            ("", LocalReply::NO_CLUSTER),
        ] {
            assert_eq!(Destination::Local(reply), to(&table, &request("/").with("x-c", cluster)), "{cluster:?}");
        }
        let choice = table.choose(&request("/").with("x-c", "v1"), 0);
        assert_eq!((upstream("v1"), vec!["x-c".to_owned()]), (choice.destination, choice.remove));
        table.routes.clear();
        assert_eq!(Destination::Local(LocalReply::NO_ROUTE), to(&table, &request("/")));
    }

    #[test]
    fn weights_share_the_numbers_in_their_order() {
        let route = "{match: {prefix: /}, weighted: {b: 3, a: 0, c: 1}, weighted_by: x-slot}";
        let table = RouteTable::new(&["a", "b", "c"], vec![serde_saphyr::from_str(route).unwrap()]);
        let by_number = |random| table.choose(&request("/"), random).destination;
        assert_eq!(["b", "b", "b", "c", "b"].map(upstream), [0, 1, 2, 3, 4].map(by_number));
        for (slots, cluster) in [(&["7"][..], "c"), (&["no number"], "b"), (&["7", "7"], "b"), (&[], "b")] {
            let request = slots.iter().fold(request("/"), |request, slot| request.with("x-slot", slot));
            assert_eq!(upstream(cluster), to(&table, &request), "{slots:?}");
        }
    }

    #[test]
    fn a_route_is_read_and_written_alike() {
        for route in [
            "{match: {path: /a, headers: [{name: b, present: false}]}, respond: 418, filter: {disabled: true}}",
            "{match: {prefix: /}, cluster_header: x-c, remove: [x-c]}",
            "{match: {prefix: /}, weighted: {z: 1, a: 2}, weighted_by: x-slot}",
        ] {
            let read: Route = serde_saphyr::from_str(route).unwrap();
            let written = serde_saphyr::to_string(&read).unwrap();
            assert_eq!(read, serde_saphyr::from_str::<Route>(&written).unwrap(), "{written}");
        }
        for (route, complaint) in [
            ("{match: {prefix: /}, cluster: a, respond: 200}", "one of them"),
            ("{match: {}, cluster: a}", "`prefix` or `path`"),
            ("{match: {prefix: /}, weighted: {a: 0}}", "must not all be 0"),
            ("{match: {prefix: /}, clusters: a}", "unknown field"),
        ] {
            let error = serde_saphyr::from_str::<Route>(route).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
