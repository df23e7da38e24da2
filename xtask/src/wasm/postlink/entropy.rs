//! Has the standard library ask the filter for random bytes, and not the host, which may refuse them.

use std::collections::BTreeSet;
use std::slice;

use anyhow::{Result, bail, ensure};
use walrus::ir::{Call, ReturnCall, VisitorMut, dfs_pre_order_mut};
use walrus::{ConstExpr, ConstOp, ElementItems, ExportItem, FunctionId, GlobalKind, ImportKind, Module};

use super::WASI_MODULE;

/// The function of WASI.
pub(super) const RANDOM_GET: &str = "random_get";
/// The filter's own, which never refuses.
const OWN: &str = "serin_random_get";

/// Makes every call of the host's function one of the filter's own, but the one that the filter's own makes.
///
/// # Errors
/// If the module does not export the filter's own, does not import the host's, or could call that one otherwise than by name.
pub(super) fn redirect(module: &mut Module) -> Result<()> {
    let export = module.exports.iter().find(|export| export.name == OWN);
    let Some(ExportItem::Function(own)) = export.map(|export| export.item) else {
        bail!("the linked module does not export {OWN}, which random bytes are to be asked of");
    };
    let imports = module.imports.iter().filter(|import| import.module == WASI_MODULE && import.name == RANDOM_GET);
    // The compiler may have made several of one import.
    let hosts: BTreeSet<FunctionId> = imports
        .filter_map(|import| match import.kind {
            ImportKind::Function(id) => Some(id),
            _ => None,
        })
        .collect();
    ensure!(!hosts.is_empty(), "random bytes are asked of nobody");
    for (_, function) in module.funcs.iter_local_mut().filter(|(id, _)| *id != own) {
        let entry = function.entry_block();
        dfs_pre_order_mut(&mut Redirect { hosts: &hosts, own }, function, entry);
    }
    ensure_called_by_name(module, &hosts)
}

/// Nothing may hold a reference to one of these functions. Within a function there is one only if it is also in one of the
/// places that are looked at here, or the module is not valid.
fn ensure_called_by_name(module: &Module, functions: &BTreeSet<FunctionId>) -> Result<()> {
    let any = |exprs: &[ConstExpr]| exprs.iter().flat_map(references).any(|id| functions.contains(&id));
    let in_element = module.elements.iter().any(|element| match &element.items {
        ElementItems::Functions(ids) => ids.iter().any(|id| functions.contains(id)),
        ElementItems::Expressions(_, exprs) => any(exprs),
    });
    let in_table = module.tables.iter().filter_map(|table| table.init.as_ref()).any(|init| any(slice::from_ref(init)));
    let in_global = module.globals.iter().any(|global| match &global.kind {
        GlobalKind::Local(init) => any(slice::from_ref(init)),
        GlobalKind::Import(_) => false,
    });
    let in_export = module.exports.iter().any(|export| match export.item {
        ExportItem::Function(id) => functions.contains(&id),
        _ => false,
    });
    let places =
        [("an element segment", in_element), ("a table", in_table), ("a global", in_global), ("an export", in_export)];
    let found: Vec<&str> = places.into_iter().filter_map(|(place, holds)| holds.then_some(place)).collect();
    ensure!(
        found.is_empty(),
        "{WASI_MODULE}.{RANDOM_GET} must be called by name only, so that {OWN} can take its place, but {} of the linked \
         module holds it",
        found.join(" and ")
    );
    Ok(())
}

/// The functions that a constant expression refers to.
fn references(expr: &ConstExpr) -> Vec<FunctionId> {
    let of_op = |op: &ConstOp| match op {
        ConstOp::RefFunc(id) => Some(*id),
        _ => None,
    };
    match expr {
        ConstExpr::RefFunc(id) => vec![*id],
        ConstExpr::Extended(ops) => ops.iter().filter_map(of_op).collect(),
        _ => Vec::new(),
    }
}

/// Puts one function in the place of others where they are called by name.
struct Redirect<'a> {
    hosts: &'a BTreeSet<FunctionId>,
    own: FunctionId,
}

impl VisitorMut for Redirect<'_> {
    fn visit_call_mut(&mut self, call: &mut Call) {
        self.replace(&mut call.func);
    }

    fn visit_return_call_mut(&mut self, call: &mut ReturnCall) {
        self.replace(&mut call.func);
    }
}

impl Redirect<'_> {
    fn replace(&self, called: &mut FunctionId) {
        if self.hosts.contains(called) {
            *called = self.own;
        }
    }
}
