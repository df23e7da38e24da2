//! What the linker cannot do: cuts the module down to the callbacks and host calls that Serin uses.
//!
//! The SDK exports every callback of the ABI, and its trait objects keep every host call alive. An export costs each
//! request a call into the VM, and an import is something that a host must have; so what is not used goes.

mod entropy;
mod panics;
mod wrappers;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use walrus::{FunctionId, ImportKind, Module, ModuleConfig, ValType};

/// Everything that the module exports, and nothing else.
pub(crate) const EXPORTS: [&str; 11] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// How the names of the callbacks begin, and those of the filter's own, which are exported in their place.
const CALLBACK: &str = "proxy_on_";
const OWN_CALLBACK: &str = "serin_on_";

/// The functions of WASI that the module may import beside its host calls. All hosts in question have them.
pub(crate) const WASI: [&str; 5] = ["clock_time_get", "environ_get", "environ_sizes_get", "proc_exit", "random_get"];

/// Module names of the two kinds of imports.
const PROXY_MODULE: &str = "env";
const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// `InternalFailure` of the ABI: what a host call answers that the module has no business to make.
const INTERNAL_FAILURE: i32 = 10;

/// Returns the module with [`EXPORTS`] only, of which the filter's own callbacks replace the SDK's. It has the host calls
/// named in `declared` and [`WASI`] as its only imports, and is without the code that nothing needs any more, and without
/// names and other custom sections.
///
/// # Errors
/// If an export is missing, if the SDK has no callback that one of ours could stand for, if a declared host call is not
/// imported, if an import is left that is not allowed, or if a callback makes host calls through the SDK or uses its hashes.
pub(crate) fn run(wasm: &[u8], declared: &BTreeSet<String>) -> Result<Vec<u8>> {
    Ok(cut(wasm, declared)?.emit_wasm())
}

/// The module that [`run`] returns, whose functions still have their names.
///
/// # Errors
/// As [`run`].
pub(crate) fn cut(wasm: &[u8], declared: &BTreeSet<String>) -> Result<Module> {
    let mut config = ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false).generate_dwarf(false);
    let mut module = config.parse(wasm).context("the linked module is not valid WebAssembly")?;
    prefer_own_callbacks(&mut module)?;
    if declared.contains(entropy::RANDOM_GET) {
        entropy::redirect(&mut module)?;
    }
    trim_exports(&mut module)?;
    wrappers::empty(&mut module)?;
    panics::empty(&mut module);
    replace_undeclared(&mut module, declared)?;
    drop_custom_sections(&mut module);
    walrus::passes::gc::run(&mut module);
    check_imports(&module, declared)?;
    Ok(module)
}

/// Exports the filter's own callbacks under the names that the host knows, in place of the SDK's.
fn prefer_own_callbacks(module: &mut Module) -> Result<()> {
    let callback = |name: &str| Some(format!("{CALLBACK}{}", name.strip_prefix(OWN_CALLBACK)?));
    let exports = module.exports.iter();
    let own: Vec<_> = exports.filter_map(|export| Some((export.id(), callback(&export.name)?))).collect();
    for (id, name) in own {
        module.exports.remove(&name).with_context(|| format!("the SDK has no {name} that ours could stand for"))?;
        module.exports.get_mut(id).name = name;
    }
    Ok(())
}

fn trim_exports(module: &mut Module) -> Result<()> {
    let unused = module.exports.iter().filter(|export| !EXPORTS.contains(&export.name.as_str()));
    for id in unused.map(walrus::Export::id).collect::<Vec<_>>() {
        module.exports.delete(id);
    }
    let present: BTreeSet<&str> = module.exports.iter().map(|export| export.name.as_str()).collect();
    let missing: Vec<&str> = EXPORTS.into_iter().filter(|name| !present.contains(name)).collect();
    if !missing.is_empty() {
        bail!("the linked module does not export {}", missing.join(", "));
    }
    Ok(())
}

/// Makes local functions of the SDK's host calls that the filter does not declare. Garbage collection cannot drop them:
/// they are reachable through the tables of the SDK's traits, though nothing ever calls them.
fn replace_undeclared(module: &mut Module, declared: &BTreeSet<String>) -> Result<()> {
    let undeclared: Vec<(String, FunctionId)> = module
        .imports
        .iter()
        .filter(|import| import.module == PROXY_MODULE && !declared.contains(&import.name))
        .filter_map(|import| match import.kind {
            ImportKind::Function(id) => Some((import.name.clone(), id)),
            _ => None,
        })
        .collect();
    for (name, id) in undeclared {
        let results = module.types.get(module.funcs.get(id).ty()).results().to_vec();
        if results != [ValType::I32] {
            bail!("cannot replace the import {PROXY_MODULE}.{name}: a host call answers with a status");
        }
        module.replace_imported_func(id, |(body, _)| {
            body.i32_const(INTERNAL_FAILURE);
        })?;
    }
    Ok(())
}

fn drop_custom_sections(module: &mut Module) {
    let sections: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in sections {
        module.customs.delete(id);
    }
}

fn check_imports(module: &Module, declared: &BTreeSet<String>) -> Result<()> {
    let allowed = |import: &&walrus::Import| match (&import.kind, import.module.as_str()) {
        (ImportKind::Function(_), PROXY_MODULE) => declared.contains(&import.name),
        (ImportKind::Function(_), WASI_MODULE) => WASI.contains(&import.name.as_str()),
        _ => false,
    };
    let others: Vec<String> = module
        .imports
        .iter()
        .filter(|import| !allowed(import))
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    if !others.is_empty() {
        bail!("the module imports what hosts may not have: {}", others.join(", "));
    }
    let present: BTreeSet<&str> = module.imports.iter().map(|import| import.name.as_str()).collect();
    let unused: Vec<&str> = declared.iter().map(String::as_str).filter(|name| !present.contains(name)).collect();
    if !unused.is_empty() {
        bail!("declared as host calls, but not used by any code that is left in the module: {}", unused.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
