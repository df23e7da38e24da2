//! What can still trap in the module: every call of a function that panics, and every instruction that traps by itself, in
//! functions that a host can have run.
//!
//! Reads and writes of memory, calls through the table and the end of the stack are not looked at: safe code, as the compiler
//! makes it, gives them no occasion, and how deep the stack gets is measured by a test.

mod graph;
mod kind;
mod locations;
mod names;
pub(crate) mod record;
mod scan;

use walrus::{FunctionId, Module};

use self::graph::Graph;
pub(crate) use self::kind::Kind;
use self::locations::Locations;
use self::scan::{At, Blaming};

/// One place in the module that can trap.
#[derive(Debug)]
pub(crate) struct Site {
    /// The function that holds it, without hashes.
    pub(crate) function: String,
    /// What happens there.
    pub(crate) kind: Kind,
    /// The function that panics, if it is one and not an instruction.
    pub(crate) panics: Option<String>,
    /// The source file that the compiler gives for it, from the name of its crate on; not every site has one.
    pub(crate) file: Option<String>,
    /// From an export to the function, by the fewest calls.
    pub(crate) path: Vec<String>,
}

impl Site {
    /// Its crate and kind, as one name.
    pub(crate) fn group(&self) -> String {
        format!("{}: {}", self.origin(), self.kind.name())
    }

    /// Its function, and the source file where it is that of another crate or module.
    pub(crate) fn line(&self) -> String {
        self.file.as_ref().map_or_else(|| self.function.clone(), |file| format!("{} ({file})", self.function))
    }

    /// The calls that lead to it.
    pub(crate) fn way(&self) -> String {
        self.path.iter().chain(&self.panics).map(String::as_str).collect::<Vec<_>>().join(" > ")
    }

    /// The crate whose code it is: that of the file, since functions are inlined into those of other crates.
    fn origin(&self) -> &str {
        let of_file = self.file.as_deref().and_then(|file| file.split('/').next());
        of_file.unwrap_or_else(|| names::crate_of(&self.function))
    }
}

/// Finds all sites of a module that has names.
pub(crate) fn find(module: &Module) -> Vec<Site> {
    let graph = Graph::of(module);
    let locations = Locations::of(module);
    let reached: Vec<FunctionId> = graph.reached().filter(|id| !graph.only_panics(module, *id)).collect();
    let blaming = Blaming::of(module, &reached);
    let mut sites = Vec::new();
    for id in reached {
        for trap in scan::function(module, id, &blaming) {
            let file = match trap.at {
                At::Location(at) => locations.file(at),
                // Found once more where it is called.
                At::Caller if graph.is_called_by_name_alone(id) => continue,
                At::Caller | At::Unknown => None,
            };
            let panics = trap.panics.map(|id| name(module, id));
            let path = graph.path(id).into_iter().map(|id| name(module, id)).collect();
            sites.push(Site { function: name(module, id), kind: trap.kind, panics, file, path });
        }
    }
    sites
}

fn name(module: &Module, id: FunctionId) -> String {
    module.funcs.get(id).name.as_deref().map_or_else(|| format!("function {}", id.index()), names::demangled)
}

#[cfg(test)]
mod tests;
