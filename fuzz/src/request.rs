//! Target `request`: the built module in the wasmtime host, with documents, requests, answers, pushes, time and faults out of the
//! input's choices. Nothing kills a VM, every request goes on to an upstream, and without faults the outcome is that of the
//! core; with them no copy of our headers that a client sends goes on, and no cookie is written of what could not be read.
//! `SERIN_WASM` names the module.

mod expected;
mod refusals;
mod site;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;
use serin_host::{Action, Exchange, Fault, HeaderMap, Module, Stream, Usage};

use crate::counters::saw;
use crate::dice::Dice;
use crate::draft;
use expected::Outcome;
use site::{Due, Looked, Site, WORKERS};

/// Compiled once.
static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let path = std::env::var_os("SERIN_WASM").map(PathBuf::from);
    let path = path.expect("SERIN_WASM names no module: run `cargo xtask fuzz`, which builds it and says where it is");
    Module::open(&path).expect("a module that an Envoy can load")
});

/// Documents that are known to be sound, and such that are known not to be.
static DOCUMENTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let cases = |json: &str| serde_json::from_str::<Vec<Value>>(json).expect("a list of cases");
    let good = cases(include_str!("../../core/tests/good-documents.json"));
    let bad = cases(include_str!("../../core/tests/bad-documents.json"));
    let text = |case: &Value| case["document"].as_str().map_or_else(|| case["document"].to_string(), str::to_owned);
    let texts = good.iter().chain(&bad).map(text);
    // The largest take seconds, and are what the tests of the limits are for.
    texts.filter(|text| text.len() <= 4_096).map(String::into_bytes).collect()
});

/// What happens under one input.
const MOST_STEPS: usize = 16;
/// Streams in flight.
const MOST_OPEN: usize = 3;

/// Host calls that can fail, the last five by not giving what they should. A host that tells another size than it has asked
/// the module to allocate is none that a module could live in.
const CALLS: [&str; 20] = [
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_replace_header_map_value",
    "proxy_add_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "environ_sizes_get",
    "environ_get",
    "random_get",
    "clock_time_get",
    "proxy_get_header_map_value",
    "proxy_get_header_map_pairs",
    "proxy_get_property",
    "proxy_get_buffer_bytes",
    "proxy_get_shared_data",
];
const GIVING: usize = 5;

/// Plays what the input says.
pub fn run(input: &[u8]) {
    play(input, |_| ());
}

/// The same, held against outcomes that are changed so.
fn play(input: &[u8], plant: fn(&mut Outcome)) -> Looked {
    let dice = &mut Dice::new(input);
    let first = document(dice);
    let fault = dice.once_in(4).then(|| fault(dice));
    let mut site = Site::start(&MODULE, &first, fault, dice, plant);
    let mut open = Vec::new();
    for _ in 0..MOST_STEPS {
        step(&mut site, &mut open, dice);
        site.check_alive();
        if dice.is_empty() {
            break;
        }
    }
    open.into_iter().for_each(|open| close(&mut site, open));
    site.advance(1, false);
    site.check_alive();
    site.workers().iter().for_each(|worker| notice(&worker.usage()));
    site.looked
}

/// A stream in flight, and the status that it will be answered with.
struct Open {
    stream: Stream,
    answer: HeaderMap,
    due: Due,
}

fn step(site: &mut Site, open: &mut Vec<Open>, dice: &mut Dice<'_>) {
    match dice.below(10) {
        0 => site.push(&document(dice), !open.is_empty()),
        1 => site.advance(dice.pick(&[1, 2, 10, 61]), !open.is_empty()),
        2 => {
            let (call, fault) = fault(dice);
            site.inject(dice.below(WORKERS), call, Some(fault));
        }
        3 => site.inject(dice.below(WORKERS), dice.pick(&CALLS), None),
        4 if !open.is_empty() => {
            let ended = open.remove(dice.below(open.len()));
            if dice.once_in(3) { drop(ended) } else { close(site, ended) }
        }
        _ => {
            let sent = draft::request(dice);
            let answer = answer(dice);
            let (stream, due) = site.open(&sent, &answer, dice);
            let opened = Open { stream, answer, due };
            if dice.once_in(4) && open.len() < MOST_OPEN { open.push(opened) } else { close(site, opened) }
        }
    }
}

/// Has a stream answered, and checks that it came through.
fn close(site: &mut Site, open: Open) {
    let Open { stream, answer, due } = open;
    let exchange = stream.complete().unwrap_or_else(|death| panic!("{death}"));
    assert_passed(&exchange, &answer);
    site.check_response(due, &answer, &exchange.response);
    notice(&exchange.usage);
}

/// The request has reached an upstream, and its answer the client.
#[track_caller]
fn assert_passed(exchange: &Exchange, answer: &HeaderMap) {
    assert_eq!(exchange.action, Action::Continue);
    assert!(!exchange.was_local && !exchange.was_reset && exchange.upstream.is_some(), "{exchange:?}");
    assert_eq!(exchange.response.get(":status"), answer.get(":status"), "{exchange:?}");
}

/// New ways of calling the host, and new orders of magnitude of work, are new coverage.
fn notice(usage: &Usage) {
    for cost in usage.by_callback() {
        let calls = cost.host_calls();
        for (call, times) in &calls {
            saw((cost.callback(), call, times.min(&16)));
        }
        saw((cost.callback(), calls.keys().collect::<Vec<_>>()));
        // Eight steps for each doubling.
        let fuel = cost.fuel / cost.times.max(1);
        let doublings = fuel.max(8).ilog2();
        saw((cost.callback(), doublings, fuel >> (doublings - 3)));
    }
}

/// A document: a draft, one that is known, or any bytes.
fn document(dice: &mut Dice<'_>) -> Vec<u8> {
    match dice.below(8) {
        0..5 => draft::document(dice).to_string().into_bytes(),
        5 | 6 => DOCUMENTS[dice.below(DOCUMENTS.len())].clone(),
        _ => dice.bytes(200),
    }
}

fn fault(dice: &mut Dice<'_>) -> (&'static str, Fault) {
    let at = dice.below(CALLS.len());
    let call = CALLS[at];
    let number = Fault::Number(dice.pick(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99, u32::MAX]));
    let gives = at >= CALLS.len() - GIVING;
    (call, if gives { dice.pick(&[number, Fault::Null, Fault::Size(0), Fault::NoMemory]) } else { number })
}

fn answer(dice: &mut Dice<'_>) -> HeaderMap {
    let status = if dice.once_in(8) {
        dice.pick(&["503", "504", "500"])
    } else {
        dice.pick(&["200", "200", "200", "302", "404", "101"])
    };
    let mut answer = HeaderMap::response().with(":status", status);
    if dice.once_in(3) {
        answer.add(
            "cache-control",
            dice.pick(&["public, max-age=60, s-maxage=600", "no-store", "private", ",,=", "\u{ff}"]),
        );
    }
    if dice.once_in(4) {
        answer.add("set-cookie", dice.pick(&["session=1; Path=/", "canary=v2"]));
    }
    if dice.once_in(6) {
        answer.add("grpc-status", dice.pick(&["0", "14", "x", "99999999999"]));
    }
    answer
}
