//! The metrics of a VM by id: ids belong to a VM, values to the whole proxy.

use std::collections::BTreeMap;

use crate::shared::MetricKind;

/// The metrics that a VM has defined.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    known: BTreeMap<u32, (MetricKind, String)>,
    /// The last id of each kind; ids of one kind are four apart.
    last: [u32; 3],
}

impl Metrics {
    /// A new id, also for a name that has one.
    pub(crate) fn define(&mut self, kind: MetricKind, name: String) -> u32 {
        let last = &mut self.last[kind as usize];
        *last = last.wrapping_add(4);
        let id = *last + kind as u32;
        self.known.insert(id, (kind, name));
        id
    }

    pub(crate) fn get(&self, id: u32) -> Option<&(MetricKind, String)> {
        self.known.get(&id)
    }

    /// The kind that an id speaks of, whether it is known or not.
    pub(crate) fn kind_of(id: u32) -> Option<MetricKind> {
        [MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram].into_iter().find(|kind| *kind as u32 == id % 4)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}
