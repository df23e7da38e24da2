//! The stack: what lies deep in documents and patterns, and how much of the 64 KiB it takes.
//!
//! The stack is the first page of memory and grows down to its begin, so that more than there is would be a trap. Memory begins
//! as zeros and nothing else writes there: what still is zero has not been used.

use serde_json::{Value, json};
use serin_host::{Proxy, Worker};

use crate::site::{PLUGIN, shop_with, with_mistakes};
use crate::wire::encode_struct;

const STACK: usize = 64 * 1024;
/// So much of it has to be left.
const LEAST_LEFT: usize = 16 * 1024;
/// As deep as documents of JSON may be, by `serde_json`; one level is the document itself.
const DEEPEST: usize = 127;

/// A proxy that was given this document, and requests after it.
#[track_caller]
fn proxy(document: impl AsRef<[u8]>) -> Proxy {
    let proxy = with_mistakes().start(document).expect("it starts");
    for path in ["/", "/cart/items?canary=v2", &"/a".repeat(1000)] {
        proxy.worker(0).get(path).header("cookie", "canary=x; lane=v2").send().expect("the VM lives");
    }
    proxy
}

/// The bytes of the stack that were never used.
fn left(worker: &Worker) -> usize {
    let memory = worker.memory();
    memory.iter().take(STACK).position(|byte| *byte != 0).unwrap_or(STACK)
}

#[track_caller]
fn check(what: &str, document: impl AsRef<[u8]>) -> Proxy {
    let proxy = proxy(document);
    let left = left(&proxy.worker(0));
    assert!(left >= LEAST_LEFT, "{what}: {left} bytes of the stack are left");
    proxy
}

/// What a level begins and ends with, in JSON, and how many levels of the document it is.
const LEVELS: [(&str, &str, usize); 3] = [("[", "]", 1), (r#"{"x":"#, "}", 1), (r#"[{"rollouts":"#, "}]", 2)];

#[test]
fn the_deepest_json_leaves_some_of_the_stack() {
    for (open, close, each) in LEVELS {
        for (levels, is_too_deep) in [(DEEPEST / each, false), (DEEPEST / each + 1, true), (20 * DEEPEST, true)] {
            let document = format!("{}null{}", open.repeat(levels), close.repeat(levels));
            let log = check(&format!("{levels} times {open}"), document).log();
            assert_eq!(log.iter().any(|line| line.text.contains("recursion limit")), is_too_deep, "{open}: {log:?}");
        }
    }
}

#[test]
fn what_is_never_closed_leaves_some_of_the_stack() {
    for unclosed in ["[", r#"{"rollouts":"#, r#"[{"x":"#] {
        check(unclosed, unclosed.repeat(100_000));
    }
}

/// Puts a level around the one below.
type Wrap = fn(Value) -> Value;

/// The levels, and how many of each are read: one is two, three or five messages inside each other, and the reader allows for 128,
/// of which the document itself takes two.
const WRAPS: [(Wrap, usize); 3] =
    [(|inner| json!([inner]), 63), (|inner| json!({"x": inner}), 42), (|inner| json!([{"rollouts": inner}]), 25)];

#[test]
fn the_deepest_struct_leaves_some_of_the_stack() {
    for (wrap, most) in WRAPS {
        for (levels, is_too_deep) in [(most / 2, false), (most, false), (most + 1, true), (200, true)] {
            let inner = (0..levels).fold(Value::Null, |inner, _| wrap(inner));
            let document = serde_json::Map::from_iter([("rollouts".to_owned(), inner)]);
            let what = format!("{levels} times {}", wrap(Value::Null));
            let log = check(&what, encode_struct(&document, false)).log();
            let is_refused = log.iter().any(|line| line.text.contains("neither JSON nor a Struct"));
            assert_eq!(is_refused, is_too_deep, "{what}: {log:?}");
        }
    }
}

#[test]
fn the_deepest_patterns_leave_some_of_the_stack() {
    let nested = |open: &str, close: &str, levels: usize| format!("{}a{}", open.repeat(levels), close.repeat(levels));
    for (pattern, is_sound) in [
        (nested("(?:", ")", 48), true),
        (nested("(?:", ")", 60), false),
        (nested("(?:b|", ")", 22), true),
        (nested("(?:b|", ")", 60), false),
        (nested("(?:b", ")?", 15), true),
        (nested("(?:b", ")?", 60), false),
        (nested("(", ")", 4), true),
        (nested("(", ")", 60), false),
        (nested("", "?", 40), true),
        (nested("", "?", 500), false),
        ("(".repeat(512), false),
    ] {
        let proxy = check(&pattern, shop_with(100, &json!({"match": [{"path": {"regex": pattern}}]})).to_string());
        let ok = proxy.gauge(&format!("serin_config_ok.plugin.{PLUGIN}"));
        assert_eq!(ok, Some(u64::from(is_sound)), "{pattern}: {:?}", proxy.log());
    }
}
