//! Makes a panic the trap that it ends in anyway, without the text before it.
//!
//! No code of the module is to panic. What the standard library brings along to tell about it (formatting, the standard error
//! stream, a look for the wish for a backtrace) is some ten kilobytes, and a call of WASI.

use walrus::{FunctionId, Module};

use super::wrappers::make_trap;

/// Parts of the symbols, in either form of mangling, of the functions that a panic begins in, and of those that only its text
/// needs: no code of the module shows values in their `Debug` form, and none writes to a stream.
const ENDS: [&str; 20] = [
    "rust_begin_unwind",
    "9panicking9panic_fmt",
    "9panicking13panic_handler",
    "slice_error_fail",
    "slice_index_fail",
    "begin_panic",
    "panic_bounds_check",
    "panic_already_",
    "panic_access_error",
    "assert_failed",
    "expect_failed",
    "unwrap_failed",
    "rust_oom",
    "default_alloc_error_hook",
    "5Debug3fmt",
    "fmt..Debug$GT$3fmt",
    "default_write_fmt",
    "stdio4unix6Stderr",
    "10PadAdapter",
    "13BacktraceLock",
];

/// Makes traps of them. How many there are is the compiler's business.
pub(super) fn empty(module: &mut Module) {
    let ends = |name: &str| ENDS.iter().any(|part| name.contains(part));
    let locals = module.funcs.iter_local().map(|(id, _)| id);
    let found: Vec<FunctionId> = locals.filter(|id| module.funcs.get(*id).name.as_deref().is_some_and(ends)).collect();
    found.into_iter().for_each(|id| make_trap(module, id));
}
