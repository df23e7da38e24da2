//! Has the standard library ask the filter for random bytes, and not the host, which may refuse them.

use anyhow::{Context, Result};
use walrus::ir::{Call, ReturnCall, VisitorMut, dfs_pre_order_mut};
use walrus::{ExportItem, FunctionId, Module};

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
        anyhow::bail!("the linked module does not export {OWN}, which random bytes are to be asked of");
    };
    let hosts = module.imports.get_func(WASI_MODULE, RANDOM_GET).context("random bytes are asked of nobody")?;
    for (_, function) in module.funcs.iter_local_mut().filter(|(id, _)| *id != own) {
        let entry = function.entry_block();
        dfs_pre_order_mut(&mut Redirect { hosts, own }, function, entry);
    }
    Ok(())
}

/// Puts one function in the place of another where it is called by name.
struct Redirect {
    hosts: FunctionId,
    own: FunctionId,
}

impl VisitorMut for Redirect {
    fn visit_call_mut(&mut self, call: &mut Call) {
        self.replace(&mut call.func);
    }

    fn visit_return_call_mut(&mut self, call: &mut ReturnCall) {
        self.replace(&mut call.func);
    }
}

impl Redirect {
    fn replace(&self, called: &mut FunctionId) {
        if *called == self.hosts {
            *called = self.own;
        }
    }
}
