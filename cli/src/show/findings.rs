//! Findings, as compilers show theirs.

use std::io::Write;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use anstream::adapter::strip_str;
use serde::Serialize;

use super::Position;
use crate::document::Loaded;
use crate::failure::Failure;
use crate::finding::{Finding, Severity};

/// So many bytes of a long line are shown before and behind what a finding is about.
const AROUND: usize = 120;

/// Shows every finding of a file with the line that it is about.
pub(crate) fn show_findings(out: &mut dyn Write, file: &Loaded) -> Result<(), Failure> {
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    let text = file.shown();
    for finding in &file.findings {
        let shown = renderer.render(&[group(file, &text, finding)]).to_string();
        // The renderer marks a piece of source without a path so, though the place stands above it.
        for line in shown.lines().filter(|line| strip_str(line).to_string().trim() != ":::") {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
    }
    if file.more_errors > 0 {
        writeln!(out, "and {} more errors in {}\n", file.more_errors, file.name)?;
    }
    Ok(())
}

fn group<'a>(file: &'a Loaded, text: &'a str, finding: &'a Finding) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(readable(finding.title.as_ref().unwrap_or(&finding.message))).id(finding.code);
    let Position { line, column } = file.position(finding.span.start);
    let (shown, span) = surroundings(text, &finding.span);
    // Of what is shown of a long line the beginning may be missing, and then the column is told beside it.
    let is_whole = shown.get(..span.start).is_some_and(|before| before.chars().count() + 1 == column);
    let marked = AnnotationKind::Primary.span(span).label(label(finding));
    let source = Snippet::source(shown).line_start(line).annotation(marked);
    let mut elements: Vec<Element<'_>> = Vec::new();
    if is_whole && !text.is_empty() {
        elements.push(source.path(&file.name).into());
    } else {
        elements.push(Origin::path(&file.name).line(line).char_column(column).into());
        elements.extend((!text.is_empty()).then(|| source.into()));
    }
    if !finding.place.is_empty() {
        elements.push(Level::NOTE.with_name("in").message(&finding.place).into());
    }
    elements.extend(finding.hint.as_ref().map(|hint| Level::HELP.message(hint).into()));
    title.elements(elements)
}

/// What stands behind the mark: the path, and what was probably meant.
fn label(finding: &Finding) -> String {
    let meant = finding.suggestion.as_ref().map(|name| format!("did you mean \"{name}\"?"));
    let path = Some(&finding.path).filter(|path| !path.is_empty()).cloned();
    path.into_iter().chain(meant).collect::<Vec<_>>().join(": ")
}

/// The line, or the part of a long one, that a finding is about, and where it stands in it.
fn surroundings<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, Range<usize>) {
    let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let rest = text.get(span.start..).unwrap_or_default();
    let end = span.start + rest.find('\n').unwrap_or(rest.len());
    let start = boundary(text, start.max(span.start.saturating_sub(AROUND)));
    let end = boundary(text, end.min(span.end.max(span.start) + AROUND));
    let shown = text.get(start..end).unwrap_or_default().trim_end_matches('\r');
    let within = (span.start - start).min(shown.len())..(span.end - start).min(shown.len());
    (shown, within)
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// How many findings of which kind there are in files, in words.
pub(crate) fn summary(files: &[Loaded]) -> String {
    let count = |severity| files.iter().map(|file| file.count(severity)).sum::<usize>();
    let documents: usize = files.iter().map(|file| file.documents.len()).sum();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let found = match (errors, warnings) {
        (0, 0) => "no mistakes".to_owned(),
        (0, warnings) => several(warnings, "warning"),
        (errors, 0) => several(errors, "error"),
        (errors, warnings) => format!("{} and {}", several(errors, "error"), several(warnings, "warning")),
    };
    let files = several(files.len(), "file");
    if documents == 0 {
        format!("{found} in {files}")
    } else {
        format!("{found} in {} of {files}", several(documents, "document"))
    }
}

/// So many of something, in words.
pub(crate) fn several(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A finding for scripts.
#[derive(Serialize)]
pub(crate) struct FindingJson<'a> {
    severity: &'static str,
    code: &'static str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    place: Option<&'a str>,
    path: &'a str,
    rollout: Option<&'a str>,
    message: &'a str,
    did_you_mean: Option<&'a str>,
    hint: Option<&'a str>,
}

/// The findings of a file for scripts.
pub(crate) fn findings_json(file: &Loaded) -> impl Iterator<Item = FindingJson<'_>> {
    file.findings.iter().map(|finding| {
        let (start, end) = (file.position(finding.span.start), file.position(finding.span.end));
        FindingJson {
            severity: finding.severity.as_str(),
            code: finding.code,
            file: &file.name,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            place: Some(&*finding.place).filter(|place| !place.is_empty()),
            path: &finding.path,
            rollout: finding.rollout.as_deref(),
            message: &finding.message,
            did_you_mean: finding.suggestion.as_deref(),
            hint: finding.hint.as_deref(),
        }
    })
}

/// A text of the core, which writes letters beyond ASCII as escapes, with the letters.
fn readable(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escape = part.split_once('}').and_then(|(hex, rest)| {
            let letter = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
            letter.is_alphanumeric().then_some((letter, rest))
        });
        match escape {
            Some((letter, rest)) => {
                shown.push(letter);
                shown.push_str(rest);
            }
            None => {
                shown.push_str("\\u{");
                shown.push_str(part);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        for (text, expected) in [
            ("found \"m\\u{fc}ller\"", "found \"müller\""),
            ("\\u{200b} \\u{zz} \\u{e9}\\u{", "\\u{200b} \\u{zz} é\\u{"),
            ("", ""),
        ] {
            assert_eq!(readable(text), expected);
        }
    }
}
