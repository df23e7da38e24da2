//! The roots and streams of a VM, by the ids that the host gives them.
//!
//! They are borrowed while a callback runs. That cannot go wrong: during a host call the host calls nothing of ours but
//! `proxy_on_memory_allocate`, which knows no contexts.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;

use hashbrown::HashMap;
use serin_core::list;

use crate::http::Stream;
use crate::root::Root;

thread_local! {
    /// Sorted by id. There are few of them.
    static ROOTS: RefCell<Vec<(u32, Root)>> = const { RefCell::new(Vec::new()) };
    static STREAMS: RefCell<HashMap<u32, Stream, Ids>> = const { RefCell::new(HashMap::with_hasher(Ids)) };
}

/// Begins a root.
pub(crate) fn begin_root(id: u32) {
    ROOTS.with_borrow_mut(|roots| {
        if let Err(at) = place(roots, id) {
            roots.insert(at, (id, Root::new(id)));
        }
    });
}

/// Begins a stream of a root. One whose root is not known is left alone: no callback finds it.
pub(crate) fn begin_stream(id: u32, root: u32) {
    let configured = with_root(root, |root| Rc::clone(root.configured()));
    if let Some(configured) = configured {
        STREAMS.with_borrow_mut(|streams| streams.insert(id, Stream::new(configured)));
    }
}

/// Runs a callback of a root, if there is one of this id.
pub(crate) fn with_root<T>(id: u32, callback: impl FnOnce(&mut Root) -> T) -> Option<T> {
    ROOTS.with_borrow_mut(|roots| {
        let at = place(roots, id).ok()?;
        roots.get_mut(at).map(|(_, root)| callback(root))
    })
}

/// Runs a callback of a stream, if there is one of this id.
pub(crate) fn with_stream(id: u32, callback: impl FnOnce(&mut Stream)) {
    STREAMS.with_borrow_mut(|streams| streams.get_mut(&id).map(callback));
}

/// Ends a stream or a root. Streams that a root still has keep what they work by.
pub(crate) fn end(id: u32) {
    match STREAMS.with_borrow_mut(|streams| streams.remove(&id)) {
        Some(stream) => stream.end(),
        None => {
            let root = ROOTS.with_borrow_mut(|roots| list::remove(roots, place(roots, id).ok()?));
            drop(root);
        }
    }
}

/// Calls `look` with every stream.
pub(crate) fn each_stream(look: impl FnMut(&mut Stream)) {
    STREAMS.with_borrow_mut(|streams| streams.values_mut().for_each(look));
}

fn place(roots: &[(u32, Root)], id: u32) -> Result<usize, usize> {
    roots.binary_search_by_key(&id, |(id, _)| *id)
}

/// Spreads ids, which the host counts up and no client chooses. The table takes a place from the lower bits of a hash and a
/// tag from higher ones; multiplied by an odd number, the lower bits of different ids stay different and the others differ.
#[derive(Clone, Copy)]
struct Ids;

impl BuildHasher for Ids {
    type Hasher = Id;

    fn build_hasher(&self) -> Id {
        Id(0)
    }
}

struct Id(u64);

impl Hasher for Id {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, id: u32) {
        /// 2^64 divided by the golden ratio, odd.
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(GOLDEN);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
