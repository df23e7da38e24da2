//! Documents that between them ask everything of a host, each with visitors of whom it is known who serves them.

use serde_json::{Value, json};
use serin_host::routes::{Route, RouteTable, Target, Weighted};
use serin_host::{Request, Worker};

use super::running::KEY;
use super::{Phase, READ_HEADER, READ_PROPERTY, READ_SHARED, TELL_TIME, TICK};
use crate::site::{merge, shop, shop_with};

/// A call that is needed from a phase on.
type Need = (Phase, &'static str);

/// A document, and who asks.
pub(super) struct Site {
    pub(super) name: &'static str,
    pub(super) document: Value,
    pub(super) visitors: Vec<Visitor>,
    /// Whether v2 fails, so that its guard takes it out, before anything else happens.
    pub(super) trips: bool,
    pub(super) is_inbound: bool,
}

/// Somebody who asks for `/cart`, always with these headers and with the cookies that they have got, and the version that is to
/// serve.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) version: &'static str,
    /// Calls without which it is not known who serves them.
    pub(super) needs: Vec<Need>,
    /// The document under which they got their first cookies.
    pub(super) under: Option<Value>,
}

impl Site {
    /// With calls that all visitors of it need.
    fn needing(mut self, needs: &[Need]) -> Self {
        self.visitors = self.visitors.into_iter().map(|visitor| visitor.needing(needs)).collect();
        self
    }

    /// Whether the routes draw where no header says otherwise.
    pub(super) fn is_drawn(&self) -> bool {
        self.document["rollouts"]["shop"]["split"].is_string()
    }

    /// The headers that the filter keeps clients from setting.
    pub(super) fn ours(&self) -> impl Iterator<Item = &'static str> {
        let document = self.document.to_string();
        let is_skipped = self.is_inbound && self.document["inbound"] != "decide";
        let has_version = self.document["headers"]["version"] != "";
        let is_ours = move |name: &&str| {
            !is_skipped && (document.contains(*name) || (*name == "x-canary-version" && has_version))
        };
        OURS.into_iter().filter(is_ours)
    }
}

impl Visitor {
    fn new(version: &'static str, headers: &[(&'static str, &'static str)]) -> Self {
        Self { headers: headers.to_vec(), version, needs: TIME.to_vec(), under: None }
    }

    fn needing(mut self, needs: &[Need]) -> Self {
        self.needs.extend(needs);
        self
    }

    fn with_cookies_of(self, document: Value) -> Self {
        Self { under: Some(document), ..self }
    }

    /// With a client's own copies of our headers, unless one of them is the visitor's.
    pub(super) fn request(&self, worker: &Worker, cookies: &str) -> Request {
        // A route that draws would draw v2.
        let request = worker.get("/cart?u=7").random(0).property("source.address", "192.0.2.7:80");
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies) };
        let spoofed = OURS.iter().filter(|name| self.knows(name));
        let request = spoofed.fold(request, |request, name| request.header(name, SPOOFED));
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

impl Visitor {
    /// Whether a header is not one of the visitor's own, which the document may let pass.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.headers.iter().all(|(own, _)| *own != name)
    }
}

/// The headers that no client may set, and what clients set them to: one that passes would lead to v2.
const OURS: [&str; 5] = ["x-canary-version", "x-cluster", "x-slot", "x-reason", "x-lane"];
pub(super) const SPOOFED: &str = "v2";

/// v2 by its header, v1 by its header, and all others: to v1, or drawn.
pub(super) fn routes(document: &Value) -> RouteTable {
    let when = |version: &str| Route::to(&format!("shop-{version}")).when("x-canary-version", version);
    let drawn = |header: Option<&str>| Route {
        target: Target::Weighted(Weighted {
            clusters: vec![("shop-v2".to_owned(), 87), ("shop-v1".to_owned(), 13)],
            by_header: header.map(str::to_owned),
        }),
        ..Route::to("shop-v1")
    };
    let routes = match document["rollouts"]["shop"]["split"].as_str() {
        Some("native") => vec![drawn(Some("x-slot"))],
        Some("route") => vec![when("v1"), when("v2"), drawn(None)],
        _ => vec![when("v2"), Route::to("shop-v1")],
    };
    RouteTable::new(&["shop-v1", "shop-v2"], routes)
}

/// Where headers are read one by one.
const HEADERS: [Need; 3] = [(Phase::Start, READ_HEADER), (Phase::Request, READ_HEADER), (Phase::Push, READ_HEADER)];
/// Where the client's address decides.
const ADDRESS: [Need; 3] =
    [(Phase::Start, READ_PROPERTY), (Phase::Request, READ_PROPERTY), (Phase::Push, READ_PROPERTY)];
/// Nobody is sent anywhere before the time is known, by which cookies are judged, nor where it would stand still.
const TIME: [Need; 4] =
    [(Phase::Start, TELL_TIME), (Phase::Push, TELL_TIME), (Phase::Start, TICK), (Phase::Push, TICK)];
/// Where a guard may have taken the version out.
const LEDGER: [Need; 2] = [(Phase::Start, READ_SHARED), (Phase::Push, READ_SHARED)];

fn site(name: &'static str, document: Value, visitors: Vec<Visitor>) -> Site {
    Site { name, document, visitors, trips: false, is_inbound: false }
}

fn with(mut document: Value, top: &Value) -> Value {
    merge(&mut document, top);
    document
}

fn everything_written() -> Value {
    json!({
        "headers": {"cluster": "x-cluster", "slot": "x-slot", "reason": "x-reason", "answer": "x-answer"},
        "access_log": true,
    })
}

pub(super) fn all() -> Vec<Site> {
    let lane =
        |document: &mut Value| document["rollouts"]["shop"]["versions"]["v2"]["set_headers"] = json!({"x-lane": "two"});
    let held = |weight: u32, fields: &Value| {
        let mut document = shop_with(
            weight,
            &json!({
                "sticky": {"hold": "version", "at_zero": "drain"},
                "override": {"header": "x-canary", "query": "canary", "cookie": "lane", "remember": "8h"},
            }),
        );
        merge(&mut document["rollouts"]["shop"], fields);
        lane(&mut document);
        merge(&mut document, &everything_written());
        merge(&mut document, &json!({"keys": [{"id": "k1", "env": "KEY"}]}));
        document
    };
    let visitors = |fields: &Value| {
        vec![
            Visitor::new("v2", &[]),
            Visitor::new("v1", &[]).with_cookies_of(held(0, fields)),
            Visitor::new("v2", &[]).with_cookies_of(held(100, fields)),
            Visitor::new("v1", &[("x-canary", "v1")]),
        ]
    };
    let covering = json!({"match": [{"hosts": ["example.com"], "path": {"prefix": "/cart"}}]});
    let mut all = vec![
        site("held", held(100, &json!({})), visitors(&json!({}))).needing(&HEADERS),
        site("hosts", held(100, &covering), visitors(&covering)),
    ];
    all.extend(by_conditions());
    all.extend(by_unit());
    all.extend(by_routes());
    all.extend(by_time());
    all
}

fn by_conditions() -> Vec<Site> {
    let regexes = json!({
        "match": [{"path": {"regex": "/(?P<page>cart|basket)"}}],
        "rules": [{"when": {"headers": [{"name": "x-team", "regex": "(?P<team>qa|dev)-[0-9]+"}]}, "use": "v1"}],
    });
    let mut off = shop(0);
    off["rollouts"]["shop"]["versions"]["v2"] = json!({"cluster": "shop-v2", "off": true});
    let teams = vec![Visitor::new("v2", &[]), Visitor::new("v1", &[("x-team", "qa-7")])];
    vec![
        site("regexes", shop_with(100, &regexes), teams).needing(&HEADERS),
        site("nothing for v2", shop(0), vec![Visitor::new("v1", &[])]).needing(&HEADERS),
        site("v2 is off", with(off, &everything_written()), vec![Visitor::new("v1", &[])]).needing(&HEADERS),
    ]
}

fn by_unit() -> Vec<Site> {
    let by_address = shop_with(
        100,
        &json!({
            "sticky": {"unit": [{"source": "address"}], "prefer": "unit", "cache": "all"}, "mark_stable": true,
            "rules": [{"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "v1"}],
        }),
    );
    let secret = with(
        shop_with(0, &json!({"override": {"header": "x-canary", "trust": {"header": "x-secret", "env": "KEY"}}})),
        &everything_written(),
    );
    let named = [("x-canary", "v2"), ("x-secret", KEY)];
    let inherits = with(shop_with(100, &json!({"inherit": true})), &json!({"inbound": "decide"}));
    let addressed = vec![Visitor::new("v2", &[]), Visitor::new("v1", &[("x-team", "qa")])];
    let secrets = vec![Visitor::new("v1", &[]), Visitor::new("v2", &named)];
    let told = |version| Visitor::new(version, &[("x-canary-version", version)]);
    vec![
        site("address", by_address, addressed).needing(&HEADERS).needing(&ADDRESS),
        site("secret", secret, secrets).needing(&HEADERS),
        Site { is_inbound: true, ..site("inherit", inherits, vec![told("v1"), told("v2")]).needing(&HEADERS) },
        Site { is_inbound: true, ..site("passed over", shop(100), vec![told("v1")]) },
    ]
}

fn by_routes() -> Vec<Site> {
    let by_id = json!({"sticky": {"unit": [{"header": "x-user-id"}], "prefer": "unit"}});
    let mut native = with(shop(0), &json!({"headers": {"version": "", "slot": "x-slot"}}));
    native["rollouts"]["shop"]["versions"]["v2"] = json!({"cluster": "shop-v2"});
    merge(&mut native["rollouts"]["shop"], &json!({"split": "native"}));
    merge(&mut native["rollouts"]["shop"], &by_id);
    let mut route = shop(0);
    route["rollouts"]["shop"]["versions"]["v2"] = json!({"cluster": "shop-v2"});
    merge(
        &mut route["rollouts"]["shop"],
        &json!({
            "split": "route", "sticky": {"hold": "version"}, "override": {"header": "x-canary", "remember": "8h"},
        }),
    );
    let remembering = |version| Visitor::new(version, &[("x-canary", version)]);
    // The slots of these two are 90 and 84 of a hundred.
    let users = vec![Visitor::new("v1", &[("x-user-id", "a")]), Visitor::new("v2", &[("x-user-id", "b")])];
    vec![
        site("native", native, users).needing(&HEADERS),
        site("route", route, vec![remembering("v1"), remembering("v2"), Visitor::new("v2", &[])]).needing(&HEADERS),
    ]
}

fn by_time() -> Vec<Site> {
    // A clock that lies makes some answers late.
    let lenient = json!({"guard": {"max_percent": 95, "failures": {"slower_than": "800ms"}}});
    let guard = json!({"guard": {"max_percent": 0, "failures": {"status": [500], "slower_than": "800ms"}, "worse_than_stable": 2}});
    let scheduled = json!({"schedule": {"version": "v2", "start": "2025-12-31T09:00:00Z", "steps": [{"weight": 100}]}});
    let mut timed = shop_with(0, &scheduled);
    timed["rollouts"]["shop"]["versions"]["v2"] = json!({"cluster": "shop-v2"});
    // A rollout with a guard, and one without.
    let beside = |guard: &Value, version: &'static str| {
        let mut document = shop_with(100, guard);
        document["rollouts"]["plain"] = shop(100)["rollouts"]["shop"].clone();
        document["rollouts"]["plain"]["match"] = json!([{"headers": [{"name": "x-plain", "present": true}]}]);
        let plain = Visitor::new("v2", &[("x-plain", "1")]);
        (document, vec![Visitor::new(version, &[]).needing(&LEDGER), plain])
    };
    let ((tripped, tripping), (idle, idling)) = (beside(&guard, "v1"), beside(&lenient, "v2"));
    vec![
        Site { trips: true, ..site("guard", tripped, tripping).needing(&HEADERS) },
        site("guard that has nothing to do", idle, idling).needing(&HEADERS),
        site("schedule", timed, vec![Visitor::new("v2", &[])]).needing(&HEADERS),
    ]
}
