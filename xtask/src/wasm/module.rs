//! Reads from the built module what its users ask about: size, memory, imports, exports.

use anyhow::{Context, Result};
use walrus::Module;

/// What a module is made of. Names are sorted.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Size of the file in bytes.
    pub(crate) bytes: usize,
    /// Pages of 64 KiB of linear memory at start.
    pub(crate) pages_at_start: u64,
    /// Imports as `module.name`.
    pub(crate) imports: Vec<String>,
    /// Names of the exports.
    pub(crate) exports: Vec<String>,
}

impl Summary {
    /// Reads a module.
    ///
    /// # Errors
    /// If the bytes are no valid module, or one without memory.
    pub(crate) fn of(wasm: &[u8]) -> Result<Self> {
        let module = Module::from_buffer(wasm).context("not a valid WebAssembly module")?;
        let memory = module.memories.iter().next().context("the module has no memory")?;
        let imports = module.imports.iter().map(|import| format!("{}.{}", import.module, import.name));
        let exports = module.exports.iter().map(|export| export.name.clone());
        Ok(Self {
            bytes: wasm.len(),
            pages_at_start: memory.initial,
            imports: sorted(imports),
            exports: sorted(exports),
        })
    }

    /// Size in KiB, for people.
    pub(crate) fn kib(&self) -> String {
        format!("{:.1} KiB", self.bytes as f64 / 1024.0)
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
