//! A request for each way into a rollout.

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};

use crate::condition::{Condition, Conditions, HostPattern, MatchEntry, Network, PathPattern};
use crate::matcher::{Pattern, Test};
use crate::rules::Rollout;

/// A request that fits an entry of a rollout's `match`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The host, if the entry asks for one.
    pub host: Option<String>,
    /// The path, without a query string.
    pub path: String,
    /// The method.
    pub method: String,
    /// Names and values, as are cookies and query.
    pub headers: Vec<(String, String)>,
    /// Cookies of the application.
    pub cookies: Vec<(String, String)>,
    /// Query parameters as they stand in a URL.
    pub query: Vec<(String, String)>,
    /// The client's address, if the entry asks for one.
    pub source: Option<String>,
}

/// A request for each entry of the rollout's `match` that one was found for. Another rollout may cover it all the same.
pub fn samples(rollout: &Rollout) -> Vec<Sample> {
    rollout.matches.iter().filter_map(sample).collect()
}

fn sample(entry: &MatchEntry) -> Option<Sample> {
    let none = Conditions::default();
    let conditions = entry.conditions.as_deref().unwrap_or(&none);
    Some(Sample {
        host: entry.hosts.first().map(|host| match host {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Suffix(rest) => format!("www{rest}"),
        }),
        path: match &entry.path {
            PathPattern::Any => "/".to_owned(),
            PathPattern::Exact(path) | PathPattern::Prefix(path) => String::from_utf8_lossy(path).into_owned(),
            PathPattern::Regex(pattern) => Some(pattern.example()?).filter(|path| path.starts_with('/'))?,
        },
        method: conditions.methods.first().map_or("GET", |method| method).to_owned(),
        headers: values(&conditions.headers)?,
        cookies: values(&conditions.cookies)?,
        query: values(&conditions.query)?,
        source: conditions.source.first().map(Network::first),
    })
}

/// A value for each name that wants one; `None` if none was found that all conditions of a name hold for.
fn values(conditions: &[Condition]) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    for condition in conditions {
        let of_name: Vec<&Condition> = conditions.iter().filter(|other| other.name == condition.name).collect();
        let holds = |value: Option<&str>| of_name.iter().all(|of| of.matcher.holds(value.map(str::as_bytes)));
        if found.iter().any(|(name, _)| *name == condition.name) || holds(None) {
            continue;
        }
        let value = candidates(&of_name).into_iter().find(|value| holds(Some(value)))?;
        found.push((condition.name.clone(), value));
    }
    Some(found)
}

/// Values worth trying.
fn candidates(conditions: &[&Condition]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (mut prefix, mut middle, mut suffix) = (String::new(), String::new(), String::new());
    let mut candidates = Vec::new();
    for condition in conditions {
        match &condition.matcher.test {
            Test::Exact(value) => candidates.push(text(value)),
            Test::In(values) => candidates.extend(values.iter().map(|value| text(value))),
            Test::Regex(pattern) => candidates.extend(pattern.example()),
            Test::Prefix(part) if !condition.matcher.invert => prefix = text(part),
            Test::Suffix(part) if !condition.matcher.invert => suffix = text(part),
            Test::Contains(part) if !condition.matcher.invert => middle += &text(part),
            Test::Prefix(_) | Test::Suffix(_) | Test::Contains(_) | Test::Present(_) => {}
        }
    }
    candidates.extend(["1", "x", "other"].map(|filling| format!("{prefix}{middle}{filling}{suffix}")));
    candidates.push(prefix + &middle + &suffix);
    candidates
}

impl Pattern {
    /// A value that matches.
    pub(crate) fn example(&self) -> Option<String> {
        let mut text = String::new();
        write_example(&regex_syntax::parse(self.as_str()).ok()?, &mut text)?;
        self.is_match(text.as_bytes()).then_some(text)
    }
}

/// Appends what an expression matches, with as few repetitions as it allows.
fn write_example(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => {
            let has = |wanted: &char| class.iter().any(|range| (range.start()..=range.end()).contains(wanted));
            let nice = ['a', '1', 'A', '-'].into_iter().find(has);
            text.push(nice.or_else(|| class.iter().next().map(ClassUnicodeRange::start))?);
        }
        HirKind::Class(Class::Bytes(class)) => text.push(class.iter().next()?.start().into()),
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min {
                write_example(&repetition.sub, text)?;
            }
        }
        HirKind::Capture(capture) => write_example(&capture.sub, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write_example(part, text))?,
        HirKind::Alternation(branches) => write_example(branches.first()?, text)?,
    }
    Some(())
}
