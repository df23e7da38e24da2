//! The clusters and routes of files that name none.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;

use crate::routes::{Cluster, Route, RouteTable};

/// The name of the file that has them.
const FILE: &str = "defaults.yaml";
/// The one cluster where no such file is.
const CLUSTER: &str = "v1";

/// Clusters and routes for scenarios that name none.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Defaults {
    clusters: BTreeMap<String, Cluster>,
    routes: Vec<Route>,
}

impl Default for Defaults {
    fn default() -> Self {
        let RouteTable { clusters, routes } = RouteTable::new(&[CLUSTER], vec![Route::to(CLUSTER)]);
        Self { clusters, routes }
    }
}

impl Defaults {
    /// Those for a file: of the folder that it is in, or of the one above.
    pub(super) fn of(file: &Path) -> Result<Self> {
        let folders = file.ancestors().skip(1).take(2);
        let found = folders.map(|folder| folder.join(FILE)).find(|defaults| defaults.is_file());
        found.map_or_else(|| Ok(Self::default()), |defaults| Self::read(&defaults))
    }

    /// Those of a folder, if it has some.
    pub(super) fn in_folder(folder: &Path) -> Result<Option<Self>> {
        let file = folder.join(FILE);
        file.is_file().then(|| Self::read(&file)).transpose()
    }

    /// Whether a file has defaults and is no scenario.
    pub(super) fn is_file(file: &Path) -> bool {
        file.file_name().is_some_and(|name| name == FILE)
    }

    fn read(file: &Path) -> Result<Self> {
        let place = || file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(place)?;
        serde_saphyr::from_str(&text).map_err(|error| anyhow!("{error}")).with_context(place)
    }

    /// The table of a file that names these.
    pub(super) fn table(&self, clusters: Option<BTreeMap<String, Cluster>>, routes: Option<Vec<Route>>) -> RouteTable {
        RouteTable {
            clusters: clusters.unwrap_or_else(|| self.clusters.clone()),
            routes: routes.unwrap_or_else(|| self.routes.clone()),
        }
    }
}
