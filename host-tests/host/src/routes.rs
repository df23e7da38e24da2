//! The small route model: which cluster a request goes to, and what becomes of it where there is none.
//!
//! It is pure and knows no VM: a table, a request's headers and a random number give a [`Choice`]. What it models is what
//! Envoy's router does with `RouteMatch`, `cluster`, `cluster_header`, `weighted_clusters`, `direct_response` and the
//! per-route switch of a filter.

mod choose;
mod target;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use choose::{Choice, Destination, LocalReply};
pub use target::{Target, Weighted};

/// A virtual host for all domains: the clusters that there are, and routes of which the first that matches is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// The clusters by name; a name that is not here is unknown.
    pub clusters: BTreeMap<String, Cluster>,
    /// The routes, in order.
    pub routes: Vec<Route>,
}

impl RouteTable {
    /// A table of these routes, with a cluster that serves for each of `clusters`.
    pub fn new(clusters: &[&str], routes: Vec<Route>) -> Self {
        let clusters = clusters.iter().map(|name| ((*name).to_owned(), Cluster::Serves)).collect();
        Self { clusters, routes }
    }

    /// The table that serves `stable` whatever happens to the filter: a request with `header` goes to the cluster that it
    /// names, without that header; all others go to `stable`.
    pub fn fail_safe_routes(header: &str, stable: &str) -> Vec<Route> {
        let named = Route {
            matches: RouteMatch { path: PathMatch::any(), headers: vec![HeaderMatch::present(header)] },
            target: Target::ClusterHeader(header.to_owned()),
            remove: vec![header.to_owned()],
            filter: None,
        };
        vec![named, Route::to(stable)]
    }
}

/// What is behind a cluster's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "ClusterFile", into = "ClusterFile")]
pub enum Cluster {
    /// A server that answers.
    #[default]
    Serves,
    /// No endpoint at all: `{endpoints: none}`.
    Empty,
    /// An endpoint that refuses connections: `{refuses: true}`.
    Refuses,
}

/// A route: what it matches, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "target::RouteFile", into = "target::RouteFile")]
pub struct Route {
    /// What a request must be.
    pub matches: RouteMatch,
    /// Where it goes.
    pub target: Target,
    /// Headers that go no further than the choice.
    pub remove: Vec<String>,
    /// Whether the filter is switched off or on for the requests whose first match this route is; `None` leaves it to the
    /// listener.
    pub filter: Option<FilterSwitch>,
}

impl Route {
    /// A route for every request.
    pub fn to(cluster: &str) -> Self {
        Self {
            matches: RouteMatch::any(),
            target: Target::Cluster(cluster.to_owned()),
            remove: Vec::new(),
            filter: None,
        }
    }

    /// The same route for those requests only that have this header with this value.
    #[must_use]
    pub fn when(mut self, name: &str, value: &str) -> Self {
        self.matches
            .headers
            .push(HeaderMatch { test: HeaderTest::Exact(value.to_owned()), ..HeaderMatch::present(name) });
        self
    }
}

/// The switch of a filter on one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSwitch {
    /// Whether requests of this route pass by the filter.
    pub disabled: bool,
}

/// What a request must be for a route; all of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "RouteMatchFile", into = "RouteMatchFile")]
pub struct RouteMatch {
    /// How its path must be, without the query.
    pub path: PathMatch,
    /// What its headers must be.
    pub headers: Vec<HeaderMatch>,
}

impl RouteMatch {
    /// Every request.
    pub fn any() -> Self {
        Self { path: PathMatch::any(), headers: Vec::new() }
    }
}

/// How a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// It begins so, be it in the middle of a segment.
    Prefix(String),
    /// It is this one.
    Exact(String),
}

impl PathMatch {
    fn any() -> Self {
        Self::Prefix("/".to_owned())
    }
}

/// What a header must be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "HeaderMatchFile", into = "HeaderMatchFile")]
pub struct HeaderMatch {
    /// Its name.
    pub name: String,
    /// What is asked of it; of a repeated header, of all values joined with commas.
    pub test: HeaderTest,
    /// Whether the opposite is asked. A value is asked only of a header that is there: without it, neither matches.
    pub invert: bool,
}

impl HeaderMatch {
    /// The header is there.
    pub fn present(name: &str) -> Self {
        Self { name: name.to_owned(), test: HeaderTest::Present(true), invert: false }
    }
}

/// What is asked of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderTest {
    /// It is there, or it is not.
    Present(bool),
    /// Its value is this one.
    Exact(String),
    /// Its value begins so.
    Prefix(String),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ClusterFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoints: Option<Endpoints>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refuses: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Endpoints {
    None,
}

impl TryFrom<ClusterFile> for Cluster {
    type Error = &'static str;

    fn try_from(file: ClusterFile) -> Result<Self, Self::Error> {
        match (file.endpoints, file.refuses) {
            (None, false) => Ok(Self::Serves),
            (Some(Endpoints::None), false) => Ok(Self::Empty),
            (None, true) => Ok(Self::Refuses),
            (Some(_), true) => Err("a cluster without endpoints cannot refuse connections"),
        }
    }
}

impl From<Cluster> for ClusterFile {
    fn from(cluster: Cluster) -> Self {
        let endpoints = (cluster == Cluster::Empty).then_some(Endpoints::None);
        Self { endpoints, refuses: cluster == Cluster::Refuses }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RouteMatchFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<HeaderMatch>,
}

impl TryFrom<RouteMatchFile> for RouteMatch {
    type Error = &'static str;

    fn try_from(file: RouteMatchFile) -> Result<Self, Self::Error> {
        let path = match (file.prefix, file.path) {
            (Some(prefix), None) => PathMatch::Prefix(prefix),
            (None, Some(path)) => PathMatch::Exact(path),
            _ => return Err("a match needs `prefix` or `path`, one of them"),
        };
        Ok(Self { path, headers: file.headers })
    }
}

impl From<RouteMatch> for RouteMatchFile {
    fn from(matches: RouteMatch) -> Self {
        let (prefix, path) = match matches.path {
            PathMatch::Prefix(prefix) => (Some(prefix), None),
            PathMatch::Exact(path) => (None, Some(path)),
        };
        Self { prefix, path, headers: matches.headers }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HeaderMatchFile {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    present: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    invert: bool,
}

impl TryFrom<HeaderMatchFile> for HeaderMatch {
    type Error = &'static str;

    fn try_from(file: HeaderMatchFile) -> Result<Self, Self::Error> {
        let test = match (file.present, file.exact, file.prefix) {
            (Some(present), None, None) => HeaderTest::Present(present),
            (None, Some(exact), None) => HeaderTest::Exact(exact),
            (None, None, Some(prefix)) => HeaderTest::Prefix(prefix),
            _ => return Err("a header match needs `present`, `exact` or `prefix`, one of them"),
        };
        Ok(Self { name: file.name, test, invert: file.invert })
    }
}

impl From<HeaderMatch> for HeaderMatchFile {
    fn from(header: HeaderMatch) -> Self {
        let mut file = Self { name: header.name, present: None, exact: None, prefix: None, invert: header.invert };
        match header.test {
            HeaderTest::Present(present) => file.present = Some(present),
            HeaderTest::Exact(exact) => file.exact = Some(exact),
            HeaderTest::Prefix(prefix) => file.prefix = Some(prefix),
        }
        file
    }
}
