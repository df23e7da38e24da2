//! Guards in the module: what workers count together, what they do about it, what it costs, and what pushes leave as it was.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use serin_host::{HeaderMap, LogLevel, Proxy, Request, Worker};

use crate::site::{merge, proxy, shop_with, version, version_for};

const SECOND: Duration = Duration::from_secs(1);

/// A shop whose visitors are all on v2, with this guard.
fn guarded(guard: &Value) -> Value {
    shop_with(100, &json!({"guard": guard, "override": {"header": "x-canary"}}))
}

/// Answers of v2, alternately over the workers.
fn answers(proxy: &Proxy, statuses: &[u16]) {
    for (number, status) in statuses.iter().enumerate() {
        proxy.worker(number % 2).get("/").answered_with(*status).send().unwrap();
    }
}

#[track_caller]
fn check(proxy: &Proxy, expected: &str) {
    for worker in proxy.workers() {
        assert_eq!(version_for(worker.get("/")), expected, "on {}: {:?}", worker.name(), proxy.log());
    }
}

fn count(proxy: &Proxy, what: &str) -> u64 {
    proxy.counter(&format!("serin_{what}.rollout.shop.version.v2"))
}

fn state(proxy: &Proxy) -> Option<u64> {
    proxy.gauge("serin_guard_state.rollout.shop.version.v2")
}

fn lines(proxy: &Proxy, part: &str) -> usize {
    proxy.log().iter().filter(|line| line.text.contains(part)).count()
}

#[test]
fn workers_count_together_and_act_within_two_ticks() {
    let mut proxy = proxy(&guarded(&json!({"max_percent": 5})));
    proxy.advance(SECOND).unwrap();
    // Neither worker has enough evidence: two of two each.
    answers(&proxy, &[500, 503, 500, 599]);
    check(&proxy, "v2");
    proxy.advance(2 * SECOND).unwrap();
    check(&proxy, "v1");
    assert_eq!((1, Some(2)), (count(&proxy, "guard_trips"), state(&proxy)));
    // What `check` asked in between was answered with 200.
    assert_eq!((6, 4), (count(&proxy, "guard_requests"), count(&proxy, "guard_failures")));
    assert_eq!(1, lines(&proxy, "rollouts.shop.versions.v2: taken out"), "one line an Envoy: {:?}", proxy.log());
    let asked = proxy.worker(0).get("/").header("x-canary", "v2").send().unwrap();
    assert_eq!("v2", version(&asked), "an override still gets it");
    proxy.advance(Duration::from_secs(86_400)).unwrap();
    check(&proxy, "v1");
}

#[test]
fn what_counts_as_a_failure() {
    let time = Duration::from_millis(801);
    let quick = |request: Request, response: HeaderMap| {
        let mut stream = request.start().unwrap();
        stream.respond_with_body(response).unwrap();
    };
    type Act = Box<dyn Fn(&mut Proxy, Request)>;
    let grpc = |code: &'static str| -> Act {
        Box::new(move |_, request| {
            let answer = HeaderMap::response().with(":status", "200").with("grpc-status", code);
            request.answered(answer).send().unwrap();
        })
    };
    let status = |code: &'static str| -> Act {
        Box::new(move |_, request| quick(request, HeaderMap::response().with(":status", code)))
    };
    let late = |response: Option<HeaderMap>| -> Act {
        Box::new(move |proxy, request| {
            let mut stream = request.start().unwrap();
            proxy.advance(time).unwrap();
            if let Some(response) = &response {
                stream.respond(response.clone()).unwrap();
            }
        })
    };
    let table: [(&str, bool, Act); 14] = [
        ("500", true, status("500")),
        ("599", true, status("599")),
        ("200", false, status("200")),
        ("404", false, status("404")),
        ("no status", false, status("")),
        ("gRPC unavailable", true, grpc("14")),
        ("gRPC internal", true, grpc("13")),
        ("gRPC not found", false, grpc("5")),
        ("gRPC ok", false, grpc("0")),
        ("gRPC nonsense", false, grpc("unavailable")),
        ("late", true, late(Some(HeaderMap::response().with(":status", "200")))),
        ("never, until after the time", true, late(None)),
        ("gone before the time", false, Box::new(|_, request| drop(request.start().unwrap()))),
        (
            "named by the request",
            false,
            Box::new(|_, request| {
                request.header("x-canary", "v2").answered_with(500).send().unwrap();
            }),
        ),
    ];
    for (name, fails, act) in table {
        let mut proxy = proxy(&guarded(&json!({"max_percent": 0, "failures": {"slower_than": "800ms"}})));
        proxy.advance(SECOND).unwrap();
        let request = proxy.worker(0).get("/");
        act(&mut proxy, request);
        proxy.advance(2 * SECOND).unwrap();
        assert_eq!(u64::from(fails), count(&proxy, "guard_failures"), "{name}");
        check(&proxy, if fails { "v1" } else { "v2" });
    }
}

#[test]
fn a_request_without_an_answer_counts_once_and_while_it_waits() {
    let mut proxy = proxy(&guarded(&json!({"max_percent": 40, "failures": {"slower_than": "800ms"}})));
    proxy.advance(SECOND).unwrap();
    let mut waiting: Vec<_> = (0..20).map(|number| proxy.worker(number % 2).get("/").start().unwrap()).collect();
    proxy.advance(3 * SECOND).unwrap();
    check(&proxy, "v1");
    assert_eq!((20, 20), (count(&proxy, "guard_requests"), count(&proxy, "guard_failures")));
    waiting.iter_mut().for_each(|stream| drop(stream.respond(HeaderMap::response().with(":status", "504")).unwrap()));
    drop(waiting);
    proxy.advance(2 * SECOND).unwrap();
    assert_eq!(20, count(&proxy, "guard_requests"));
}

#[test]
fn a_tenth_comes_back_and_late_answers_do_not_count_against_it() {
    let mut proxy = proxy(&guarded(&json!({"max_percent": 5, "window": "10s", "for": "5s"})));
    proxy.advance(SECOND).unwrap();
    let mut before: Vec<_> = (0..20).map(|number| proxy.worker(number % 2).get("/").start().unwrap()).collect();
    let mut answer = |from: usize| {
        let late = before.iter_mut().skip(from).take(10);
        late.for_each(|stream| drop(stream.respond(HeaderMap::response().with(":status", "504")).unwrap()));
    };
    answers(&proxy, &[500; 10]);
    proxy.advance(2 * SECOND).unwrap();
    check(&proxy, "v1");
    let share = |proxy: &Proxy| {
        let users = (0..400).map(|number| proxy.worker(number % 2).get("/").header("x-user-id", number.to_string()));
        users.filter(|request| version(&request.clone().send().unwrap()) == "v2").count()
    };
    proxy.advance(5 * SECOND).unwrap();
    assert_eq!((Some(1), 1), (state(&proxy), lines(&proxy, "a tenth")));
    let tenth = share(&proxy);
    assert!((10..=80).contains(&tenth), "{tenth} of 400");
    answer(0);
    proxy.advance(11 * SECOND).unwrap();
    assert_eq!((400, Some(0), 1), (share(&proxy), state(&proxy), lines(&proxy, "serves again")));
    answer(10);
    proxy.advance(3 * SECOND).unwrap();
    assert_eq!((400, 1), (share(&proxy), count(&proxy, "guard_trips")));
}

#[test]
fn thirty_pushes_leave_a_version_out_and_nothing_behind() {
    let document = |n: u32| {
        let mut document = guarded(&json!({"max_percent": 5}));
        merge(
            &mut document["rollouts"],
            &json!({"other": {"match": [{"hosts": [format!("h{n}.example.com")]}], "stable": "a", "versions": {"a": {}}}}),
        );
        document.to_string()
    };
    let mut proxy = proxy(&guarded(&json!({"max_percent": 5})));
    proxy.advance(SECOND).unwrap();
    answers(&proxy, &[500; 10]);
    proxy.advance(2 * SECOND).unwrap();
    let size = proxy.shared_data("serin.guard.serin").unwrap().len();
    for n in 0..30 {
        proxy.push(document(n)).unwrap();
        // From the first request on, before any tick.
        check(&proxy, "v1");
        proxy.advance(SECOND / 2).unwrap();
    }
    assert_eq!((1, size), (count(&proxy, "guard_trips"), proxy.shared_data("serin.guard.serin").unwrap().len()));
    // Another cluster or release is another version.
    let mut other = guarded(&json!({"max_percent": 5}));
    other["rollouts"]["shop"]["release"] = json!("next");
    proxy.push(other.to_string()).unwrap();
    check(&proxy, "v2");
    assert_eq!(Some(0), state(&proxy));
}

#[test]
fn what_is_kept_of_other_documents_does_not_grow() {
    let document = |n: u32| {
        guarded(&json!({"max_percent": 5}))
            .to_string()
            .replace("\"stable\"", &format!("\"release\":\"r{n}\",\"stable\""))
    };
    let mut proxy = proxy(&guarded(&json!({"max_percent": 5})));
    let mut sizes = Vec::new();
    for n in 0..100 {
        proxy.push(document(n)).unwrap();
        answers(&proxy, &[200]);
        proxy.advance(SECOND).unwrap();
        sizes.push(proxy.shared_data("serin.guard.serin").map_or(0, |bytes| bytes.len()));
    }
    assert!(sizes[20] < sizes[60] && sizes[70] == sizes[99], "{sizes:?}");
}

#[test]
fn a_version_that_leaves_the_document_is_not_shown_any_more() {
    let mut proxy = proxy(&guarded(&json!({"max_percent": 5})));
    proxy.advance(SECOND).unwrap();
    answers(&proxy, &[500; 10]);
    proxy.advance(2 * SECOND).unwrap();
    assert_eq!(Some(2), state(&proxy));
    let renamed = guarded(&json!({"max_percent": 5})).to_string().replace("\"v2\"", "\"v3\"");
    proxy.push(renamed).unwrap();
    proxy.advance(2 * SECOND).unwrap();
    assert_eq!(Some(0), state(&proxy));
}

#[test]
fn listeners_with_different_documents_each_have_a_guard() {
    let document = |release: &str| {
        let mut document = guarded(&json!({"max_percent": 5}));
        document["rollouts"]["shop"]["release"] = json!(release);
        document
    };
    let mut proxy = proxy(&document("one"));
    proxy.push_to("other", document("two").to_string()).unwrap();
    proxy.advance(SECOND).unwrap();
    answers(&proxy, &[500; 10]);
    proxy.advance(2 * SECOND).unwrap();
    check(&proxy, "v1");
    assert_eq!("v2", version_for(proxy.worker(0).get("/").on("other")));
    for _ in 0..10 {
        proxy.worker(0).get("/").on("other").answered_with(500).send().unwrap();
    }
    proxy.advance(2 * SECOND).unwrap();
    assert_eq!("v1", version_for(proxy.worker(0).get("/").on("other")));
    assert_eq!((2, Some(2)), (count(&proxy, "guard_trips"), state(&proxy)));
}

#[test]
fn a_draining_configuration_counts_and_the_new_one_judges() {
    let document = |most: u32| guarded(&json!({"max_percent": most}));
    for (old, new, expected) in [(5, 99, "v2"), (99, 5, "v1")] {
        let mut proxy = proxy(&document(old));
        proxy.advance(SECOND).unwrap();
        let mut before: Vec<_> = (0..16).map(|number| proxy.worker(number % 2).get("/").start().unwrap()).collect();
        proxy.push(document(new).to_string()).unwrap();
        let of_both = [500, 500, 500, 200].iter().cycle();
        for (stream, status) in before.iter_mut().zip(of_both) {
            drop(stream.respond(HeaderMap::response().with(":status", status.to_string())).unwrap());
        }
        // Ticks of old and new roots, then the old ones end with their streams.
        proxy.advance(2 * SECOND).unwrap();
        check(&proxy, expected);
        drop(before);
        proxy.advance(2 * SECOND).unwrap();
        check(&proxy, expected);
        assert_eq!(12, count(&proxy, "guard_failures"), "{old} then {new}");
        assert!(proxy.workers().iter().all(|worker| worker.roots().len() == 1 && worker.timers().len() == 1));
    }
}

#[test]
fn only_a_rollout_with_a_guard_pays_for_it() {
    let calls = |document: &Value, respond: &dyn Fn(Request) -> u64| {
        let mut proxy = proxy(document);
        proxy.advance(2 * SECOND).unwrap();
        respond(proxy.worker(0).get("/"))
    };
    let with_body = |request: Request| {
        let mut stream = request.start().unwrap();
        stream.respond_with_body(HeaderMap::response().with(":status", "200")).unwrap();
        stream.finish().unwrap().usage.total_host_calls()
    };
    let without_body = |request: Request| {
        let mut stream = request.start().unwrap();
        stream.respond(HeaderMap::response().with(":status", "200")).unwrap();
        stream.finish().unwrap().usage.total_host_calls()
    };
    let (statuses, times) = (json!({"max_percent": 5}), json!({"max_percent": 5, "failures": {"slower_than": "1s"}}));
    let compares = json!({"max_percent": 5, "worse_than_stable": 2, "failures": {"slower_than": "1s"}});
    for (weight, guard, more) in
        [(100, &statuses, 0), (100, &times, 2), (100, &compares, 2), (0, &times, 0), (0, &compares, 3)]
    {
        let user = |request: Request| request.header("x-user-id", "u1");
        let unit = json!({"sticky": {"unit": [{"header": "x-user-id"}]}});
        let plain = shop_with(weight, &unit);
        let guarded = shop_with(weight, &json!({"guard": guard, "sticky": unit["sticky"]}));
        for respond in [&with_body as &dyn Fn(Request) -> u64, &without_body] {
            let ask = |request: Request| respond(user(request));
            assert_eq!(more, calls(&guarded, &ask) - calls(&plain, &ask), "weight {weight}, {guard}");
        }
    }
}

/// A version that fails every fifth time, and one within its bounds, with the counts that the module makes itself.
#[test]
fn odds() {
    let document = guarded(&json!({"max_percent": 5}));
    let run = |seed: u64, failing: f64, most: u32| -> Option<u32> {
        let mut rng = Rng::with_seed(seed);
        let mut proxy = proxy(&document);
        proxy.advance(SECOND).unwrap();
        for request in 1..=most {
            let status = if rng.f64() < failing { 500 } else { 200 };
            let worker: Worker = proxy.worker(rng.usize(..2));
            worker.get("/").answered_with(status).send().unwrap();
            proxy.advance(SECOND / 2).unwrap();
            if count(&proxy, "guard_trips") > 0 {
                return Some(request);
            }
        }
        None
    };
    let mut after: Vec<u32> = (0..41).map(|seed| run(seed, 0.2, 2_000).expect("it is taken out")).collect();
    after.sort_unstable();
    assert!(after[20] <= 40, "a median of {} requests: {after:?}", after[20]);
    assert_eq!(None, run(1, 0.01, 20_000));
}

#[test]
fn nothing_goes_wrong_that_is_logged() {
    let mut proxy = proxy(&guarded(&json!({"max_percent": 5, "failures": {"slower_than": "1s"}})));
    answers(&proxy, &[500; 30]);
    proxy.advance(10 * SECOND).unwrap();
    let errors: Vec<_> = proxy.log().into_iter().filter(|line| line.level >= LogLevel::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
