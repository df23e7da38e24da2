//! Where routes lead, and how files write it.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{FilterSwitch, Route, RouteMatch};

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this cluster.
    Cluster(String),
    /// To the cluster that this header of the request names.
    ClusterHeader(String),
    /// To one of several clusters.
    Weighted(Weighted),
    /// Nowhere: an answer with this status at once.
    Respond(u16),
}

/// Clusters with weights. A random number, or that in a header of the request, picks one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// The clusters with their weights, in the order in which a number counts through them.
    pub clusters: Vec<(String, u32)>,
    /// The request header whose number picks, where it holds one.
    pub by_header: Option<String>,
}

/// A route as files write it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteFile {
    #[serde(rename = "match")]
    matches: RouteMatch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weighted: Option<Shares>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weighted_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    respond: Option<u16>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<FilterSwitch>,
}

impl TryFrom<RouteFile> for Route {
    type Error = &'static str;

    fn try_from(file: RouteFile) -> Result<Self, Self::Error> {
        if file.weighted_by.is_some() && file.weighted.is_none() {
            return Err("`weighted_by` needs `weighted`");
        }
        let target = match (file.cluster, file.cluster_header, file.weighted, file.respond) {
            (Some(cluster), None, None, None) => Target::Cluster(cluster),
            (None, Some(header), None, None) => Target::ClusterHeader(header),
            (None, None, Some(Shares(clusters)), None) => {
                if clusters.iter().all(|(_, weight)| *weight == 0) {
                    return Err("the weights of a route must not all be 0");
                }
                Target::Weighted(Weighted { clusters, by_header: file.weighted_by })
            }
            (None, None, None, Some(status)) => Target::Respond(status),
            _ => return Err("a route needs `cluster`, `cluster_header`, `weighted` or `respond`, one of them"),
        };
        Ok(Self { matches: file.matches, target, remove: file.remove, filter: file.filter })
    }
}

impl From<Route> for RouteFile {
    fn from(route: Route) -> Self {
        let Route { matches, target, remove, filter } = route;
        let (cluster, cluster_header, weighted, weighted_by, respond) = (None, None, None, None, None);
        let mut file = Self { matches, cluster, cluster_header, weighted, weighted_by, respond, remove, filter };
        match target {
            Target::Cluster(cluster) => file.cluster = Some(cluster),
            Target::ClusterHeader(header) => file.cluster_header = Some(header),
            Target::Weighted(Weighted { clusters, by_header }) => {
                (file.weighted, file.weighted_by) = (Some(Shares(clusters)), by_header);
            }
            Target::Respond(status) => file.respond = Some(status),
        }
        file
    }
}

/// A mapping whose order counts.
struct Shares(Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Shares;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from clusters to weights")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shares, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Shares(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl Serialize for Shares {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (cluster, weight) in &self.0 {
            map.serialize_entry(cluster, weight)?;
        }
        map.end()
    }
}
