//! What may be packaged: a proxy-wasm filter.

use anyhow::{Result, bail};

use crate::wasm::module::Summary;

/// How a WebAssembly module begins: the magic number and version 1.
const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
/// What every proxy-wasm filter exports, before the version of the interface.
const ABI: &str = "proxy_abi_version_";

/// Fails unless the bytes are a module that Envoy would look at.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(MAGIC) {
        let found = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        bail!("not a WebAssembly module: it begins with {}, expected {}", shown(found), shown(MAGIC));
    }
    if !Summary::of(bytes)?.exports.iter().any(|export| export.starts_with(ABI)) {
        bail!("not a proxy-wasm filter: it exports nothing that begins with {ABI}");
    }
    Ok(())
}

fn shown(bytes: &[u8]) -> String {
    format!("\"{}\" ({} bytes)", bytes.escape_ascii(), bytes.len())
}
