//! Has the standard library ask the filter for random bytes, and not the host, which may refuse them.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use walrus::ir::{Call, ReturnCall, VisitorMut, dfs_pre_order_mut};
use walrus::{ExportItem, FunctionId, ImportKind, Module};

use super::WASI_MODULE;

/// The function of WASI.
pub(super) const RANDOM_GET: &str = "random_get";
/// The filter's own, which never refuses.
const OWN: &str = "serin_random_get";

/// Makes every call of the host's function one of the filter's own, but the one that the filter's own makes.
///
/// # Errors
/// If the module does not export the filter's own, or does not import the host's.
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
    Ok(())
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
