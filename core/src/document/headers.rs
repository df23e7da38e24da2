//! `headers`: the names of the headers that carry a decision.

use super::reader::{Object, Path, Report};
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::OutputHeaders;

pub(super) const HEADER: &str = "the name of a header";
const OUTPUT: &str = "the name of a header that HTTP does not reserve, or \"\" for none";

/// The output headers; `None` if there is a mistake among them.
pub(super) fn read(document: &Object<'_>, report: &mut Report<'_>) -> Option<OutputHeaders> {
    let Some(node) = document.get("headers") else { return Some(OutputHeaders::default()) };
    let before = report.count;
    let path = document.field("headers");
    let names = ["version", "cluster", "slot", "reason", "answer"];
    let object = Object::read(node, path, &names, report)?;
    let default = OutputHeaders::default();
    let outputs = OutputHeaders {
        version: read_name(&object, "version", report).unwrap_or(default.version),
        cluster: read_name(&object, "cluster", report).unwrap_or(default.cluster),
        slot: read_name(&object, "slot", report).unwrap_or(default.slot),
        reason: read_name(&object, "reason", report).unwrap_or(default.reason),
        answer: read_name(&object, "answer", report).unwrap_or(default.answer),
    };
    let named: Vec<&HeaderName> = outputs.on_request().chain(&outputs.answer).collect();
    for (index, name) in named.iter().enumerate() {
        if named.iter().take(index).any(|earlier| earlier == name) {
            report.conflict(
                &object.path,
                format!("two of them are named \"{}\"; expected different names", name.as_str()),
            );
        }
    }
    (report.count == before).then_some(outputs)
}

/// `Some(None)` for `""`: not written.
fn read_name(object: &Object<'_>, field: &str, report: &mut Report<'_>) -> Option<Option<HeaderName>> {
    object.text(
        field,
        OUTPUT,
        |text| match text {
            "" => Some(None),
            _ => HeaderName::new(text).filter(|name| !name.is_reserved()).map(Some),
        },
        report,
    )
}

/// A header that a request is asked for, which must not be one of our own: those never come in.
pub(super) fn read_input(
    node: &Node,
    path: &Path<'_>,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) -> Option<HeaderName> {
    let name = super::reader::text(node, path, HEADER, HeaderName::new, report)?;
    if outputs.on_request().any(|output| *output == name) {
        let text =
            format!("found \"{}\", which is one of the output headers and never comes in from a client", name.as_str());
        report.conflict(path, text + "; expected another header");
        return None;
    }
    Some(name)
}
