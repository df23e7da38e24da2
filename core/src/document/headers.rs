//! `headers`: the names of the headers that carry a decision.

use super::reader::{Object, Path, Report};
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::{Output, OutputHeaders, OutputKind};

const HEADER: &str = "the name of a header: a token of at most 256 characters";
const OUTPUT: &str = "the name of a header that HTTP does not reserve, or \"\" for none";

/// The output headers; `None` if there is a mistake among them.
pub(super) fn read(document: &Object<'_>, report: &mut Report<'_>) -> Option<OutputHeaders> {
    let Some(node) = document.get("headers") else { return Some(OutputHeaders::default()) };
    let before = report.count;
    let path = document.field("headers");
    let names = ["version", "cluster", "slot", "reason", "answer"];
    let object = Object::read(node, path, &names, report)?;
    let kinds = [
        ("version", OutputKind::Version),
        ("cluster", OutputKind::Cluster),
        ("slot", OutputKind::Slot),
        ("reason", OutputKind::Reason),
    ];
    let default = OutputHeaders::default();
    let name_of = |(field, kind), report: &mut Report<'_>| {
        let name = read_name(&object, field, report).unwrap_or_else(|| default.carrying(kind).cloned())?;
        Some(Output { kind, name })
    };
    let outputs = OutputHeaders {
        on_request: kinds.into_iter().filter_map(|part| name_of(part, report)).collect(),
        answer: read_name(&object, "answer", report).unwrap_or(default.answer.clone()),
    };
    let named: Vec<&HeaderName> = outputs.on_request.iter().map(|output| &output.name).collect();
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
    node: &Node<'_>,
    path: &Path<'_>,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) -> Option<HeaderName> {
    let name = super::reader::text(node, path, HEADER, HeaderName::new, report)?;
    if outputs.has(name.as_str()) {
        let text =
            format!("found \"{}\", which is one of the output headers and never comes in from a client", name.as_str());
        report.conflict(path, text + "; expected another header");
        return None;
    }
    Some(name)
}
