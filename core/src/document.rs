//! From a document to [`Rules`]: one walk over the tree that finds all mistakes at once.
//!
//! A mistake inside a rollout stays there: that rollout keeps its last good form, or, without one, covers its match with
//! stable. A mistake anywhere else spoils the document, and whatever was in force stays in force.

mod cookie;
mod entry;
mod headers;
mod keys;
mod reader;
mod rollout;
mod values;

#[cfg(feature = "tools")]
pub(crate) use values::whole_seconds;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::condition::MatchEntry;
use crate::cookie::CookieSettings;
use crate::cover::Cover;
use crate::error::{ConfigError, Kind};
use crate::header::HeaderName;
use crate::keys::Keys;
use crate::node::Node;
use crate::rules::{Inbound, OutputHeaders, Rollout, Rules};
use reader::{Object, Path, Report};

const MOST_ROLLOUTS: usize = 10_000;
/// Of all rollouts together; an entry for every host counts as one.
const MOST_HOSTS: usize = 100_000;
/// Of all rollouts together: each may take as much memory as thousands of hosts.
const MOST_REGEXES: usize = 512;

/// Of all rollouts together.
const MOST_MATCH_HEADERS: usize = 256;

/// What the reading of a document depends on beside its text.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The rules that were in force before: a rollout with a mistake is taken over from them.
    pub last_good: Option<&'a Rules>,
    /// The value of an environment variable, for secrets.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Default for Surroundings<'_> {
    /// No rules before, and an empty environment.
    fn default() -> Self {
        Self { last_good: None, env: &|_| None }
    }
}

/// What became of a document.
#[derive(Debug)]
pub struct Parsed {
    /// The rules to use from now on; `None` if the document as a whole is spoiled.
    pub rules: Option<Rules>,
    /// The mistakes: those of the top level, then by rollout. At most a thousand are kept.
    pub errors: Vec<ConfigError>,
    /// What is no mistake, and yet keeps a part of the document from working.
    pub warnings: Vec<ConfigError>,
    /// How many mistakes there are beside those in `errors`.
    pub more_errors: usize,
    /// What a filter without rules removes of a request: the default output headers, and those of the document if its
    /// `headers` could be read.
    pub outputs: OutputHeaders,
    /// What a filter without rules does on a sidecar's inbound listener, as far as the document could be read.
    pub inbound: Inbound,
}

impl Parsed {
    /// What is to be told of the document: each line with whether it is a mistake. Of many mistakes, and of many warnings, only
    /// the first `most` are told, and the number of the others.
    #[inline(never)]
    pub fn lines(&self, most: usize) -> Vec<(bool, String)> {
        let mut lines = Vec::new();
        let lists = [(false, &self.warnings, 0, "warnings"), (true, &self.errors, self.more_errors, "errors")];
        for (is_mistake, list, others, what) in lists {
            lines.extend(list.iter().take(most).map(|error| (is_mistake, format!("serin: {error}"))));
            let more = list.len().saturating_sub(most) + others;
            if more > 0 {
                lines.push((is_mistake, format!("serin: and {more} more {what}")));
            }
        }
        lines
    }

    /// A document that is not even read.
    fn spoiled(report: Report<'_>) -> Self {
        let (outputs, inbound) = (OutputHeaders::default(), Inbound::Skip);
        Self { rules: None, errors: report.errors, warnings: report.warnings, more_errors: 0, outputs, inbound }
    }
}

impl Rules {
    /// The longest document, in bytes.
    pub const MOST_BYTES: usize = 8 * 1024 * 1024;

    /// Reads a document as Envoy hands it over: JSON text, or the wire form of a `google.protobuf.Struct`.
    ///
    /// A rollout with a mistake is taken over from `last_good` by its name, or else covers its match with stable.
    /// Deterministic: the same bytes and the same surroundings give the same outcome.
    pub fn parse(document: &[u8], surroundings: &Surroundings<'_>) -> Parsed {
        let mut report = Report::default();
        if document.len() > Self::MOST_BYTES {
            // How many more is not known: the adapter does not copy them in.
            report.conflict(&Path::ROOT, format!("found more than {0} bytes; expected at most {0}", Self::MOST_BYTES));
            return Parsed::spoiled(report);
        }
        if document.iter().all(u8::is_ascii_whitespace) {
            report.add(&Path::ROOT, Kind::Missing { expected: "an object with rollouts".into() });
            return Parsed::spoiled(report);
        }
        match Node::from_bytes(document) {
            Ok(node) => Self::from_node(node, surroundings),
            Err(error) => {
                report.add(&Path::ROOT, Kind::Syntax(error.to_string()));
                Parsed::spoiled(report)
            }
        }
    }

    /// As [`Rules::parse`], from a tree, which is dropped while it is read.
    // Inlined into the adapter it would be built for speed, which costs ten kilobytes of the module.
    #[inline(never)]
    pub fn from_node(mut node: Node<'_>, surroundings: &Surroundings<'_>) -> Parsed {
        let mut rollouts = take_rollouts(&mut node);
        let mut report = Report::default();
        let draft = read_document(&node, &mut rollouts, surroundings, &mut report);
        let outputs = draft.as_ref().and_then(|draft| draft.outputs.clone()).unwrap_or_default();
        let inbound = draft.as_ref().map_or(Inbound::Skip, |draft| draft.inbound);
        let rules = draft.filter(|_| !report.spoiled).map(|draft| Self {
            cover: Cover::new(&draft.rollouts),
            reads_many: draft.rollouts.iter().any(|rollout| rollout.reads_many()),
            rollouts: draft.rollouts,
            cookie: draft.cookie,
            keys: draft.keys,
            outputs: outputs.clone(),
            stripped: draft.stripped,
            access_log: draft.access_log,
            inbound,
        });
        let more_errors = report.count - report.errors.len();
        Parsed {
            rules,
            more_errors,
            errors: report.errors,
            warnings: report.warnings,
            outputs: outputs.with_defaults(),
            inbound,
        }
    }
}

/// The parts of a document, some of which may be spoiled.
struct Draft {
    rollouts: Vec<Arc<Rollout>>,
    cookie: Option<CookieSettings>,
    keys: Option<Arc<Keys>>,
    /// `None` if `headers` has a mistake.
    outputs: Option<OutputHeaders>,
    stripped: Vec<HeaderName>,
    access_log: bool,
    inbound: Inbound,
}

/// Takes the rollouts out of a document, where an empty object stands for them from then on.
fn take_rollouts<'d>(document: &mut Node<'d>) -> Node<'d> {
    let Node::Map(entries) = document else { return Node::Null };
    let rollouts = entries.iter_mut().find(|(name, _)| name == "rollouts").map(|(_, node)| node);
    rollouts.map(|node| std::mem::replace(node, Node::Map(Vec::new()))).unwrap_or_default()
}

fn read_document<'a>(
    node: &'a Node<'_>,
    rollouts: &'a mut Node<'_>,
    surroundings: &Surroundings<'_>,
    report: &mut Report<'a>,
) -> Option<Draft> {
    const FIELDS: [&str; 6] = ["rollouts", "cookie", "keys", "headers", "inbound", "access_log"];
    let object = Object::read(node, Path::ROOT, &FIELDS, report)?;
    let outputs = headers::read(&object, report);
    let keys = keys::read(&object, surroundings, report);
    let cookie = cookie::read(&object, keys.as_ref(), report);
    let inbound = [("skip", Inbound::Skip), ("decide", Inbound::Decide)];
    let inbound = object.choice("inbound", &inbound, report).unwrap_or(Inbound::Skip);
    let access_log = object.bool("access_log", report).unwrap_or(false);
    // A broken `cookie` or `keys` spoils the document anyway, so what is there counts, not what could be read.
    let off = matches!(object.get("cookie"), Some(Node::Bool(false)));
    let name = cookie.as_ref().map_or_else(|| CookieSettings::default().name, |cookie| cookie.name.clone());
    let has_keys = object.get("keys").is_some();
    let context =
        rollout::Context::new(outputs.clone().unwrap_or_default(), (!off).then_some(name), has_keys, surroundings);
    let rollouts = read_rollouts(rollouts, &object.field("rollouts"), &context, report);
    let stripped = stripped(&rollouts, std::mem::take(&mut report.stripped));
    Some(Draft { rollouts, cookie, keys, outputs, stripped, access_log, inbound })
}

/// The names of all headers that go with a version or hold a secret, each once: those of the document, also where it has
/// mistakes, and those of last good forms.
fn stripped(rollouts: &[Arc<Rollout>], mut names: Vec<HeaderName>) -> Vec<HeaderName> {
    for rollout in rollouts {
        for name in rollout.stripped() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// Each rollout is dropped when it has been read: a tree takes as much memory as the rules that are made of it.
fn read_rollouts<'a>(
    node: &'a mut Node<'_>,
    path: &Path<'_>,
    context: &rollout::Context<'_>,
    report: &mut Report<'a>,
) -> Vec<Arc<Rollout>> {
    let expected = "an object of rollouts by name";
    let entries = match node {
        Node::Map(entries) => entries,
        Node::Null => {
            report.add(path, Kind::Missing { expected: expected.into() });
            return Vec::new();
        }
        other => {
            report.wrong(path, other, expected);
            return Vec::new();
        }
    };
    if report.limit(path, entries.len(), MOST_ROLLOUTS, "rollouts") {
        return Vec::new();
    }
    // By name, without regard to the order of the document. A name that stands there twice is a mistake.
    let mut by_name = BTreeMap::new();
    for (name, node) in entries.iter_mut().filter(|(_, node)| *node != Node::Null) {
        by_name.entry(&**name).and_modify(|(_, repeated)| *repeated = true).or_insert((node, false));
    }
    let mut rollouts: Vec<Arc<Rollout>> = Vec::with_capacity(by_name.len());
    for (name, (node, repeated)) in by_name {
        report.rollout = Some(name);
        rollouts.push(rollout::read(name, &std::mem::take(node), repeated, path, context, report));
    }
    report.rollout = None;
    // Last good forms count as well, or the index could grow with every push.
    let entries = rollouts.iter().flat_map(|rollout| &rollout.matches);
    report.limit(path, entries.map(|entry| entry.hosts.len().max(1)).sum(), MOST_HOSTS, "hosts in all");
    // A request that several rollouts might cover is asked for the headers of all of them.
    let entries = rollouts.iter().flat_map(|rollout| &rollout.matches);
    report.limit(
        path,
        MatchEntry::different_headers(entries, MOST_MATCH_HEADERS),
        MOST_MATCH_HEADERS,
        "different headers in the match of all",
    );
    let regexes = rollouts.iter().flat_map(|rollout| rollout.entries()).map(MatchEntry::regexes).sum();
    report.limit(path, report.regexes.max(regexes), MOST_REGEXES, "regexes in all");
    rollouts
}
