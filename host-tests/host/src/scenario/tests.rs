//! Reading, writing and comparing scenarios.

use std::time::Duration;

use crate::routes::LocalReply;

use super::{Answer, Configuration, Exchanged, Expected, Facts, Form, Outcome, Scenario, Sighting, Step, Workers};

const NOW: Duration = Duration::from_secs(1_767_225_600);

fn read(text: &str) -> Scenario {
    Scenario::parse(text, "name", NOW).unwrap()
}

const WHOLE: &str = r#"
about: All that a file can say.
module: other
plugin: {name: p, root_id: r, vm_id: v, environment: {K: v}, disabled: true}
configuration: {a: [1, "{now}"]}
form: text
direction: inbound
workers: {exactly: 2}
http: [2]
hosts: [envoy]
strip: [X-Own]
clusters: {v1: {}, down: {endpoints: none}, deaf: {refuses: true}}
routes:
- {match: {path: /a, headers: [{name: h, prefix: p, invert: true}]}, respond: 418, filter: {disabled: false}}
- {match: {prefix: /}, weighted: {v1: 1}, weighted_by: x-slot, remove: [x-slot]}
cookies: {canary: {matches: ^n}}
expect: {accepted: true, errors: [why]}
steps:
- request: {method: POST, path: {bytes: "2f ff"}, host: h, scheme: https, headers: [[a, 1], [a, {text: ab, times: 2}]],
    body: [x, y], trailers: {t: u}, source: 10.0.0.1, client: leaves}
  visitor: anna
  worker: 1
  upstream: {status: 500, headers: {s: t}, body: "", trailers: {u: v}, after: 500ms, resets: true}
  repeat: 2
  expect:
    status: null
    cluster: {matches: "v[12]"}
    request: {A: [x, {matches: y}], b: null}
    response: {c: "1"}
    cookies: {one: null, two: x, three: {matches: ^z, attributes: {Secure: true, path: /, domain: null}}}
    body: {text: a, times: 3}
    filter_state: {State: s}
- push: {b: 1}
- push_text: "text"
  expect: {accepted: false, errors: [a, b]}
- wait: 2s
- metrics: {a: 1, b: null, c: {at_least: 2}}
- log: [{level: warn, contains: text}]
"#;

#[test]
fn a_scenario_is_written_as_it_was_read() {
    let scenario = read(WHOLE);
    let written = scenario.to_yaml().unwrap();
    assert_eq!(scenario, read(&written), "{written}");
    let Configuration::Mapping(document) = &scenario.configuration else { panic!("{scenario:?}") };
    assert_eq!("2026-01-01T00:00:00Z", document["a"][1]);
    let Step::Request(request) = &scenario.steps[0] else { panic!("{scenario:?}") };
    assert_eq!(
        (b"/\xff".as_slice(), b"abab".as_slice()),
        (&*request.request.path.0, &*request.request.headers.0[1].1.0)
    );
    assert_eq!(Some(&Expected::Absent), request.expect.0.get("status"));
    assert_eq!(Some(&Expected::is("")), request.expect.0.get("cookies.three;secure"));
    assert_eq!(Some(&Expected::Absent), request.expect.0.get("cookies.three;domain"));
}

#[test]
fn what_a_file_leaves_out_is_filled_in() {
    let scenario = read("{about: Little., steps: [{request: {}}]}");
    assert_eq!(("name", None), (scenario.plugin.name.as_str(), scenario.plugin.vm_id.as_deref()));
    assert_eq!((Workers::AtLeast(1), 2, 2), (scenario.workers, scenario.http.len(), scenario.hosts.len()));
    assert_eq!((1, 1), (scenario.routes.clusters.len(), scenario.routes.routes.len()));
    assert_eq!(Form::Struct, scenario.form);
    assert_eq!(scenario, read(&scenario.to_yaml().unwrap()));
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, complaints) in [
        ("{about: a, stepps: []}", &["unknown field `stepps`", "cookies, expect, steps"][..]),
        ("about: a\nsteps:\n- requests: {}", &["unknown field `requests`", "line 3"]),
        ("about: a\nsteps:\n- request: {}\n  push: {}", &["one of them"]),
        ("about: a\nsteps:\n- push: {}\n  visitor: a", &["belong to a request"]),
        ("about: a\nsteps:\n- push: {}\n  expect: {status: 200}", &["`accepted` and `errors`"]),
        ("about: a\nsteps:\n- request: {}\n  expect: {errors: []}", &["expected of a push"]),
        ("about: a\nsteps:\n- request: {}\n  expect: {body: {matches: '('}}", &["line 4"]),
        ("about: a\nsteps:\n- wait: 2 s", &["no duration", "line 3"]),
        ("about: a\nsteps:\n- request: {path: {bytes: fg}}", &["no byte"]),
        ("{about: ' ', steps: []}", &["says nothing"]),
        ("{about: a, expect: {accepted: false}, steps: [{wait: 1s}]}", &["`steps` must be empty"]),
        ("{about: a, steps: [{wait: 1s}, {request: {}, repeat: 0}]}", &["step 2", "at least 1"]),
        ("{about: a, steps: [{request: {}, upstream: {after: 15s}}]}", &["step 1", "less than 15s"]),
        ("{about: a, steps: [{request: {headers: {X-Forwarded-For: b}}}]}", &["step 1", "`source`"]),
        ("{about: a, http: [3], steps: []}", &["1 and 2, not of 3"]),
        ("{about: a, configuration: [1], steps: []}", &["a mapping or a text"]),
        ("{about: a, configuration: '{now-1y}', steps: []}", &["no time such as"]),
    ] {
        let error = format!("{:#}", Scenario::parse(text, "name", NOW).unwrap_err());
        for complaint in complaints {
            assert!(error.contains(complaint), "{text}\n{error}");
        }
    }
}

fn exchange(cluster: &str, response: &[(&str, &str)]) -> Exchanged {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect::<Vec<_>>()
    };
    let upstream = Sighting {
        cluster: cluster.to_owned(),
        headers: pairs(&[("cookie", "canary=n1; a=b")]),
        ..Sighting::default()
    };
    Exchanged {
        upstream: Some(upstream),
        answer: Some(Answer { status: 200, headers: pairs(response), ..Answer::default() }),
    }
}

fn outcome(exchanged: &Exchanged) -> Outcome {
    Outcome { start: Facts::of_push(true, []), steps: vec![vec![exchanged.facts()]], ..Outcome::default() }
}

#[test]
fn an_outcome_is_held_against_what_is_expected() {
    let found = outcome(&exchange("v2", &[("set-cookie", "canary=n12; Path=/; HttpOnly"), ("a", "1"), ("a", "2")]));
    for (expect, fact) in [
        ("{status: 200, cluster: v2, response: {a: ['1', '2'], b: null}}", None),
        ("{cookies: {canary: {matches: '^n[0-9]+$', attributes: {httponly: true, path: /, secure: false}}}}", None),
        ("{cluster: v1}", Some("cluster")),
        ("{cluster: null}", Some("cluster")),
        ("{response: {a: '1'}}", Some("response.a")),
        ("{cookies: {canary: null}}", Some("cookies.canary")),
        ("{cookies: {canary: {attributes: {secure: true}}}}", Some("cookies.canary;secure")),
        ("{request: {cookie: x}}", Some("request.cookie")),
    ] {
        let scenario = read(&format!("{{about: a, steps: [{{request: {{}}, expect: {expect}}}]}}"));
        let difference = scenario.difference("host", &found);
        assert_eq!(fact, difference.as_ref().map(|difference| difference.fact.as_str()), "{expect}: {difference:?}");
    }
    let refused = Outcome { start: Facts::of_push(false, ["why".to_owned()]), ..found };
    let difference = read("{about: a, steps: []}").difference("host", &refused).unwrap();
    assert_eq!("accepted", difference.fact);
}

#[test]
fn two_outcomes_are_compared_where_nothing_is_left_open() {
    let one = exchange("v2", &[("set-cookie", "canary=n12"), ("date", "today")]);
    let other = exchange("v2", &[("set-cookie", "canary=n34"), ("date", "tomorrow")]);
    let differing = |top: &str, other: &Exchanged| {
        let scenario = read(&format!("{{about: a, {top} steps: [{{request: {{}}}}]}}"));
        let difference = scenario.compare(("one", &outcome(&one)), ("other", &outcome(other)));
        difference.map(|difference| difference.to_string())
    };
    assert_eq!(None, differing("cookies: {canary: {matches: ^n}},", &other));
    let told = differing("", &other).unwrap();
    assert_eq!("name: step 1 (GET /): cookies.canary\n  one    n12\n  other  n34\n", told);
    let elsewhere = exchange("v1", &[("set-cookie", "canary=n12")]);
    assert!(differing("", &elsewhere).unwrap().contains("cluster"));
}

#[test]
fn a_step_that_did_not_take_place_is_a_difference() {
    let short = Outcome { steps: Vec::new(), ..outcome(&exchange("v2", &[])) };
    let difference = read("{about: a, steps: [{wait: 1s}, {request: {}}]}").difference("host", &short).unwrap();
    assert_eq!(("step 2 (GET /)", "whether the step took place"), (difference.step.as_str(), difference.fact.as_str()));
    let scenario = read("{about: a, steps: [{request: {}}]}");
    let whole = outcome(&exchange("v2", &[]));
    let told = scenario.compare(("one", &whole), ("other", &short)).unwrap();
    assert_eq!(vec!["it did", "it did not"], told.found.iter().map(|(_, came)| came.as_str()).collect::<Vec<_>>());
}

#[test]
fn bodies_are_compared_byte_by_byte_but_for_the_reason_that_envoy_gives() {
    let bodies = |status, one: &[u8], other: &[u8]| {
        let of = |body: &[u8]| {
            let answer = Answer { status, body: body.to_vec(), ..Answer::default() };
            outcome(&Exchanged { upstream: None, answer: Some(answer) })
        };
        let scenario = read("{about: a, steps: [{request: {}}]}");
        scenario.compare(("one", &of(one)), ("other", &of(other))).map(|difference| difference.fact)
    };
    let (error, reason) = (LocalReply::REFUSED.body.as_bytes(), b" reset reason: remote connection failure".as_slice());
    let (told, own) = ([error, reason].concat(), [b"own".as_slice(), reason].concat());
    for (status, one, other, fact) in [
        (503, told.as_slice(), error, None),
        (500, &told, error, Some("body")),
        (503, &own, b"own", Some("body")),
        (200, b"\xff", b"\xfe", Some("body")),
    ] {
        assert_eq!(fact, bodies(status, one, other).as_deref(), "{}", one.escape_ascii());
    }
}
