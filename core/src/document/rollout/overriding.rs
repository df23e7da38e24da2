//! `override`: where a request may name its version itself, and whose requests may.

use super::super::headers::read_input;
use super::super::keys::{read_secret, text_or_hidden};
use super::super::reader::{Object, Path, Report, entries};
use super::super::values;
use super::Context;
use super::versions::Listed;
use crate::error::Kind;
use crate::list;
use crate::node::Node;
use crate::rules::{Overrides, Trust, VersionId};

const MOST_ALIASES: usize = 256;
const REMEMBER: &str = "a duration of whole seconds from 1m to 400d";
const TRUST: &str = "open, signed or an object with header, and env or secret";
/// Takes an override back.
const AUTO: &str = "auto";

/// The overrides of a rollout, none by default.
pub(super) fn read(
    rollout: &Object<'_>,
    listed: Option<&Listed>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Overrides {
    let Some(node) = rollout.get("override") else { return Overrides::default() };
    let path = rollout.field("override");
    let known = ["header", "query", "cookie", "aliases", "trust", "remember"];
    let Some(object) = Object::read(node, path, &known, report) else { return Overrides::default() };
    if listed.is_some_and(|listed| listed.find(AUTO).is_some()) {
        report
            .conflict(&object.path, "a version is named \"auto\", which takes an override back; expected another name");
    }
    let overrides = Overrides {
        header: object.with("header", |node, path| read_input(node, path, &context.outputs, report)),
        query: object.text("query", values::QUERY_NAME, values::query_name, report),
        cookie: object.text("cookie", values::COOKIE_NAME, values::cookie_name, report),
        aliases: object
            .with("aliases", |node, path| Some(read_aliases(node, path, listed, report)))
            .unwrap_or_default(),
        trust: object.with("trust", |node, path| read_trust(node, *path, context, report)).unwrap_or_default(),
        remember: object.text("remember", REMEMBER, |text| values::whole_seconds(text, 60), report),
    };
    check(&object, &overrides, context, report);
    overrides
}

/// What a trust and a memory need of the document.
fn check(object: &Object<'_>, overrides: &Overrides, context: &Context<'_>, report: &mut Report<'_>) {
    if matches!(overrides.trust, Trust::Signed) && !context.has_keys {
        object.conflict(report, "trust", "signed needs keys at the top of the document");
    }
    let has_any = |names: [&str; 3]| names.iter().any(|name| object.get(name).is_some());
    if has_any(["aliases", "trust", "remember"]) && !has_any(["header", "query", "cookie"]) {
        report.conflict(&object.path, "nothing can name a version here; expected header, query or cookie");
    }
    if let (Trust::Secret(secret, _), Some(header)) = (&overrides.trust, &overrides.header)
        && secret == header
    {
        object.conflict(report, "trust", "the secret and the override have the same header; expected two");
    }
    if overrides.remember.is_none() {
        return;
    }
    if matches!(overrides.trust, Trust::Secret(..)) && !context.has_keys {
        let text = "an override that not everybody may ask for can only be remembered in a signed cookie; expected keys at the \
                    top of the document";
        object.conflict(report, "remember", text);
    }
    if context.cookie.is_none() {
        object.conflict(
            report,
            "remember",
            "an override is remembered in a cookie; expected a cookie other than false",
        );
    }
}

/// Other names for versions, such as `{always: v2, never: v1}`.
fn read_aliases(
    node: &Node<'_>,
    path: &Path<'_>,
    listed: Option<&Listed>,
    report: &mut Report<'_>,
) -> Vec<(String, VersionId)> {
    let mut aliases: Vec<(String, VersionId)> = Vec::new();
    let entries = entries(node, path, "an object of version names by alias", report).unwrap_or_default();
    if report.limit(path, entries.len(), MOST_ALIASES, "aliases") {
        return aliases;
    }
    for (name, target) in entries.iter().filter(|(_, target)| *target != Node::Null) {
        let path = path.field(name);
        if values::version_name(name).is_none() || name == AUTO {
            report.conflict(&path, format!("the alias does not fit; expected {}, but not auto", values::VERSION_NAME));
        }
        if aliases.iter().any(|(earlier, _)| earlier == name) {
            report.add(&path, Kind::DuplicateField);
        }
        let Some(listed) = listed else { continue };
        if listed.find(name).is_some() {
            report.conflict(&path, "the alias is also the name of a version; expected another name");
        }
        if let Some(version) = listed.read_name(target, &path, report) {
            let at = aliases.partition_point(|(earlier, _)| **earlier < **name);
            list::insert(&mut aliases, at, (name.to_string(), version));
        }
    }
    aliases
}

fn read_trust(node: &Node<'_>, path: Path<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Option<Trust> {
    let Node::Map(_) = node else {
        let word = |word: &str| match word {
            "open" => Some(Trust::Open),
            "signed" => Some(Trust::Signed),
            _ => None,
        };
        return text_or_hidden(node, &path, TRUST, word, report);
    };
    let object = Object::read(node, path, &["header", "env", "secret"], report)?;
    let header = object.with("header", |node, path| {
        let header = read_input(node, path, &context.outputs, report)?;
        if header.is_reserved() {
            report.conflict(
                path,
                "the filter removes this header, which HTTP needs; expected one that holds the secret alone",
            );
        }
        report.strip(path, &header);
        Some(header)
    });
    object.require(report, "header", "the name of the header that holds the secret");
    let secret = read_secret(&object, context.surroundings, false, report);
    Some(Trust::Secret(header?, secret))
}
