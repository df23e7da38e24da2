//! Visitors of every kind: what they send, the cookies that they keep, and what they saw last.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use fastrand::Rng;
use hyper::Request;
use hyper::header::{COOKIE, HOST};
use serin_core::Source;
use serin_envoy::{Http, Reply};

use crate::scene::{ANSWER, CLUSTER, LANE};

/// How a visitor is told from others, and what they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the visitor cookie, `hold: slot`.
    Cookie,
    /// By a header of the application.
    UserId,
    /// By cookies, `hold: version`.
    Holder,
    /// Names a version.
    Override(&'static str),
    /// A rule of the document names v2.
    Team,
    /// By the visitor cookie, with the weights of a rule.
    Region,
    /// Keeps no cookie, and sends headers that only the filter may write.
    Newcomer,
    /// By the visitor cookie, of a rollout that comes and goes.
    Extra,
    /// Of one of the ten thousand rollouts.
    Filler,
    /// Sees the number of the document.
    Beacon,
}

/// How many there are of each kind.
const CROWD: [(Kind, usize); 11] = [
    (Kind::Cookie, 80),
    (Kind::UserId, 30),
    (Kind::Holder, 50),
    (Kind::Override("v1"), 2),
    (Kind::Override("v2"), 4),
    (Kind::Override("v3"), 4),
    (Kind::Team, 10),
    (Kind::Region, 20),
    (Kind::Newcomer, 10),
    (Kind::Extra, 30),
    (Kind::Filler, 10),
];

/// One visitor.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// What they are like.
    pub(crate) kind: Kind,
    number: usize,
    cookies: BTreeMap<String, String>,
    /// What their last answer was judged by.
    pub(crate) last: Option<Seen>,
}

/// An answer, as far as the next one is held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Who answered.
    pub(crate) version: String,
    /// Who may have owned the visitor's slot then.
    pub(crate) owners: Vec<&'static str>,
    /// Whether stable may have stood in for an owner.
    pub(crate) excused: bool,
}

/// Everybody.
pub(crate) fn crowd() -> Vec<Visitor> {
    let kinds = CROWD.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
    kinds.enumerate().map(|(number, kind)| Visitor::new(kind, number)).collect()
}

impl Visitor {
    /// A visitor without cookies.
    pub(crate) fn new(kind: Kind, number: usize) -> Self {
        Self { kind, number, cookies: BTreeMap::new(), last: None }
    }

    /// One in a few hundred comes back as somebody else.
    pub(crate) fn forget_now_and_then(&mut self, random: &mut Rng) {
        if random.u16(..400) == 0 {
            self.cookies.clear();
            self.last = None;
        }
    }

    /// What they send.
    pub(crate) fn sent(&self) -> Sent {
        let name = match self.kind {
            Kind::Cookie | Kind::UserId | Kind::Override(_) | Kind::Team | Kind::Region | Kind::Newcomer => "shop",
            Kind::Holder => "forms",
            Kind::Extra => "extra",
            Kind::Beacon => "beacon",
            Kind::Filler => return self.with_cookies(format!("fill-{}.example.com", self.number % 3), Vec::new()),
        };
        let headers = match self.kind {
            Kind::UserId | Kind::Beacon => vec![("x-user-id", format!("user-{}", self.number))],
            Kind::Override(version) => vec![("x-canary", version.to_owned())],
            Kind::Team => vec![("x-team", "qa".to_owned())],
            Kind::Region => vec![("x-region", "eu".to_owned())],
            Kind::Newcomer => vec![(LANE, "spoofed".to_owned()), (CLUSTER, "v3".to_owned())],
            _ => Vec::new(),
        };
        self.with_cookies(format!("{name}.example.com"), headers)
    }

    fn with_cookies(&self, host: String, headers: Vec<(&'static str, String)>) -> Sent {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Sent { host, headers, cookies: pairs.join("; ") }
    }

    /// Keeps the cookies of an answer; whether a visitor number is another than before.
    pub(crate) fn keep(&mut self, cookies: &[String]) -> bool {
        if self.kind == Kind::Newcomer {
            return false;
        }
        let before = self.visitor_number().map(str::to_owned);
        for (name, value) in cookies.iter().filter_map(|line| pair(line)) {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        before.is_some_and(|before| self.visitor_number() != Some(&before))
    }

    /// The ten characters that name them.
    pub(crate) fn visitor_number(&self) -> Option<&str> {
        self.cookies.get(VISITOR_COOKIE).and_then(|value| number_in(value))
    }

    /// What their slot is made of.
    pub(crate) fn unit(&self) -> Option<String> {
        match self.kind {
            Kind::UserId => Some(format!("user-{}", self.number)),
            _ => self.visitor_number().map(str::to_owned),
        }
    }

    /// The version that they hold in this rollout.
    pub(crate) fn held(&self, rollout: &str) -> Option<&str> {
        let kept = self.cookies.get(&format!("{VISITOR_COOKIE}-{rollout}"))?;
        kept.split('.').find_map(|field| field.strip_prefix('v'))
    }
}

/// The name of the visitor cookie.
pub(crate) const VISITOR_COOKIE: &str = "canary";

/// Name and value of a `set-cookie`.
pub(crate) fn pair(line: &str) -> Option<(&str, &str)> {
    line.split(';').next()?.split_once('=')
}

/// The ten characters in a visitor cookie.
pub(crate) fn number_in(value: &str) -> Option<&str> {
    value.split('.').find_map(|field| field.strip_prefix('n'))
}

/// A request as the filter gets it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    host: String,
    headers: Vec<(&'static str, String)>,
    cookies: String,
}

impl Sent {
    /// As it is sent; over HTTP/2 each cookie in a header of its own, as browsers do.
    ///
    /// # Errors
    /// If something in it cannot be sent.
    pub(crate) fn request(&self, http: Http) -> Result<Request<()>> {
        let mut request = match http {
            Http::One => Request::get(PATH).header(HOST, &self.host),
            Http::Two => Request::get(format!("http://{}{PATH}", self.host)),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let lines: Vec<&str> = match http {
            Http::One => vec![self.cookies.as_str()],
            Http::Two => self.cookies.split("; ").collect(),
        };
        for line in lines.into_iter().filter(|line| !line.is_empty()) {
            request = request.header(COOKIE, line);
        }
        Ok(request.body(())?)
    }

    /// Whether no cookie tells who it is.
    pub(crate) fn is_of_somebody_new(&self) -> bool {
        self.cookies.is_empty()
    }
}

/// The upstreams send [`LANE`] back.
const PATH: &str = "/?echo=x-lane";

impl Source for Sent {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let value = match name {
            ":authority" => &self.host,
            ":path" => PATH,
            ":method" => "GET",
            ":scheme" => "http",
            "cookie" => Some(self.cookies.as_str()).filter(|line| !line.is_empty())?,
            // Envoy removes a client's copy before the filter sees it, as the manifest has it.
            CLUSTER => return None,
            _ => self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value)?,
        };
        Some(value.as_bytes().into())
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.header(name).into_iter().map(Cow::into_owned).collect()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        None
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        None
    }
}

/// An answer as far as it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The upstream that answered; of a failure its text.
    pub(crate) upstream: String,
    /// Rollout, version and reason.
    pub(crate) decision: Option<String>,
    /// What the upstream got in [`LANE`].
    pub(crate) lane: Option<String>,
    /// The `set-cookie` lines.
    pub(crate) cookies: Vec<String>,
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        let joined = |name| Some(reply.values(name).join(", ")).filter(|value| !value.is_empty());
        Self {
            status: reply.status,
            upstream: reply.text(),
            decision: joined(ANSWER),
            lane: joined(LANE),
            cookies: reply.values("set-cookie"),
        }
    }
}
