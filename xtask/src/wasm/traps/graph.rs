//! Which functions a host can have run, and by which calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use walrus::ir::{Call, CallIndirect, RefFunc, ReturnCall, ReturnCallIndirect, Visitor, dfs_in_order};
use walrus::{ConstExpr, ElementItems, ExportItem, FunctionId, FunctionKind, Module, TypeId};

use super::kind::Kind;

/// Where calls lead to from the exports. A call through a table may be of every function in one that has its type.
pub(super) struct Graph {
    /// Of each function that is reached, the one that calls it; none of what the host calls.
    callers: BTreeMap<FunctionId, Option<FunctionId>>,
    /// Functions that are called in another way than by name.
    by_table: BTreeSet<FunctionId>,
}

impl Graph {
    pub(super) fn of(module: &Module) -> Self {
        let exported = module.exports.iter().filter_map(|export| match export.item {
            ExportItem::Function(id) => Some(id),
            _ => None,
        });
        let tables = tables(module);
        let mut graph = Self { callers: BTreeMap::new(), by_table: BTreeSet::new() };
        let mut next: VecDeque<_> = exported.chain(module.start).collect();
        next.iter().for_each(|id| _ = graph.callers.insert(*id, None));
        while let Some(id) = next.pop_front() {
            let calls = Calls::of(module, id);
            let through = calls.types.iter().filter_map(|ty| tables.get(ty)).flatten().copied();
            let through: BTreeSet<FunctionId> = through.chain(calls.references.iter().copied()).collect();
            for callee in calls.functions.iter().chain(&through) {
                if !graph.callers.contains_key(callee) {
                    graph.callers.insert(*callee, Some(id));
                    next.push_back(*callee);
                }
            }
            graph.by_table.extend(through);
        }
        graph
    }

    /// All functions that are reached.
    pub(super) fn reached(&self) -> impl Iterator<Item = FunctionId> {
        self.callers.keys().copied()
    }

    /// Whether a function is only there to panic, so that what calls it is of interest, and not what it does itself.
    pub(super) fn only_panics(&self, module: &Module, id: FunctionId) -> bool {
        self.is_called_by_name_alone(id)
            && module.funcs.get(id).name.as_deref().is_some_and(|name| Kind::of(name).is_some())
    }

    /// Whether all that calls it are functions that name it, and neither the host nor a call through a table.
    pub(super) fn is_called_by_name_alone(&self, id: FunctionId) -> bool {
        !self.by_table.contains(&id) && self.callers.get(&id).is_some_and(Option::is_some)
    }

    /// From an export to this function, both included, by the fewest calls.
    pub(super) fn path(&self, id: FunctionId) -> Vec<FunctionId> {
        let mut path: Vec<FunctionId> =
            std::iter::successors(Some(id), |id| self.callers.get(id).copied().flatten()).collect();
        path.reverse();
        path
    }
}

/// The functions in tables, by type.
fn tables(module: &Module) -> BTreeMap<TypeId, BTreeSet<FunctionId>> {
    let mut tables: BTreeMap<TypeId, BTreeSet<FunctionId>> = BTreeMap::new();
    for element in module.elements.iter() {
        let functions: Vec<FunctionId> = match &element.items {
            ElementItems::Functions(functions) => functions.clone(),
            ElementItems::Expressions(_, items) => items
                .iter()
                .filter_map(|item| match item {
                    ConstExpr::RefFunc(id) => Some(*id),
                    _ => None,
                })
                .collect(),
        };
        for id in functions {
            tables.entry(module.funcs.get(id).ty()).or_default().insert(id);
        }
    }
    tables
}

/// What a function calls.
#[derive(Default)]
struct Calls {
    functions: BTreeSet<FunctionId>,
    references: BTreeSet<FunctionId>,
    types: BTreeSet<TypeId>,
}

impl Calls {
    fn of(module: &Module, id: FunctionId) -> Self {
        let mut calls = Self::default();
        if let FunctionKind::Local(function) = &module.funcs.get(id).kind {
            dfs_in_order(&mut calls, function, function.entry_block());
        }
        calls
    }
}

impl<'instr> Visitor<'instr> for Calls {
    fn visit_call(&mut self, call: &Call) {
        self.functions.insert(call.func);
    }

    fn visit_return_call(&mut self, call: &ReturnCall) {
        self.functions.insert(call.func);
    }

    fn visit_call_indirect(&mut self, call: &CallIndirect) {
        self.types.insert(call.ty);
    }

    fn visit_return_call_indirect(&mut self, call: &ReturnCallIndirect) {
        self.types.insert(call.ty);
    }

    fn visit_ref_func(&mut self, reference: &RefFunc) {
        self.references.insert(reference.func);
    }
}
