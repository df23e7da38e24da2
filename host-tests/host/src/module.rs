//! A guest, compiled once and checked against what hosts provide.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use wasmtime::{Config, Engine, ExternType, InstancePre, Linker, ValType};

use crate::abi;
use crate::catalog::{self, CALLBACKS};
use crate::profile::Profile;
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
    /// If the bytes are no module, if it is not for proxy-wasm 0.2.1, if it exports no memory or no allocator or a callback
    /// with another signature, or if it imports what no Envoy provides; the message names the import or export. What only
    /// some Envoys provide is found out when a proxy of that profile starts.
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

    /// What the module imports and the profile lacks: its VM would not start there.
    pub fn missing_in(&self, profile: Profile) -> Vec<String> {
        let missing = |name: &&str| match catalog::find(name).map(catalog::function) {
            Some(function) => function.since > profile.version(),
            None => true,
        };
        let names = self.instance.module().imports().map(|import| import.name());
        names.filter(missing).map(str::to_owned).collect()
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
    CALLBACKS.iter().try_for_each(|(name, arguments, results)| match module.get_export(name) {
        Some(export) => check_signature(name, &export, *arguments, *results),
        None => Ok(()),
    })
}

/// As Envoy does, which says "Bad function signature".
fn check_signature(name: &str, export: &ExternType, arguments: u8, results: u8) -> Result<()> {
    let Some(function) = export.func() else { bail!("the module exports {name}, and it is no function") };
    let words = |mut types: Box<dyn Iterator<Item = ValType>>| types.all(|kind| matches!(kind, ValType::I32));
    let fits = function.params().len() == usize::from(arguments)
        && function.results().len() == usize::from(results)
        && words(Box::new(function.params().collect::<Vec<_>>().into_iter()))
        && words(Box::new(function.results().collect::<Vec<_>>().into_iter()));
    ensure!(fits, "{name} is {function}, not a function of {arguments} words of 32 bits that gives {results} back");
    Ok(())
}
