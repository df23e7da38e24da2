//! The callbacks that an instance exports, ready to be called.

use wasmtime::{Instance, Store, TypedFunc};

use crate::catalog::{CALLBACKS, Callback};
use crate::module::ALLOCATORS;
use crate::vm::state::State;

/// The callbacks of one instance.
pub(crate) struct Exports([Option<Typed>; CALLBACKS.len()]);

/// A function by its signature: so many words, and whether it gives one back.
enum Typed {
    None0(TypedFunc<(), ()>),
    None1(TypedFunc<u32, ()>),
    None2(TypedFunc<(u32, u32), ()>),
    None3(TypedFunc<(u32, u32, u32), ()>),
    None5(TypedFunc<(u32, u32, u32, u32, u32), ()>),
    Word0(TypedFunc<(), u32>),
    Word1(TypedFunc<u32, u32>),
    Word2(TypedFunc<(u32, u32), u32>),
    Word3(TypedFunc<(u32, u32, u32), u32>),
}

impl Exports {
    /// Finds what is there; [`Module`](crate::Module) has checked the signatures.
    pub(crate) fn find(instance: &Instance, store: &mut Store<State>) -> Self {
        Self(CALLBACKS.map(|(name, arguments, results)| {
            let function = instance.get_func(&mut *store, name)?;
            Some(match (arguments, results) {
                (0, 0) => Typed::None0(function.typed(&store).ok()?),
                (1, 0) => Typed::None1(function.typed(&store).ok()?),
                (2, 0) => Typed::None2(function.typed(&store).ok()?),
                (3, 0) => Typed::None3(function.typed(&store).ok()?),
                (5, 0) => Typed::None5(function.typed(&store).ok()?),
                (0, _) => Typed::Word0(function.typed(&store).ok()?),
                (1, _) => Typed::Word1(function.typed(&store).ok()?),
                (2, _) => Typed::Word2(function.typed(&store).ok()?),
                _ => Typed::Word3(function.typed(&store).ok()?),
            })
        }))
    }

    /// Whether the callback is exported.
    pub(crate) fn has(&self, callback: Callback) -> bool {
        self.0[callback as usize].is_some()
    }

    /// Calls it with the words that it takes, and gives its result (0 if it has none); `None` if it is not exported.
    pub(crate) fn call(
        &self,
        store: &mut Store<State>,
        callback: Callback,
        words: [u32; 5],
    ) -> Option<wasmtime::Result<u32>> {
        let [a, b, c, d, e] = words;
        Some(match self.0[callback as usize].as_ref()? {
            Typed::None0(function) => function.call(store, ()).map(|()| 0),
            Typed::None1(function) => function.call(store, a).map(|()| 0),
            Typed::None2(function) => function.call(store, (a, b)).map(|()| 0),
            Typed::None3(function) => function.call(store, (a, b, c)).map(|()| 0),
            Typed::None5(function) => function.call(store, (a, b, c, d, e)).map(|()| 0),
            Typed::Word0(function) => function.call(store, ()),
            Typed::Word1(function) => function.call(store, a),
            Typed::Word2(function) => function.call(store, (a, b)),
            Typed::Word3(function) => function.call(store, (a, b, c)),
        })
    }
}

/// The guest's allocator.
pub(crate) fn allocator(instance: &Instance, store: &mut Store<State>) -> Option<TypedFunc<u32, u32>> {
    ALLOCATORS.iter().find_map(|name| instance.get_typed_func(&mut *store, name).ok())
}
