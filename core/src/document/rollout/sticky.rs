//! `sticky`: what keeps a unit on its version.

use super::super::headers::read_input;
use super::super::reader::{Object, Path, Report, items, text};
use super::super::values;
use super::Context;
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::{AtZero, Cache, First, Hold, Prefer, Sticky, UnitSource};

const MOST_UNITS: usize = 16;
const FIELDS: [&str; 6] = ["unit", "prefer", "hold", "at_zero", "first", "cache"];

/// The stickiness of a rollout, or the default one.
pub(super) fn read(rollout: &Object<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Sticky {
    let default = Sticky::default();
    let Some(node) = rollout.get("sticky") else { return default };
    let path = rollout.field("sticky");
    let Some(object) = Object::read(node, path, &FIELDS, report) else { return default };
    let prefer = [("visitor", Prefer::Visitor), ("unit", Prefer::Unit)];
    let hold = [("slot", Hold::Slot), ("version", Hold::Version), ("page", Hold::Page), ("none", Hold::None)];
    let at_zero = [("evict", AtZero::Evict), ("drain", AtZero::Drain)];
    let first = [("draw", First::Draw), ("stable", First::Stable)];
    let cache = [("cookie", Cache::Cookie), ("all", Cache::All)];
    let sticky = Sticky {
        units: object.with("unit", |node, path| Some(read_units(node, path, context, report))).unwrap_or_default(),
        prefer: object.choice("prefer", &prefer, report).unwrap_or(default.prefer),
        hold: object.choice("hold", &hold, report).unwrap_or(default.hold),
        at_zero: object.choice("at_zero", &at_zero, report).unwrap_or(default.at_zero),
        first: object.choice("first", &first, report).unwrap_or(default.first),
        cache: object.choice("cache", &cache, report).unwrap_or(default.cache),
    };
    if sticky.at_zero == AtZero::Drain && !sticky.hold.keeps_version() {
        object.conflict(report, "at_zero", "drain needs a version that is held; expected hold: version or page");
    }
    if sticky.hold.keeps_version() && context.cookie.is_none() {
        object.conflict(report, "hold", "a held version is kept in a cookie; expected a cookie other than false");
    }
    sticky
}

fn read_units(node: &Node<'_>, path: &Path<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Vec<UnitSource> {
    const UNITS: &str = "a list such as [{header: x-user-id}, {cookie: sid}]";
    let items = items(node, path, UNITS, report);
    if matches!(node, Node::List(items) if items.is_empty()) {
        report.conflict(path, "found an empty list; expected a unit, or no list for the visitor alone");
    }
    if report.limit(path, items.len(), MOST_UNITS, "units") {
        return Vec::new();
    }
    let items = items.iter().enumerate();
    items.filter_map(|(index, node)| read_unit(node, path.item(index), context, report)).collect()
}

fn read_unit(node: &Node<'_>, path: Path<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Option<UnitSource> {
    const SOURCES: [&str; 4] = ["header", "cookie", "query", "source"];
    let object = Object::read(node, path, &SOURCES, report)?;
    let header: Option<HeaderName> =
        object.with("header", |node, path| read_input(node, path, &context.outputs, report));
    let cookie = object.with("cookie", |node, path| text(node, path, values::COOKIE_NAME, values::cookie_name, report));
    let query = object.text("query", values::QUERY_NAME, values::query_name, report);
    let source = object.choice("source", &[("address", ())], report).map(|()| UnitSource::Address);
    if SOURCES.iter().filter(|name| object.get(name).is_some()).count() != 1 {
        report.conflict(&object.path, "expected one of header, cookie, query and source");
        return None;
    }
    let carried = header.map(UnitSource::Header).or(cookie.map(UnitSource::Cookie));
    carried.or(query.map(UnitSource::Query)).or(source)
}
