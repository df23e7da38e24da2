//! A plugin as a proxy's configuration gives it: one root context in each VM.

use std::collections::BTreeMap;

use crate::proxy::Direction;

/// A property's path, its parts joined by NUL as they come from the guest.
pub(crate) type PropertyPath = Vec<u8>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) configuration: Vec<u8>,
    /// Readable in every context.
    pub(crate) properties: BTreeMap<PropertyPath, Vec<u8>>,
    /// Readable in streams only: what Envoy takes from the stream's listener, connection or route.
    pub(crate) stream_properties: BTreeMap<PropertyPath, Vec<u8>>,
}

impl Plugin {
    /// Sets the direction of the listeners that it serves.
    pub(crate) fn direct(&mut self, direction: Direction) {
        let value = (direction as i64).to_le_bytes().to_vec();
        self.stream_properties.insert(property_path("xds.listener_direction"), value);
    }

    /// A property that every context of the plugin can read.
    pub(crate) fn property(&self, path: &[u8]) -> Option<&[u8]> {
        match path {
            b"plugin_name" => Some(self.name.as_bytes()),
            b"plugin_root_id" => Some(self.root_id.as_bytes()),
            _ => self.properties.get(path).map(Vec::as_slice),
        }
    }
}

/// `xds.node.id` as the guest sends it. A path with a part that has dots of its own comes with NULs already.
pub(crate) fn property_path(dotted: &str) -> PropertyPath {
    if dotted.contains('\0') { dotted.as_bytes().to_vec() } else { dotted.replace('.', "\0").into_bytes() }
}
