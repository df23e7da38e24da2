//! Which host functions the filter declares. `filter/src/host.rs` is the one list of them; it is read as Rust source.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use syn::{ForeignItem, Item};

/// Names of the functions in the `extern` blocks of that file.
///
/// # Errors
/// If the file cannot be read or is no Rust source, or declares nothing.
pub(crate) fn declared(file: &Path) -> Result<BTreeSet<String>> {
    let shown = file.display();
    let source = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let names = names_in(&source).with_context(|| format!("cannot read {shown} as Rust source"))?;
    if names.is_empty() {
        bail!("{shown} declares no host function in an `extern` block, so there is nothing that the module may import");
    }
    Ok(names)
}

fn names_in(source: &str) -> syn::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    collect(&syn::parse_file(source)?.items, &mut names);
    Ok(names)
}

fn collect(items: &[Item], names: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::ForeignMod(block) => names.extend(block.items.iter().filter_map(|item| match item {
                ForeignItem::Fn(function) => Some(function.sig.ident.to_string()),
                _ => None,
            })),
            Item::Mod(module) => module.content.iter().for_each(|(_, items)| collect(items, names)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_extern_blocks_are_found_at_any_depth() {
        let source = r#"
            #[link(wasm_import_module = "env")]
            unsafe extern "C" {
                fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
                static NOT_A_FUNCTION: u32;
            }
            mod entropy {
                unsafe extern "C" { fn random_get(at: *mut u8, len: usize) -> u16; }
            }
            fn proxy_of_ours() {}
        "#;
        let names = names_in(source).unwrap();
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["proxy_log", "random_get"]);
    }

    #[test]
    fn a_file_that_declares_nothing_is_an_error() {
        let file = std::env::temp_dir().join(format!("serin-host-calls-{}.rs", std::process::id()));
        std::fs::write(&file, "fn main() {}").unwrap();
        let error = declared(&file).unwrap_err().to_string();
        std::fs::remove_file(&file).unwrap();
        assert!(error.contains("declares no host function"), "{error}");
    }
}
