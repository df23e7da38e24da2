//! The headers that carry a decision.

use crate::header::HeaderName;

/// The headers that carry a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputHeaders {
    pub(crate) on_request: Vec<Output>,
    pub(crate) answer: Option<HeaderName>,
}

impl OutputHeaders {
    /// Those of the request, which never come in from a client.
    #[inline]
    pub fn on_request(&self) -> &[Output] {
        &self.on_request
    }

    /// The response header with rollout/version/reason.
    #[inline]
    pub fn answer(&self) -> Option<&HeaderName> {
        self.answer.as_ref()
    }

    /// Whether a request header of this name carries a part.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.on_request.iter().any(|output| output.name.as_str() == name)
    }

    /// These, and the default ones that are not among them.
    pub(crate) fn with_defaults(mut self) -> Self {
        for output in Self::default().on_request {
            if !self.has(output.name.as_str()) {
                self.on_request.push(output);
            }
        }
        self
    }

    /// The request header that carries this part.
    #[inline]
    pub(crate) fn carrying(&self, kind: OutputKind) -> Option<&HeaderName> {
        self.on_request.iter().find(|output| output.kind == kind).map(|output| &output.name)
    }
}

/// A request header that carries a part of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Which part.
    pub kind: OutputKind,
    /// The header's name.
    pub name: HeaderName,
}

/// The parts of a decision that a request header may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// The version's name.
    Version,
    /// The version's cluster.
    Cluster,
    /// The slot's number.
    Slot,
    /// The reason.
    Reason,
}

impl Default for OutputHeaders {
    fn default() -> Self {
        Self {
            on_request: vec![Output { kind: OutputKind::Version, name: HeaderName::X_CANARY_VERSION }],
            answer: None,
        }
    }
}
