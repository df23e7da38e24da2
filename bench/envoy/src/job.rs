//! The job that the filter and its rivals do, and the requests that ask for it.
//!
//! A chain has many copies of a filter, each with names of its own, so that each does the whole job on every request:
//! override header, cookie, weighted choice, header for the canary, a new cookie for a new visitor.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hyper::Request;
use serde_json::{Value, json};
use serin_core::{Current, Effects, Facts, Rules, SlotKey, Surroundings, Time, Visitor, VisitorNumber, decide};

/// The host that requests are for.
pub(crate) const HOST: &str = "shop.example.com";
/// The path that they ask for, and the beginning of it that rollouts with a path cover.
pub(crate) const PATH: &str = "/reviews/17?page=2";
/// See [`PATH`].
pub(crate) const PREFIX: &str = "/reviews";
/// The canary's weight in percent.
pub(crate) const WEIGHT: u32 = 10;

/// What rollouts cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// Every request.
    All,
    /// One host.
    Hosts,
    /// One host, and what is below one path.
    Paths,
}

/// Which copy in its chain a filter is, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy(pub(crate) u32);

impl Copy {
    /// All copies of a chain.
    pub(crate) fn all(copies: u32) -> impl Iterator<Item = Self> {
        (1..=copies).map(Self)
    }

    /// The name of the filter, and of its rollout.
    pub(crate) fn name(self) -> String {
        format!("copy-{}", self.0)
    }

    /// The request header that names a version.
    pub(crate) fn override_header(self) -> String {
        format!("x-canary-{}", self.0)
    }

    /// The request header that the version is written into.
    pub(crate) fn version_header(self) -> String {
        format!("x-canary-version-{}", self.0)
    }

    /// The visitor cookie.
    pub(crate) fn cookie(self) -> String {
        format!("canary-{}", self.0)
    }

    /// The rules of this copy, with further fields of the rollout and of the document.
    pub(crate) fn document(self, covers: Match, rollout: &Value, top: &Value) -> String {
        let mut own = json!({
            "stable": "v1",
            "versions": {"v1": {}, "v2": {"weight": WEIGHT}},
            "override": {"header": self.override_header()},
        });
        match covers {
            Match::All => {}
            Match::Hosts => own["match"] = json!([{"hosts": [HOST]}]),
            Match::Paths => own["match"] = json!([{"hosts": [HOST], "path": {"prefix": PREFIX}}]),
        }
        add(&mut own, rollout);
        let mut document = json!({
            "rollouts": {self.name(): own},
            "cookie": {"name": self.cookie()},
            "headers": {"version": self.version_header()},
        });
        add(&mut document, top);
        document.to_string()
    }

    /// The cookie of a visitor whom both the filter and the script take for one of the canary's, or of stable's. The number
    /// is of decimal digits, which are base64url too, so that both read the same cookie.
    fn visitor(self, canary: bool) -> String {
        let key = SlotKey::new(&self.name(), "");
        let by_slot = |number: &VisitorNumber| key.slot(number.as_bytes()).number() < WEIGHT * 10_000;
        let by_remainder = |number: u64| number % 100 < u64::from(WEIGHT);
        let mut numbers = (0_u64..).map(|n| n * 7_919).filter(|n| by_remainder(*n) == canary);
        let number = numbers
            .find_map(|n| VisitorNumber::from_text(format!("{n:010}").as_bytes()).filter(|n| by_slot(n) == canary))
            .unwrap_or_else(|| VisitorNumber::from_bits(0));
        format!("{}={}", self.cookie(), Visitor { number, issued: now().day() }.to_value())
    }

    /// The signed cookie that a document with keys gives to some new visitor of stable.
    fn signed(self, document: &str) -> Result<String> {
        let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
        let rules = parsed.rules.context("the document of the signed cookies has a mistake")?;
        let request = serin_bench::Request::to(HOST, PATH, &[]);
        let given = (0_u64..1_000).find_map(|n| {
            let facts = Facts::new(&request);
            // The upper bits make the slot where there is no cookie at all, the lower ones the number.
            let bits = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let decision = decide(&rules, &Current::default(), &facts, now(), || bits);
            let effects = Effects::of(&rules, decision.as_ref(), &facts, now());
            let is_stable = effects.set().count() == 0;
            let cookies = effects.response.filter(|_| is_stable)?.set_cookies;
            let line = cookies.into_iter().flatten().next()?;
            Some(String::from_utf8_lossy(line.as_ref()).split(';').next()?.to_owned())
        });
        given.context("the document of the signed cookies gives none to visitors of stable")
    }
}

/// What a request brings to all copies of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Brings {
    /// Nothing.
    Nothing,
    /// The cookies of a visitor of stable.
    Stable,
    /// The same, among twenty headers that nobody asks for.
    Large,
    /// The cookies of a visitor of the canary.
    Canary,
    /// The signed cookies of a visitor of stable.
    Signed,
    /// The id of a user whom all copies take for one of stable's.
    User,
}

impl Brings {
    /// The kind of request, as results are filed.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "new",
            Self::Stable | Self::Canary => "cookie",
            Self::Large => "large",
            Self::Signed => "signed",
            Self::User => "user",
        }
    }
}

/// The name of the header with the id of a user.
pub(crate) const USER: &str = "x-user-id";

/// So many headers a large request has besides.
const FURTHER: u32 = 20;
/// The value of each of them.
const VALUE: &str = "about forty characters, as headers have";

/// The fields of a document with a key.
pub(crate) fn keys() -> Value {
    json!({"keys": [{"id": "k1", "secret": "a secret of the benches"}]})
}

/// The fields of a rollout that covers another host than that of the requests.
pub(crate) fn elsewhere() -> Value {
    json!({"match": [{"hosts": ["elsewhere.example.com"]}]})
}

/// The fields of a rollout that goes by the id of a user.
pub(crate) fn by_user() -> Value {
    json!({"sticky": {"unit": [{"header": USER}], "prefer": "unit"}})
}

/// A request to all copies of a chain. All cookies stand in one `Cookie` header, as browsers send them; so every copy, of
/// the filter and of the script alike, looks for its own among those of all.
///
/// # Errors
/// If it is not valid.
pub(crate) fn request(brings: &Brings, copies: u32) -> Result<Request<()>> {
    // As a browser sends them, so that looking for a header is not cheaper than it is.
    let builder = Request::get(PATH)
        .header("host", HOST)
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-language", "en-US,en;q=0.5")
        .header("accept-encoding", "gzip, deflate");
    let all = Copy::all(copies);
    let cookies: Vec<String> = match brings {
        Brings::Nothing | Brings::User => Vec::new(),
        Brings::Stable | Brings::Large => all.map(|copy| copy.visitor(false)).collect(),
        Brings::Canary => all.map(|copy| copy.visitor(true)).collect(),
        Brings::Signed => {
            all.map(|copy| copy.signed(&copy.document(Match::All, &json!({}), &keys()))).collect::<Result<_>>()?
        }
    };
    let builder = if cookies.is_empty() { builder } else { builder.header("cookie", cookies.join("; ")) };
    let further = if *brings == Brings::Large { 0..FURTHER } else { 0..0 };
    let builder = further.fold(builder, |builder, n| builder.header(format!("x-further-header-{n}"), VALUE));
    let builder = if *brings == Brings::User { builder.header(USER, user(copies)) } else { builder };
    builder.body(()).context("a request of the benches is not valid")
}

/// A user whom every copy takes for one of stable's.
fn user(copies: u32) -> String {
    let keys: Vec<SlotKey> = Copy::all(copies).map(|copy| SlotKey::new(&copy.name(), "")).collect();
    let is_stable = |id: &String| keys.iter().all(|key| key.slot(id.as_bytes()).number() >= WEIGHT * 10_000);
    let ids = (0_u32..).map(|n| format!("0f8fad5b-d9cb-469f-a165-{n:012x}"));
    ids.into_iter().find(is_stable).unwrap_or_default()
}

fn now() -> Time {
    Time::from_unix_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

fn add(target: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
}
