//! What the module may cost: its size, its memory, and what it exports and imports.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::wasm::module::Summary;
use crate::wasm::postlink::{EXPORTS, WASI};

/// Size of the file in bytes.
const MOST_BYTES: usize = 320 * 1024;
/// Pages of linear memory at start: one for the stack, one for the data.
const PAGES_AT_START: u64 = 2;

/// Says in a few words what was measured.
///
/// # Errors
/// If the module breaks a budget; the message names all that it breaks.
pub(super) fn check(module: &Summary, declared: &BTreeSet<String>) -> Result<String> {
    let mut broken = Vec::new();
    if module.bytes > MOST_BYTES {
        broken.push(format!("the module has {} bytes, {MOST_BYTES} are allowed", module.bytes));
    }
    if module.pages_at_start != PAGES_AT_START {
        broken.push(format!("the module starts with {} pages, not {PAGES_AT_START}", module.pages_at_start));
    }
    if module.exports != EXPORTS {
        broken.push(format!("the module exports {}, not {}", module.exports.join(", "), EXPORTS.join(", ")));
    }
    broken.extend(wrong_imports(module, declared));
    if !broken.is_empty() {
        bail!("{}", broken.join("\n"));
    }
    Ok(format!("{}, {} pages, {} imports", module.kib(), module.pages_at_start, module.imports.len()))
}

/// Imports are exactly the declared host calls, and what the standard library needs of WASI.
fn wrong_imports(module: &Summary, declared: &BTreeSet<String>) -> Vec<String> {
    let name = |import: &str| import.split_once('.').map_or(import, |(_, name)| name).to_owned();
    let imported: BTreeSet<String> = module.imports.iter().map(|import| name(import)).collect();
    let allowed: BTreeSet<String> = declared.iter().cloned().chain(WASI.map(str::to_owned)).collect();
    let unknown = imported.difference(&allowed).map(|name| format!("the module imports {name}, which is not allowed"));
    let unused =
        declared.difference(&imported).map(|name| format!("{name} is declared as a host call, but not imported"));
    unknown.chain(unused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Summary {
        Summary {
            bytes: MOST_BYTES,
            pages_at_start: PAGES_AT_START,
            imports: vec!["env.proxy_log".to_owned(), "wasi_snapshot_preview1.clock_time_get".to_owned()],
            exports: EXPORTS.map(str::to_owned).to_vec(),
        }
    }

    #[track_caller]
    fn check_broken(module: &Summary, expected: &str) {
        let error = check(module, &BTreeSet::from(["proxy_log".to_owned()])).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_module_within_its_budgets_passes() {
        check(&module(), &BTreeSet::from(["proxy_log".to_owned()])).unwrap();
    }

    #[test]
    fn every_budget_can_be_broken() {
        check_broken(&Summary { bytes: MOST_BYTES + 1, ..module() }, "has 327681 bytes, 327680 are allowed");
        check_broken(&Summary { pages_at_start: 3, ..module() }, "starts with 3 pages, not 2");
        check_broken(&Summary { exports: vec!["memory".to_owned()], ..module() }, "exports memory, not _initialize");
        check_broken(&Summary { imports: Vec::new(), ..module() }, "proxy_log is declared as a host call");
        let imports = vec!["env.proxy_log".to_owned(), "wasi_snapshot_preview1.fd_write".to_owned()];
        check_broken(&Summary { imports, ..module() }, "imports fd_write, which is not allowed");
    }
}
