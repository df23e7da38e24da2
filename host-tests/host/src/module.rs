//! A guest, compiled once and checked against what the host provides.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use wasmtime::{Config, Engine, InstancePre, Linker};

use crate::abi;
use crate::vm::state::State;

/// A compiled module that any number of proxies can run, from any thread.
#[derive(Clone)]
pub struct Module {
    instance: InstancePre<State>,
}

impl Module {
    /// Compiles a module from its bytes, or from WebAssembly's text.
    ///
    /// # Errors
    /// If the bytes are no module, if it is not for proxy-wasm 0.2.1, if it exports no memory or no allocator, or if it
    /// imports what no Envoy provides; the message names the import or export.
    pub fn compile(bytes: &[u8]) -> Result<Self> {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config)?;
        let compiled = wasmtime::Module::new(&engine, bytes).map_err(anyhow::Error::from);
        let module = compiled.context("compiling the module")?;
        check_exports(&module)?;
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker)?;
        let linked = linker.instantiate_pre(&module).map_err(anyhow::Error::from);
        Ok(Self { instance: linked.context("linking the module")? })
    }

    /// Reads and compiles a module's file.
    ///
    /// # Errors
    /// If the file cannot be read, and as for [`Module::compile`].
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("reading the module {}", path.display()))?;
        Self::compile(&bytes).with_context(|| format!("loading the module {}", path.display()))
    }

    /// The names of what the module exports.
    pub fn exports(&self) -> Vec<String> {
        self.instance.module().exports().map(|export| export.name().to_owned()).collect()
    }

    /// The names of what the module imports.
    pub fn imports(&self) -> Vec<String> {
        self.instance.module().imports().map(|import| import.name().to_owned()).collect()
    }

    /// Pages of 64 KiB of linear memory that an instance starts with.
    pub fn initial_pages(&self) -> u64 {
        let memory = self.instance.module().get_export("memory");
        memory.and_then(|memory| memory.memory().map(wasmtime::MemoryType::minimum)).unwrap_or(0)
    }

    pub(crate) fn instance(&self) -> &InstancePre<State> {
        &self.instance
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("exports", &self.exports()).field("imports", &self.imports()).finish()
    }
}

/// The allocator's names, the preferred first.
pub(crate) const ALLOCATORS: [&str; 2] = ["malloc", "proxy_on_memory_allocate"];

fn check_exports(module: &wasmtime::Module) -> Result<()> {
    let has = |name: &str| module.get_export(name).is_some();
    ensure!(has("proxy_abi_version_0_2_1"), "the module does not export proxy_abi_version_0_2_1");
    ensure!(has("memory"), "the module does not export its memory");
    ensure!(
        ALLOCATORS.iter().any(|name| has(name)),
        "the module exports neither {} nor {}",
        ALLOCATORS[0],
        ALLOCATORS[1]
    );
    Ok(())
}
