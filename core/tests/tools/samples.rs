//! Sample requests fit what they are samples of.

use serde_json::{Value, json};
use serin_core::samples;

use crate::common::{Request, outcome, rules};

/// Checks how many entries of a rollout's match a fitting request was found for.
#[track_caller]
fn check(matches: Value, expected: usize) {
    let document = json!({"rollouts": {"r": {"match": matches, "stable": "v1", "versions": {"v1": {}}}}});
    let rules = rules(&document.to_string());
    let found = samples(rules.rollout_named("r").unwrap());
    for sample in &found {
        let query: Vec<String> = sample.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("{}?{}", sample.path, query.join("&"));
        let mut request = Request::to(sample.host.as_deref().unwrap_or("h"), &path).with(":method", &sample.method);
        for (name, value) in &sample.headers {
            request = request.with(name, value);
        }
        let cookies: Vec<String> = sample.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request = request.with("cookie", cookies.join("; "));
        if let Some(source) = &sample.source {
            request = request.from(&if source.contains(':') { format!("[{source}]:1") } else { format!("{source}:1") });
        }
        assert_eq!(outcome(&rules, &request, 0).answer, "r/v1/slot", "{sample:?}");
    }
    assert_eq!(found.len(), expected, "{document}");
}

#[test]
fn of_everything_that_can_be_asked_for() {
    check(json!([{"hosts": ["a.b", "*.c"], "path": {"prefix": "/x/"}, "methods": ["PUT", "GET"]}]), 1);
    check(json!([{"hosts": ["*.example.com"], "path": {"exact": "/x"}, "source": ["10.0.0.0/8"]}]), 1);
    check(json!([{"path": {"regex": "/(?:[a-z]{2}/)?reviews/[0-9]+"}, "source": ["fd00::/8"]}]), 1);
    let of = |test: Value| {
        let mut matcher = json!({"name": "x-a"});
        matcher.as_object_mut().unwrap().extend(test.as_object().unwrap().clone());
        json!([{"headers": [matcher]}, {"cookies": [matcher]}, {"query": [matcher]}])
    };
    for test in [
        json!({"exact": "a"}),
        json!({"exact": "a", "invert": true}),
        json!({"prefix": "a", "ignore_case": true}),
        json!({"suffix": "a"}),
        json!({"contains": "a", "invert": true}),
        json!({"in": ["b", "a"]}),
        json!({"present": true}),
        json!({"present": false}),
        json!({"present": true, "invert": true}),
        json!({"regex": "[0-9]{3}-?(x|y)+"}),
    ] {
        check(of(test), 3);
    }
    check(
        json!([{"headers": [
            {"name": "x-a", "prefix": "ab"}, {"name": "x-a", "suffix": "yz"}, {"name": "x-a", "contains": "mm"},
            {"name": "x-a", "exact": "abmmyz", "invert": true},
        ]}]),
        1,
    );
}

#[test]
fn of_what_contradicts_itself_there_is_none() {
    check(
        json!([{"headers": [{"name": "x-a", "exact": "a"}, {"name": "x-a", "exact": "b"}]}, {"path": {"exact": "/"}}]),
        1,
    );
}
