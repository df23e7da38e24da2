//! Empties the SDK's own host calls, so that what only they needed is collected.
//!
//! The filter makes every call itself, so none of them is ever made; and one that were made would panic on whatever it
//! did not expect, which is the same trap. They are only kept by the tables of the SDK's traits; that no callback calls
//! one of them directly is checked, since the optimiser decides what ends up in which function.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use walrus::ir::{Call, ReturnCall, Visitor, dfs_in_order};
use walrus::{ExportItem, FunctionBuilder, FunctionId, FunctionKind, ImportKind, LocalFunction, Module};

use super::PROXY_MODULE;

/// Stands in the symbol of every function of the SDK, and in those of the filter that implement its traits.
const SDK: &str = "proxy_wasm";
/// Stands in the symbol of what seeds the hashes of the SDK's maps; ours have hashes of their own.
const SEEDS: &str = "foldhash";
/// Stands in the symbol of every function of the filter.
const OURS: &str = "serin";

/// Makes a trap of every function of the SDK that makes a host call, and of what its maps alone need.
///
/// # Errors
/// If an export, or a function that is called from one without a table between, is such a function.
pub(super) fn empty(module: &mut Module) -> Result<()> {
    let seeds =
        module.funcs.iter().filter(|function| function.name.as_deref().is_some_and(|name| name.contains(SEEDS)));
    let wrappers = &wrappers(module) | &seeds.map(walrus::Function::id).collect();
    if let Some(id) = reached(module).intersection(&wrappers).next() {
        let name = module.funcs.get(*id).name.as_deref().unwrap_or_default();
        bail!("a callback makes host calls through the SDK or uses its hashes, in {name}");
    }
    wrappers.into_iter().for_each(|id| make_trap(module, id));
    Ok(())
}

/// Replaces what a function does by a trap.
pub(super) fn make_trap(module: &mut Module, id: FunctionId) {
    let ty = module.types.get(module.funcs.get(id).ty());
    let (params, results) = (ty.params().to_vec(), ty.results().to_vec());
    let args = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut body = FunctionBuilder::new(&mut module.types, &params, &results);
    body.func_body().unreachable();
    module.funcs.get_mut(id).kind = FunctionKind::Local(body.local_func(args));
}

/// The functions of the SDK that make host calls, themselves or through another one of the SDK.
fn wrappers(module: &Module) -> BTreeSet<FunctionId> {
    let host_calls = module.imports.iter().filter(|import| import.module == PROXY_MODULE);
    let host_calls: BTreeSet<FunctionId> = host_calls
        .filter_map(|import| match import.kind {
            ImportKind::Function(id) => Some(id),
            _ => None,
        })
        .collect();
    let of_sdk = |name: &str| name.contains(SDK) && !name.contains(OURS);
    let locals = module.funcs.iter_local();
    let mut others: Vec<(FunctionId, BTreeSet<FunctionId>)> = locals
        .filter(|(id, _)| module.funcs.get(*id).name.as_deref().is_some_and(of_sdk))
        .map(|(id, function)| (id, called_by(function)))
        .collect();
    let mut make_them = host_calls.clone();
    loop {
        let (found, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, called)| !called.is_disjoint(&make_them));
        if found.is_empty() {
            return &make_them - &host_calls;
        }
        others = rest;
        make_them.extend(found.into_iter().map(|(id, _)| id));
    }
}

/// The functions that run when the host calls in, as far as they are called by name and not through a table.
fn reached(module: &Module) -> BTreeSet<FunctionId> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<FunctionId> = module
        .exports
        .iter()
        .filter_map(|export| match export.item {
            ExportItem::Function(id) => Some(id),
            _ => None,
        })
        .collect();
    while let Some(id) = next.pop() {
        if let (true, FunctionKind::Local(function)) = (reached.insert(id), &module.funcs.get(id).kind) {
            next.extend(called_by(function));
        }
    }
    reached
}

fn called_by(function: &LocalFunction) -> BTreeSet<FunctionId> {
    let mut calls = Calls(BTreeSet::new());
    dfs_in_order(&mut calls, function, function.entry_block());
    calls.0
}

/// Collects the functions that are called by name.
struct Calls(BTreeSet<FunctionId>);

impl<'instr> Visitor<'instr> for Calls {
    fn visit_call(&mut self, call: &Call) {
        self.0.insert(call.func);
    }

    fn visit_return_call(&mut self, call: &ReturnCall) {
        self.0.insert(call.func);
    }
}
