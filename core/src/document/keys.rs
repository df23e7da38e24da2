//! `keys`: what signs and checks cookies and tokens; and every other secret of a document.

use std::sync::Arc;

use super::Surroundings;
use super::reader::{Object, Path, Report};
use crate::keys::{Key, Keys, Secret};
use crate::node::Node;

const MOST_KEYS: usize = 8;
const ID: &str = "a name of 1 to 16 characters out of A-Z, a-z, 0-9, _ and -";
const ENV: &str = "the name of an environment variable: 1 to 128 of A-Z, a-z, 0-9 and _, not beginning with a digit";
const SECRET: &str = "a secret of 16 to 256 characters";
const SHORTEST: usize = 16;
const LONGEST: usize = 256;

/// The keys, if the document has any.
pub(super) fn read(
    document: &Object<'_>,
    surroundings: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<Keys>> {
    let node = document.get("keys")?;
    let path = document.field("keys");
    let Node::List(items) = node else {
        hidden(&path, "a list such as [{id: k1, env: SERIN_KEY_1}]", report);
        return None;
    };
    if items.is_empty() {
        report.conflict(&path, "found an empty list; expected a key, or no keys");
    }
    if report.limit(&path, items.len(), MOST_KEYS, "keys") {
        return None;
    }
    let mut ids: Vec<String> = Vec::new();
    let mut keys = Vec::new();
    for (index, node) in items.iter().enumerate() {
        let path = path.item(index);
        let Node::Map(_) = node else {
            hidden(&path, "an object with id, and env or secret", report);
            continue;
        };
        let Some(object) = Object::read(node, path, &["id", "env", "secret"], report) else { continue };
        let id = object.with("id", |node, path| text_or_hidden(node, path, ID, id, report));
        object.require(report, "id", ID);
        let secret = read_secret(&object, surroundings, index == 0, report);
        let Some(id) = id else { continue };
        if ids.contains(&id) {
            object.conflict(report, "id", format!("the id \"{id}\" stands here twice; expected different ids"));
        }
        ids.push(id.clone());
        keys.push(secret.and_then(|secret| Key::new(id, secret.0.as_bytes())));
    }
    Some(Arc::new(Keys::new(keys)))
}

/// The secret that an object names by `env` or holds as `secret`; `None` if there is a mistake, or the environment does not
/// have it, which is told: as an error where it is `needed`, else as a warning.
pub(super) fn read_secret(
    object: &Object<'_>,
    surroundings: &Surroundings<'_>,
    needed: bool,
    report: &mut Report<'_>,
) -> Option<Secret> {
    if object.get("env").is_some() == object.get("secret").is_some() {
        report.conflict(&object.path, "expected one of env and secret");
        return None;
    }
    let sound = |text: &str| (SHORTEST..=LONGEST).contains(&text.chars().count()).then(|| Secret(text.to_owned()));
    if object.get("secret").is_some() {
        return object.with("secret", |node, path| text_or_hidden(node, path, SECRET, sound, report));
    }
    let name = object.with("env", |node, path| text_or_hidden(node, path, ENV, env_name, report))?;
    let secret = (surroundings.env)(&name).and_then(|value| sound(value.trim_ascii()));
    if secret.is_none() {
        let text = format!("the environment has no {name} with {SECRET}");
        report.missing_secret(&object.field("env"), text, needed);
    }
    secret
}

/// Text that `parse` understands. What else was found is not shown: it may be a secret in the wrong place.
pub(super) fn text_or_hidden<T>(
    node: &Node<'_>,
    path: &Path<'_>,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
    report: &mut Report<'_>,
) -> Option<T> {
    let value = node.text().and_then(parse);
    if value.is_none() {
        hidden(path, expected, report);
    }
    value
}

/// Reports a value without showing it.
fn hidden(path: &Path<'_>, expected: &'static str, report: &mut Report<'_>) {
    report.conflict(path, format!("found a value that is not shown, since it may be a secret; expected {expected}"));
}

fn id(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (matches!(text.len(), 1..=16) && text.bytes().all(allowed)).then(|| text.to_owned())
}

fn env_name(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let sound = matches!(text.len(), 1..=128)
        && text.bytes().all(allowed)
        && !text.starts_with(|first: char| first.is_ascii_digit());
    sound.then(|| text.to_owned())
}
