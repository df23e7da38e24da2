//! Calls about contexts that are not there, or not any more. Hosts do not make them, and a trap would end a whole VM.

use wasmtime::{Engine, Linker, Module, Store, Val};

/// A host that answers every call with nothing, and calls what it likes.
#[test]
fn a_call_about_an_unknown_context_does_nothing() {
    const CALLS: &[(&str, &[i32])] = &[
        ("_initialize", &[]),
        ("proxy_on_tick", &[7]),
        ("proxy_on_configure", &[7, 0]),
        ("proxy_on_request_headers", &[7, 0, 1]),
        ("proxy_on_response_headers", &[7, 0, 1]),
        ("proxy_on_delete", &[7]),
        // A stream of a root that there is not.
        ("proxy_on_context_create", &[8, 7]),
        ("proxy_on_request_headers", &[8, 0, 1]),
        ("proxy_on_delete", &[8]),
        // A root that begins twice, and ends before its stream and twice.
        ("proxy_on_context_create", &[1, 0]),
        ("proxy_on_vm_start", &[1, 0]),
        ("proxy_on_context_create", &[1, 0]),
        ("proxy_on_configure", &[1, 0]),
        ("proxy_on_context_create", &[2, 1]),
        ("proxy_on_request_headers", &[2, 0, 1]),
        ("proxy_on_delete", &[1]),
        ("proxy_on_tick", &[1]),
        ("proxy_on_response_headers", &[2, 0, 1]),
        ("proxy_on_delete", &[2]),
        ("proxy_on_delete", &[2]),
        ("proxy_on_delete", &[1]),
    ];
    let engine = Engine::default();
    let path = std::env::var_os("SERIN_WASM").expect("SERIN_WASM is the path of the module");
    let module = Module::from_file(&engine, path).unwrap();
    let (mut linker, mut store) = (Linker::new(&engine), Store::new(&engine, ()));
    linker.define_unknown_imports_as_default_values(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    for (name, arguments) in CALLS {
        let function = instance.get_func(&mut store, name).unwrap();
        let arguments: Vec<Val> = arguments.iter().copied().map(Val::I32).collect();
        let mut results = vec![Val::I32(-1); function.ty(&store).results().len()];
        let outcome = function.call(&mut store, &arguments, &mut results);
        assert!(outcome.is_ok(), "{name} {arguments:?}: {outcome:?}");
        // Continue for headers, true for a configuration.
        let expected = i32::from(["proxy_on_configure", "proxy_on_vm_start"].contains(name));
        assert!(results.iter().all(|result| result.i32() == Some(expected)), "{name} {arguments:?}: {results:?}");
    }
}
