//! The hosts that a proxy can be like.

use std::fmt;

/// An Envoy, or an Envoy as a platform runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Envoy 1.36, which provides 18 functions of WASI and no `sign`.
    #[default]
    Envoy1_36,
    /// Envoy 1.40, which provides all of WASI's functions that its host names.
    Envoy1_40,
    /// Istio's sidecar or gateway (on Envoy 1.36): the VM's id is empty whatever is asked for, the plugin's name is
    /// `namespace.name`, and the node's id is a sidecar's.
    Istio,
    /// Envoy Gateway (on Envoy 1.36): the VM's id is the plugin's name, and the filter is off but on routes that enable it,
    /// where a table of routes has such routes at all.
    EnvoyGateway,
}

/// Versions of Envoy at which what a guest sees has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V1_36,
    V1_37,
    V1_39,
    V1_40,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Envoy1_36, Self::Envoy1_40, Self::Istio, Self::EnvoyGateway];

    pub(crate) fn version(self) -> Version {
        match self {
            Self::Envoy1_40 => Version::V1_40,
            Self::Envoy1_36 | Self::Istio | Self::EnvoyGateway => Version::V1_36,
        }
    }

    /// The id of the VM for a plugin that asks for this one.
    pub(crate) fn vm_id(self, asked: &str, plugin: &str) -> String {
        match self {
            Self::Istio => String::new(),
            Self::EnvoyGateway if asked.is_empty() => plugin.to_owned(),
            _ => asked.to_owned(),
        }
    }

    /// The node's id, as `xds.node.id` gives it.
    pub(crate) fn node_id(self) -> &'static str {
        match self {
            Self::Istio => "sidecar~10.0.0.1~app-0.default~default.svc.cluster.local",
            Self::EnvoyGateway => "envoy-default-gateway-0",
            Self::Envoy1_36 | Self::Envoy1_40 => "envoy",
        }
    }

    /// The plugin's name where a test gives none.
    pub(crate) fn plugin_name(self) -> &'static str {
        if self == Self::Istio { "default.filter" } else { "filter" }
    }

    /// Foreign functions that it knows by name.
    pub(crate) fn foreign_functions(self) -> &'static [&'static str] {
        const ALL: [&str; 10] = [
            "verify_signature",
            "compress",
            "uncompress",
            "set_envoy_filter_state",
            "clear_route_cache",
            "expr_create",
            "expr_evaluate",
            "expr_delete",
            "declare_property",
            "sign",
        ];
        if self.version() >= Version::V1_37 { &ALL } else { &ALL[..9] }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envoy1_36 => "envoy-1.36",
            Self::Envoy1_40 => "envoy-1.40",
            Self::Istio => "istio",
            Self::EnvoyGateway => "envoy-gateway",
        })
    }
}
