//! The post-link step on small modules.

use walrus::ir::{Const, Instr, Value};

use super::*;
use crate::wasm::module::Summary;

/// A module with all exports, the imports given, and these functions beside.
fn wat(imports: &str, others: &str) -> Vec<u8> {
    let callbacks: Vec<String> = EXPORTS
        .into_iter()
        .filter(|name| *name != "memory")
        .map(|name| format!(r#"(func (export "{name}") (call $work))"#))
        .collect();
    let text =
        format!(r#"(module {imports} (memory (export "memory") 2) (func $work {others}) {})"#, callbacks.join("\n"));
    wat::parse_str(text).unwrap()
}

fn declared(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[track_caller]
fn check_error(wasm: &[u8], names: &[&str], expected: &str) {
    let error = format!("{:#}", run(wasm, &declared(names)).unwrap_err());
    assert!(error.contains(expected), "{error}");
}

const LOG: &str = r#"(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))"#;
const CALL_LOG: &str = "(drop (call $log (i32.const 0) (i32.const 0) (i32.const 0)))";

#[test]
fn declared_host_calls_stay() {
    let wasm = run(&wat(LOG, CALL_LOG), &declared(&["proxy_log"])).unwrap();
    let summary = Summary::of(&wasm).unwrap();
    assert_eq!(summary.imports, ["env.proxy_log"]);
    assert_eq!(summary.exports, EXPORTS);
    assert_eq!(summary.pages_at_start, 2);
}

#[test]
fn undeclared_host_calls_become_functions_that_answer_internal_failure() {
    let imports = format!(r#"{LOG} (import "env" "proxy_done" (func $done (result i32)))"#);
    let wasm = wat(&imports, &format!("{CALL_LOG} (drop (call $done))"));
    let wasm = run(&wasm, &declared(&["proxy_log"])).unwrap();
    assert_eq!(Summary::of(&wasm).unwrap().imports, ["env.proxy_log"]);
    assert_eq!(constant_functions(&wasm), [INTERNAL_FAILURE]);
}

/// The host's function, twice, as the compiler may import it.
const RANDOM: &str = r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $again (param i32 i32) (result i32)))"#;
const CALL_RANDOM: &str = "(drop (call $random (i32.const 0) (i32.const 8)))
    (drop (call $again (i32.const 0) (i32.const 8)))";

/// Both called, and the filter's own function, which calls both.
fn asking_for_random_bytes() -> String {
    format!(
        r#"{CALL_RANDOM} (drop (call $last)))
        (func $last (result i32) (return_call $again (i32.const 0) (i32.const 8)))
        (func (export "serin_random_get") (param i32 i32) (result i32) {CALL_RANDOM} i32.const 77"#
    )
}

#[test]
fn random_bytes_are_asked_of_the_filters_own_function_alone() {
    let module = cut(&wat(RANDOM, &asking_for_random_bytes()), &declared(&["random_get"])).unwrap();
    let is_import = |id: FunctionId| matches!(module.funcs.get(id).kind, walrus::FunctionKind::Import(_));
    let asks = |instruction: &Instr| match instruction {
        Instr::Call(call) => is_import(call.func),
        Instr::ReturnCall(call) => is_import(call.func),
        _ => false,
    };
    let is_own = |instruction: &Instr| matches!(instruction, Instr::Const(Const { value: Value::I32(77) }));
    let instructions = module.funcs.iter_local().map(|(_, function)| &function.block(function.entry_block()).instrs);
    let found: Vec<(bool, bool)> = instructions
        .map(|all| (all.iter().any(|(one, _)| asks(one)), all.iter().any(|(one, _)| is_own(one))))
        .filter(|found| *found != (false, false))
        .collect();
    assert_eq!(found, [(true, true)]);
    check_error(&wat(RANDOM, CALL_RANDOM), &["random_get"], "does not export serin_random_get");
}

#[test]
fn the_hosts_random_bytes_are_asked_for_by_name_alone() {
    for (place, holder) in [
        ("an element segment", "(table funcref (elem $work $again))"),
        ("an element segment", "(table 1 funcref) (elem (i32.const 0) funcref (ref.func $again))"),
        ("an element segment", "(elem declare func $random) (func (drop (ref.func $random)))"),
        ("a table", "(table 1 funcref (ref.func $random))"),
        ("a global", "(global funcref (ref.func $random))"),
        ("an export", r#"(export "random" (func $random))"#),
    ] {
        let wasm = wat(RANDOM, &format!("{}) {holder} (func", asking_for_random_bytes()));
        check_error(&wasm, &["random_get"], &format!("but {place} of the linked module holds it"));
    }
}

/// A function of that symbol, which logs; a table that holds it; and a call through the table.
fn logging_through_a_table(symbol: &str) -> String {
    format!(
        r#"{CALL_LOG} (call_indirect (i32.const 0)))
        (table funcref (elem ${symbol})) (func ${symbol} {CALL_LOG}"#
    )
}

#[test]
fn the_filters_own_callbacks_take_the_place_of_the_sdks() {
    let own = r#") (func (export "serin_on_tick") (drop (i32.const 7))"#;
    let wasm = run(&wat("", own), &declared(&[])).unwrap();
    assert_eq!(Summary::of(&wasm).unwrap().exports, EXPORTS);
    let module = Module::from_buffer(&wasm).unwrap();
    let tick = module.funcs.get(module.exports.get_func("proxy_on_tick").unwrap());
    let instructions = &tick.kind.unwrap_local().block(tick.kind.unwrap_local().entry_block()).instrs;
    let seven = |instr: &Instr| matches!(instr, Instr::Const(Const { value: Value::I32(7) }));
    assert!(instructions.iter().any(|(instr, _)| seven(instr)), "{instructions:?}");
    let unknown = wat("", r#") (func (export "serin_on_weather")"#);
    check_error(&unknown, &[], "proxy_on_weather");
}

#[test]
fn host_calls_of_the_sdk_are_emptied_and_ours_are_not() {
    for (symbol, emptied) in [
        ("_ZN10proxy_wasm9hostcalls3log17h1234E", 1),
        ("_ZN5serin4http6Stream17h1234E", 0),
        ("_ZN5serin4http6Stream20as_proxy_wasm..traits17h1234E", 0),
    ] {
        let wasm = run(&wat(LOG, &logging_through_a_table(symbol)), &declared(&["proxy_log"])).unwrap();
        assert_eq!(traps(&wasm), emptied, "{symbol}");
    }
}

#[test]
fn a_callback_that_makes_host_calls_through_the_sdk_is_an_error() {
    let symbol = "_ZN10proxy_wasm10dispatcher17h1234E";
    let wasm = wat(LOG, &format!("(call ${symbol})) (func ${symbol} {CALL_LOG}"));
    check_error(&wasm, &["proxy_log"], symbol);
}

#[test]
fn what_the_sdk_calls_through_itself_and_its_hashes_are_emptied() {
    let through = format!(
        r#"{CALL_LOG} (call_indirect (i32.const 0)) (call_indirect (i32.const 1)))
        (table funcref (elem $_ZN10proxy_wasm7outer17h1E $_ZN8foldhash4seed17h1E))
        (func $_ZN10proxy_wasm7outer17h1E (call $_ZN10proxy_wasm6middle17h1E))
        (func $_ZN10proxy_wasm6middle17h1E (call $_ZN10proxy_wasm5inner17h1E))
        (func $_ZN10proxy_wasm5inner17h1E {CALL_LOG})
        (func $_ZN8foldhash4seed17h1E (drop (i32.const 7))"#
    );
    let wasm = run(&wat(LOG, &through), &declared(&["proxy_log"])).unwrap();
    assert_eq!(traps(&wasm), 2, "the outermost, and the seed");
    let seeds = "(call $_ZN8foldhash4seed17h1E)) (func $_ZN8foldhash4seed17h1E";
    check_error(&wat(LOG, &format!("{CALL_LOG} {seeds}")), &["proxy_log"], "uses its hashes");
}

#[test]
fn exports_that_are_not_used_go_with_what_only_they_needed() {
    let imports = format!(r#"{LOG} (import "wasi_snapshot_preview1" "fd_write" (func $write))"#);
    let others = format!(r#"{CALL_LOG}) (func (export "proxy_on_log") (call $write)"#);
    let summary = Summary::of(&run(&wat(&imports, &others), &declared(&["proxy_log"])).unwrap()).unwrap();
    assert_eq!(summary.exports, EXPORTS);
    assert_eq!(summary.imports, ["env.proxy_log"]);
}

#[test]
fn custom_sections_are_dropped() {
    let before = wat(LOG, &format!(r#"{CALL_LOG}) (@custom "note" "x") (func $named"#));
    let after = run(&before, &declared(&["proxy_log"])).unwrap();
    for part in ["note", "named"] {
        assert!(has(&before, part.as_bytes()), "{part}");
        assert!(!has(&after, part.as_bytes()), "{part}");
    }
}

#[test]
fn a_missing_export_is_named() {
    let wasm = wat::parse_str(r#"(module (memory (export "memory") 2))"#).unwrap();
    check_error(&wasm, &["proxy_log"], "does not export _initialize, proxy_abi_version_0_2_1");
}

#[test]
fn a_function_of_wasi_that_is_not_allowed_is_named() {
    let imports = format!(r#"{LOG} (import "wasi_snapshot_preview1" "fd_write" (func $write))"#);
    let wasm = wat(&imports, &format!("{CALL_LOG} (call $write)"));
    check_error(&wasm, &["proxy_log"], "wasi_snapshot_preview1.fd_write");
}

#[test]
fn the_functions_of_wasi_that_are_allowed_stay() {
    let imports = format!(r#"{LOG} (import "wasi_snapshot_preview1" "random_get" (func $random))"#);
    let wasm = run(&wat(&imports, &format!("{CALL_LOG} (call $random)")), &declared(&["proxy_log"])).unwrap();
    assert_eq!(Summary::of(&wasm).unwrap().imports, ["env.proxy_log", "wasi_snapshot_preview1.random_get"]);
}

#[test]
fn a_declared_host_call_that_nothing_uses_is_named() {
    check_error(&wat(LOG, CALL_LOG), &["proxy_log", "proxy_get_property"], "proxy_get_property");
}

#[test]
fn a_host_call_without_a_status_is_not_replaced() {
    let imports = format!(r#"{LOG} (import "env" "abort" (func $abort))"#);
    check_error(&wat(&imports, CALL_LOG), &["proxy_log"], "cannot replace the import env.abort");
}

#[test]
fn garbage_is_an_error() {
    check_error(b"not a module", &["proxy_log"], "not valid WebAssembly");
}

/// What the functions return that do nothing but return a number.
fn constant_functions(wasm: &[u8]) -> Vec<i32> {
    let module = Module::from_buffer(wasm).unwrap();
    let only_value = |function: &walrus::LocalFunction| match function.block(function.entry_block()).instrs.as_slice() {
        [(Instr::Const(Const { value: Value::I32(value) }), _)] => Some(*value),
        _ => None,
    };
    module.funcs.iter_local().filter_map(|(_, function)| only_value(function)).collect()
}

/// How many functions do nothing but trap.
fn traps(wasm: &[u8]) -> usize {
    let module = Module::from_buffer(wasm).unwrap();
    let only_trap = |function: &walrus::LocalFunction| {
        matches!(function.block(function.entry_block()).instrs.as_slice(), [(Instr::Unreachable(_), _)])
    };
    module.funcs.iter_local().filter(|(_, function)| only_trap(function)).count()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
