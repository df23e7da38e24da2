//! A real Envoy: a condition of ours holds for the very requests that Envoy's own matcher of the same meaning takes.

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Routes, Setup};

use crate::support::{self, Site, behind_a_proxy, raw};

/// A condition, Envoy's for it, and requests: method, query string, header lines, and whether both hold.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str, bool)]);

const CASES: [Case; 13] = [
    (
        r#"{"headers": [{"name": "x-a", "exact": "eu"}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"exact": "eu"}}]}"#,
        &[
            ("GET", "", "", false),
            ("GET", "", "x-a: eu\r\n", true),
            ("GET", "", "X-A:  eu \r\n", true),
            ("GET", "", "x-a: EU\r\n", false),
            ("GET", "", "x-a: eu1\r\n", false),
            ("GET", "", "x-a:\r\n", false),
        ],
    ),
    (
        r#"{"headers": [{"name": "x-a", "exact": "Eu", "ignore_case": true}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"exact": "Eu", "ignore_case": true}}]}"#,
        &[("GET", "", "x-a: eU\r\n", true), ("GET", "", "x-a: eux\r\n", false)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "prefix": "ab", "ignore_case": true}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"prefix": "ab", "ignore_case": true}}]}"#,
        &[("GET", "", "x-a: ABc\r\n", true), ("GET", "", "x-a: ab\r\n", true), ("GET", "", "x-a: cab\r\n", false)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "suffix": "bc"}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"suffix": "bc"}}]}"#,
        &[("GET", "", "x-a: abc\r\n", true), ("GET", "", "x-a: c\r\n", false), ("GET", "", "x-a: aBC\r\n", false)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "contains": "b"}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"contains": "b"}}]}"#,
        &[("GET", "", "x-a: abc\r\n", true), ("GET", "", "x-a: ac\r\n", false), ("GET", "", "", false)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "regex": "a+|b[0-9]{2}"}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"safe_regex": {"regex": "a+|b[0-9]{2}"}}}]}"#,
        &[
            ("GET", "", "x-a: aaa\r\n", true),
            ("GET", "", "x-a: b12\r\n", true),
            ("GET", "", "x-a: b123\r\n", false),
            ("GET", "", "x-a: xa\r\n", false),
            ("GET", "", "x-a: a\u{e9}\r\n", false),
        ],
    ),
    (
        r#"{"headers": [{"name": "x-a", "present": true}, {"name": "x-b", "present": false}]}"#,
        r#"{"headers": [{"name": "x-a", "present_match": true}, {"name": "x-b", "present_match": false}]}"#,
        &[
            ("GET", "", "x-a: 1\r\n", true),
            ("GET", "", "x-a:\r\n", true),
            ("GET", "", "x-a: 1\r\nx-b: 1\r\n", false),
            ("GET", "", "", false),
        ],
    ),
    (
        // Plain negation, which Envoy has only where an absent header counts as an empty one.
        r#"{"headers": [{"name": "x-a", "exact": "eu", "invert": true}]}"#,
        r#"{"headers": [{"name": "x-a", "string_match": {"exact": "eu"}, "invert_match": true, "treat_missing_header_as_empty": true}]}"#,
        &[("GET", "", "", true), ("GET", "", "x-a: eu\r\n", false), ("GET", "", "x-a: us\r\n", true)],
    ),
    (
        // Envoy takes it for `:authority`, which is what it has.
        r#"{"headers": [{"name": "host", "exact": "shop.example.com"}]}"#,
        r#"{"headers": [{"name": "host", "string_match": {"exact": "shop.example.com"}}]}"#,
        &[("GET", "", "", true), ("GET", "", "x-a: eu\r\n", true)],
    ),
    (
        r#"{"methods": ["POST", "PURGE"]}"#,
        r#"{"headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "POST|PURGE"}}}]}"#,
        &[
            ("GET", "", "", false),
            ("POST", "", "content-length: 0\r\n", true),
            ("PURGE", "", "", true),
            ("HEAD", "", "", false),
        ],
    ),
    (
        r#"{"query": [{"name": "a", "exact": "1"}]}"#,
        r#"{"query_parameters": [{"name": "a", "string_match": {"exact": "1"}}]}"#,
        &[
            ("GET", "?a=1", "", true),
            ("GET", "?b=1&a=1", "", true),
            ("GET", "?a=1&a=2", "", true),
            ("GET", "?a=2&a=1", "", false),
            ("GET", "?A=1", "", false),
            ("GET", "?a=%31", "", false),
            ("GET", "?aa=1", "", false),
            ("GET", "", "", false),
        ],
    ),
    (
        r#"{"query": [{"name": "a", "present": true}]}"#,
        r#"{"query_parameters": [{"name": "a", "present_match": true}]}"#,
        &[
            ("GET", "?a", "", true),
            ("GET", "?a=", "", true),
            ("GET", "?b&a", "", true),
            ("GET", "?b=a", "", false),
            ("GET", "?&&a=1", "", true),
        ],
    ),
    (
        r#"{"query": [{"name": "a", "exact": ""}]}"#,
        r#"{"query_parameters": [{"name": "a", "string_match": {"exact": ""}}]}"#,
        &[("GET", "?a", "", true), ("GET", "?a=", "", true), ("GET", "?a=1", "", false), ("GET", "?b=", "", false)],
    ),
];

#[tokio::test]
async fn conditions_hold_where_envoys_own_do() -> Result<()> {
    let (document, routes) = both()?;
    let site = Site::start(&Setup::from_env()?.routes(Routes::Table(routes)), document).await?;
    for (number, (condition, _, requests)) in CASES.iter().enumerate() {
        for (method, query, headers, expected) in *requests {
            let reply = raw(site.envoy.address(), &format!("{method} /c{number}/x{query}"), headers).await?;
            let found = (reply.header("x-answer").is_some(), reply.header("x-native").is_some());
            let what = format!("{condition}: {method} {query:?} {headers:?}");
            assert_eq!((200, (*expected, *expected)), (reply.status, found), "ours and Envoy's, {what}");
        }
    }
    Ok(())
}

/// A condition, and requests as above, for what Envoy's routes cannot ask or read otherwise: of several headers of one name
/// Envoy's matchers see one value with commas.
type Own = (&'static str, &'static [(&'static str, &'static str, &'static str, bool)]);

const OWN: [Own; 17] = [
    (
        r#"{"headers": [{"name": "x-a", "exact": "eu"}]}"#,
        &[("GET", "", "x-a: eu\r\nx-a: us\r\n", true), ("GET", "", "x-a: us\r\nX-A: eu\r\n", false)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "in": ["eu", "", "us"]}]}"#,
        &[
            ("GET", "", "x-a: us\r\n", true),
            ("GET", "", "x-a:\r\n", true),
            ("GET", "", "x-a: US\r\n", false),
            ("GET", "", "", false),
        ],
    ),
    (
        r#"{"headers": [{"name": "x-a", "in": ["Eu", "us"], "ignore_case": true, "invert": true}]}"#,
        &[("GET", "", "x-a: eU\r\n", false), ("GET", "", "x-a: asia\r\n", true), ("GET", "", "", true)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "regex": "a+", "ignore_case": true, "invert": true}]}"#,
        &[("GET", "", "x-a: aA\r\n", false), ("GET", "", "x-a: ab\r\n", true), ("GET", "", "", true)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "present": true, "invert": true}]}"#,
        &[("GET", "", "x-a:\r\n", false), ("GET", "", "", true)],
    ),
    (
        r#"{"headers": [{"name": "x-a", "present": true}, {"name": "x-a", "exact": "qa", "invert": true}]}"#,
        &[("GET", "", "x-a: qa\r\n", false), ("GET", "", "x-a: dev\r\n", true), ("GET", "", "", false)],
    ),
    (
        r#"{"cookies": [{"name": "a", "exact": "1"}]}"#,
        &[
            ("GET", "", "cookie: a=1\r\n", true),
            ("GET", "", "cookie: b=2;a=1 ; c=3\r\n", true),
            ("GET", "", "cookie: b=2\r\ncookie: a=1\r\n", true),
            ("GET", "", "cookie: a=1; a=2\r\n", true),
            ("GET", "", "cookie: a=2; a=1\r\n", false),
            ("GET", "", "cookie: A=1\r\n", false),
            ("GET", "", "cookie: aa=1\r\n", false),
            ("GET", "", "cookie: a=\"1\"\r\n", false),
            ("GET", "", "cookie: a=%31\r\n", false),
            ("GET", "", "a: 1\r\n", false),
        ],
    ),
    (
        r#"{"cookies": [{"name": "a", "present": false}, {"name": "b", "regex": "(x|y)[0-9]"}]}"#,
        &[
            ("GET", "", "cookie: b=x1\r\n", true),
            ("GET", "", "cookie: b=x1; a=\r\n", false),
            ("GET", "", "cookie: b=x12\r\n", false),
            ("GET", "", "", false),
        ],
    ),
    (
        r#"{"query": [{"name": "a", "in": ["1", "2"]}, {"name": "b", "prefix": "X", "ignore_case": true, "invert": true}]}"#,
        &[
            ("GET", "?a=2", "", true),
            ("GET", "?b=y&a=1", "", true),
            ("GET", "?a=2&b=xy", "", false),
            ("GET", "?b=y", "", false),
        ],
    ),
    (
        r#"{"methods": ["PUT"], "headers": [{"name": "x-a", "suffix": "U", "ignore_case": true}], "query": [{"name": "q", "contains": "="}]}"#,
        &[
            ("PUT", "?q=a=b", "x-a: eu\r\ncontent-length: 0\r\n", true),
            ("PUT", "?q=ab", "x-a: eu\r\ncontent-length: 0\r\n", false),
            ("GET", "?q=a=b", "x-a: eu\r\n", false),
        ],
    ),
    (r#"{"hosts": ["*.example.com"]}"#, &[("GET", "", "", true)]),
    (r#"{"hosts": ["*.shop.example.com", "other.org"]}"#, &[("GET", "", "", false)]),
    (
        r#"{"source": ["127.0.0.1"]}"#,
        &[
            ("GET", "", "", true),
            ("GET", "", "x-forwarded-for: 127.0.0.1\r\n", true),
            ("GET", "", "x-forwarded-for: 127.0.0.2\r\n", false),
        ],
    ),
    (
        r#"{"source": ["10.0.0.0/8", "192.0.2.128/25"]}"#,
        &[
            ("GET", "", "", false),
            ("GET", "", "x-forwarded-for: 10.255.0.1\r\n", true),
            ("GET", "", "x-forwarded-for: 11.0.0.1\r\n", false),
            ("GET", "", "x-forwarded-for: 192.0.2.127\r\n", false),
            ("GET", "", "x-forwarded-for: 192.0.2.128\r\n", true),
            // The hop in front wrote the last one; the others may be anybody's.
            ("GET", "", "x-forwarded-for: 10.0.0.1, 192.0.2.1\r\n", false),
            ("GET", "", "x-forwarded-for: 192.0.2.1,10.0.0.1\r\n", true),
            ("GET", "", "x-forwarded-for: ::ffff:10.0.0.1\r\n", true),
            ("GET", "", "x-forwarded-for: nobody\r\n", false),
        ],
    ),
    (
        r#"{"source": ["2001:db8::/33", "fd00::7"]}"#,
        &[
            ("GET", "", "x-forwarded-for: 2001:db8::1\r\n", true),
            ("GET", "", "x-forwarded-for: 2001:DB8:7fff:ffff::1\r\n", true),
            ("GET", "", "x-forwarded-for: 2001:db8:8000::1\r\n", false),
            ("GET", "", "x-forwarded-for: fd00:0:0::7\r\n", true),
            ("GET", "", "x-forwarded-for: fd00::8\r\n", false),
            ("GET", "", "x-forwarded-for: 127.0.0.1\r\n", false),
        ],
    ),
    (r#"{"source": ["0.0.0.0/0"]}"#, &[("GET", "", "", true), ("GET", "", "x-forwarded-for: fd00::1\r\n", false)]),
    (r#"{"source": ["::/0"]}"#, &[("GET", "", "", false), ("GET", "", "x-forwarded-for: fd00::1\r\n", true)]),
];

#[tokio::test]
async fn conditions_hold_as_they_are_told() -> Result<()> {
    let mut document = json!({"rollouts": {}, "headers": {"answer": "x-answer"}});
    for (number, (condition, _)) in OWN.iter().enumerate() {
        let mut entry: Value = serde_json::from_str(condition)?;
        entry["path"] = json!({"prefix": format!("/c{number}")});
        document["rollouts"][format!("case-{number}")] =
            json!({"match": [entry], "stable": "v1", "versions": {"v1": {}}});
    }
    let site = Site::start(&Setup::from_env()?.manager(behind_a_proxy()), document).await?;
    for (number, (condition, requests)) in OWN.iter().enumerate() {
        for (method, query, headers, expected) in *requests {
            let reply = raw(site.envoy.address(), &format!("{method} /c{number}/x{query}"), headers).await?;
            let found = (reply.status, reply.header("x-answer").is_some());
            assert_eq!((200, *expected), found, "{condition}: {method} {query:?} {headers:?}");
        }
    }
    Ok(())
}

/// Above, every case has a path, and so all headers are read at once. Here none has a path or hosts.
#[tokio::test]
async fn conditions_hold_as_well_where_headers_are_read_by_name() -> Result<()> {
    let native = CASES.iter().map(|(condition, _, requests)| (*condition, *requests));
    let all = native.chain(OWN).filter(|(condition, _)| !condition.contains("hosts"));
    let mut site: Option<Site> = None;
    for (condition, requests) in all {
        let entry: Value = serde_json::from_str(condition)?;
        let rollout = json!({"match": [entry], "stable": "v1", "versions": {"v1": {}}});
        let document = json!({"rollouts": {"case": rollout}, "headers": {"answer": "x-answer"}});
        let site = match &mut site {
            Some(site) => {
                site.envoy.push(document).await?;
                site
            }
            none => none.insert(Site::start(&Setup::from_env()?.manager(behind_a_proxy()), document).await?),
        };
        for (method, query, headers, expected) in requests {
            let reply = raw(site.envoy.address(), &format!("{method} /x{query}"), headers).await?;
            let found = (reply.status, reply.header("x-answer").is_some());
            assert_eq!((200, *expected), found, "{condition}: {method} {query:?} {headers:?}");
        }
    }
    Ok(())
}

/// A rollout and a route for each case, on a path of its own.
fn both() -> Result<(Value, Value)> {
    let mut document = json!({"rollouts": {}, "headers": {"answer": "x-answer"}});
    let mut routes = Vec::new();
    for (number, (ours, native, _)) in CASES.iter().enumerate() {
        let (mut ours, mut native): (Value, Value) = (serde_json::from_str(ours)?, serde_json::from_str(native)?);
        let path = format!("/c{number}");
        ours["path"] = json!({ "prefix": path });
        native["path_separated_prefix"] = json!(path);
        document["rollouts"][format!("case-{number}")] =
            json!({"match": [ours], "stable": "v1", "versions": {"v1": {}}});
        let header = json!({"header": {"key": "x-native", "value": "yes"}});
        routes.push(json!({"match": native, "route": {"cluster": "v1"}, "response_headers_to_add": [header]}));
    }
    routes.push(support::rest_to("v1"));
    Ok((document, json!({ "routes": routes })))
}
