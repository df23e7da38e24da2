//! What is found in small modules, and how it is held against a list.

use super::record::Record;
use super::*;

/// Symbols of functions that panic, of one of ours, and of one that is only in a table.
const BOUNDS: &str = "_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE";
const HELD: &str = "_ZN10serin_core5table4held17h0123456789abcdefE";

/// A module that exports a function with this body, with these others, and with a function that panics beside it.
fn module(body: &str, others: &str) -> Module {
    let text = format!(
        r#"(module (memory 1) (type $plain (func)) (func $proxy_on_tick (export "proxy_on_tick") {body}) {others}
        (func ${BOUNDS} (param i32 i32 i32) unreachable)
        (data (i32.const 64) "\50\00\00\00\10\00\00\00\07\00\00\00\03\00\00\00core/src/slot.rs"))"#
    );
    Module::from_buffer(&wat::parse_str(text).unwrap()).unwrap()
}

/// A call of it, whose last argument is the address of a location.
fn panics(at: u32) -> String {
    format!("(call ${BOUNDS} (i32.const 1) (i32.const 2) (i32.const {at})) unreachable")
}

#[track_caller]
fn check(body: &str, others: &str, expected: &[&str]) {
    let sites = find(&module(body, others));
    let found: Vec<String> = sites.iter().map(|site| format!("{} in {}", site.group(), site.line())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_panic_that_is_reached_is_found_and_one_that_is_not_is_not() {
    check(
        &format!("(call ${HELD})"),
        &format!("(func ${HELD} {})", panics(0)),
        &["serin_core: index in serin_core::table::held"],
    );
    check("", &format!("(func ${HELD} {})", panics(0)), &[]);
}

#[test]
fn its_file_is_read_from_the_data() {
    check(
        &format!("(call ${HELD})"),
        &format!("(func ${HELD} {})", panics(64)),
        &["serin_core: index in serin_core::table::held (serin_core/src/slot.rs)"],
    );
}

#[test]
fn calls_through_a_table_may_be_of_all_in_it_that_have_the_type() {
    let table = format!("(table funcref (elem ${HELD})) (func ${HELD} {})", panics(0));
    check("(call_indirect (type $plain) (i32.const 0))", &table, &["serin_core: index in serin_core::table::held"]);
    check("", &table, &[]);
    check("(call_indirect (param i32) (i32.const 0) (i32.const 0))", &table, &[]);
}

#[test]
fn instructions_that_trap_by_themselves_are_found() {
    let held = |body: &str| format!("(func ${HELD} (param i32) {body})");
    let call = format!("(call ${HELD} (i32.const 1))");
    check(
        &call,
        &held("(if (local.get 0) (then unreachable))"),
        &["serin_core: unreachable instruction in serin_core::table::held"],
    );
    check(&call, &held("unreachable"), &["serin_core: emptied in serin_core::table::held"]);
    check(
        &call,
        &held("(drop (i32.div_u (i32.const 6) (local.get 0)))"),
        &["serin_core: divide instruction in serin_core::table::held"],
    );
    check(&call, &held("(drop (i32.div_u (local.get 0) (i32.const 6)))"), &[]);
    check(
        &call,
        &held("(drop (i32.trunc_f64_s (f64.const 6)))"),
        &["serin_core: convert instruction in serin_core::table::held"],
    );
    check(&call, &held("(drop (i32.trunc_sat_f64_s (f64.const 6)))"), &[]);
}

#[test]
fn an_instruction_after_a_call_that_never_returns_is_none() {
    let exit = "(func $_Exit (param i32) (loop (br 0)) unreachable)";
    let cold = |leaves: u32| {
        let way_out = format!("(block (br_if {leaves} (i32.const 1)))");
        format!(
            "(func ${HELD} (call $cold) unreachable) (func $cold {way_out} (call $_Exit (i32.const 1)) unreachable) {exit}"
        )
    };
    let of_exit = "libc: unreachable instruction in _Exit";
    check(&format!("(call ${HELD})"), &cold(0), &[of_exit]);
    let of_held = "serin_core: unreachable instruction in serin_core::table::held";
    check(&format!("(call ${HELD})"), &cold(1), &[of_held, of_exit]);
}

#[test]
fn who_calls_what_blames_its_caller_is_the_one_that_counts() {
    let index = "_ZN5alloc3vec5index17h0123456789abcdefE";
    let blaming = format!(
        "(func ${index} (param i32 i32) (call ${BOUNDS} (i32.const 1) (local.get 0) (local.get 1)) unreachable)"
    );
    let caller = |at: &str| format!("(func ${HELD} (param i32) (call ${index} (i32.const 1) {at})) {blaming}");
    let call = format!("(call ${HELD} (i32.const 1))");
    check(&call, &caller("(i32.const 64)"), &["serin_core: index in serin_core::table::held (serin_core/src/slot.rs)"]);
    // Blames in turn whoever calls it, and that is the export.
    check(&call, &caller("(local.get 0)"), &["proxy_wasm: index in proxy_on_tick"]);
    let other = caller("(local.get 0)").replace("(local.get 1)", "(local.get 0)");
    check(&call, &other, &["alloc: index in alloc::vec::index"]);
}

/// The host has no place to blame, whatever an export does with the last of its arguments.
#[test]
fn a_panic_of_what_the_host_calls_is_found_wherever_it_says_that_it_is() {
    let passes_on = format!("(call ${BOUNDS} (i32.const 1) (i32.const 2) (local.get 0)) unreachable");
    check(&format!("(param i32) {passes_on}"), "", &["proxy_wasm: index in proxy_on_tick"]);
    // One that the module calls as well.
    let exported = format!(r#"(func ${HELD} (export "held") (param i32) {passes_on})"#);
    check(
        &format!("(call ${HELD} (i32.const 64))"),
        &exported,
        &[
            "serin_core: index in proxy_on_tick (serin_core/src/slot.rs)",
            "serin_core: index in serin_core::table::held",
        ],
    );
    // One that is named as if it did nothing but panic.
    let named = r#"(func $_ZN4core9panicking5maybe17h0123456789abcdefE (export "maybe") (if (i32.const 0) (then unreachable)))"#;
    check("", named, &["core: unreachable instruction in core::panicking::maybe"]);
}

/// The list that belongs to the body of a function, by that compiler.
fn record(body: &str, reason: &str) -> (Record, Vec<Site>) {
    let sites = find(&module(&format!("(call ${HELD})"), &format!("(func ${HELD} {body})")));
    let mut record = Record::parse("What can trap.\n\nAnd why not.").unwrap();
    record.update(&sites, "rustc 1.0.0");
    let text = record.text().replace("== serin_core: index\n", &format!("== serin_core: index\n{reason}\n"));
    (Record::parse(&text).unwrap(), sites)
}

#[track_caller]
fn check_error(record: &Record, sites: &[Site], compiler: &str, expected: &str) {
    let error = record.check(sites, compiler).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_list_is_right_about_what_it_was_made_of() {
    let (record, sites) = record(&panics(64), "Never.");
    record.check(&sites, "rustc 1.0.0").unwrap();
    assert_eq!(Record::parse(&record.text()).unwrap().text(), record.text());
    assert!(
        record.text().starts_with("What can trap.\n\nAnd why not.\n\nCompiler: rustc 1.0.0\n"),
        "{}",
        record.text()
    );
    assert!(
        record.text().contains("Never.\n   1  serin_core::table::held (serin_core/src/slot.rs)"),
        "{}",
        record.text()
    );
}

#[test]
fn more_than_is_listed_is_an_error_with_the_way_to_it() {
    let (record, _) = record(&panics(64), "Never.");
    let twice = format!("(if (i32.const 0) (then {})) {}", panics(64), panics(64));
    let sites = find(&module(&format!("(call ${HELD})"), &format!("(func ${HELD} {twice})")));
    let line = "serin_core: index in serin_core::table::held (serin_core/src/slot.rs): 2, the list has 1";
    let way = "reached by proxy_on_tick > serin_core::table::held > core::panicking::panic_bounds_check";
    check_error(&record, &sites, "rustc 1.0.0", &format!("new: {line}; {way}"));
    record.check(&sites, "rustc 2.0.0").unwrap();
}

#[test]
fn less_than_is_listed_is_to_be_blessed() {
    let (mut record, _) = record(&panics(64), "Never.");
    check_error(&record, &[], "rustc 1.0.0", "gone: serin_core: index in serin_core::table::held");
    check_error(&record, &[], "rustc 1.0.0", "--bless");
    record.check(&[], "rustc 2.0.0").unwrap();
    record.update(&[], "rustc 1.0.0");
    record.check(&[], "rustc 1.0.0").unwrap();
}

#[test]
fn of_another_compiler_new_kinds_of_ours_are_an_error() {
    let (record, _) = record(&panics(64), "Never.");
    let sites =
        find(&module(&format!("(call ${HELD})"), &format!("(func ${HELD} (if (i32.const 0) (then unreachable)))")));
    check_error(&record, &sites, "rustc 2.0.0", "new: serin_core: unreachable instruction in serin_core::table::held");
}

#[test]
fn a_group_without_a_reason_is_an_error_and_reasons_are_kept() {
    let (mut record, sites) = record(&panics(64), "");
    check_error(&record, &sites, "rustc 1.0.0", "no reason is given for serin_core: index");
    record = Record::parse(&record.text().replace("index\n", "index\nSlots are\nbelow 1000.\n")).unwrap();
    record.update(&sites, "rustc 1.0.1");
    record.check(&sites, "rustc 1.0.1").unwrap();
}
