//! Queues between VMs, as `src/shared_queue.cc` of proxy-wasm-cpp-host keeps them.

use std::collections::{BTreeMap, VecDeque};

use crate::status::Status;

/// All queues of a proxy, by the number that guests know them by.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    tokens: BTreeMap<(String, Vec<u8>), u32>,
    queues: BTreeMap<u32, Queue>,
    /// Consumers that are to be told, in order.
    ready: VecDeque<Ready>,
}

#[derive(Debug)]
struct Queue {
    /// The VM and the root that registered last.
    vm: u64,
    root: u32,
    items: VecDeque<Vec<u8>>,
}

/// A root that is to be told that its queue has something.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) vm: u64,
    pub(crate) root: u32,
    pub(crate) token: u32,
}

impl Queues {
    /// The queue of that name, a new one if there is none; the root of this VM is its consumer from now on.
    pub(crate) fn register(&mut self, vm_id: &str, name: &[u8], vm: u64, root: u32) -> u32 {
        let next = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX).saturating_add(1);
        let token = *self.tokens.entry((vm_id.to_owned(), name.to_vec())).or_insert(next);
        let items = self.queues.remove(&token).map(|queue| queue.items).unwrap_or_default();
        self.queues.insert(token, Queue { vm, root, items });
        token
    }

    pub(crate) fn resolve(&self, vm_id: &str, name: &[u8]) -> Result<u32, Status> {
        self.tokens.get(&(vm_id.to_owned(), name.to_vec())).copied().ok_or(Status::NotFound)
    }

    pub(crate) fn enqueue(&mut self, token: u32, item: Vec<u8>) -> Result<(), Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.push_back(item);
        self.ready.push_back(Ready { vm: queue.vm, root: queue.root, token });
        Ok(())
    }

    pub(crate) fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        self.queues.get_mut(&token).ok_or(Status::NotFound)?.items.pop_front().ok_or(Status::Empty)
    }

    /// The next consumer to be told.
    pub(crate) fn next_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }
}
