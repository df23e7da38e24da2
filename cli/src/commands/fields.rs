//! `serin fields`: what may stand where in a document.

use std::io::Write;

use serde::Serialize;
use serin_core::{Step, nearest, steps};

use super::{Streams, Verdict};
use crate::failure::Failure;
use crate::schema::{Field, Place, Schema};
use crate::show::{Output, bold, dim, json, table};

/// Options of `serin fields`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The path to a place in a document, such as rollouts.shop.match; the document itself if it is left out. Numbers in
    /// brackets may stand there or not.
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What may stand at a place.
#[derive(Serialize)]
struct Report<'s> {
    path: String,
    kind: String,
    description: &'s str,
    example: Option<String>,
    /// The fields of the object that stands there, or in the list there.
    fields: Vec<Row<'s>>,
    /// The words that may stand there.
    words: Vec<Word<'s>>,
    /// Whether it is a list, or an object by name.
    #[serde(skip)]
    holds_several: bool,
}

#[derive(Serialize)]
struct Row<'s> {
    name: &'s str,
    kind: String,
    required: bool,
    description: &'s str,
}

#[derive(Serialize)]
struct Word<'s> {
    word: &'s str,
    description: &'s str,
}

impl<'s> Row<'s> {
    fn of(Field { name, place, is_required }: Field<'s>) -> Self {
        Self { name, kind: place.kinds(), required: is_required, description: place.description() }
    }
}

/// Runs `serin fields`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    let schema = Schema::new();
    let path = args.path.as_deref().unwrap_or_default();
    let place = find(&schema, path)?;
    let words = place.object().words().into_iter().map(|(word, description)| Word { word, description });
    let report = Report {
        path: path.to_owned(),
        kind: place.kinds(),
        description: place.description(),
        example: place.example(),
        fields: place.object().fields().into_iter().map(Row::of).collect(),
        words: words.collect(),
        holds_several: place.item().or_else(|| place.named()).is_some(),
    };
    match args.output {
        Output::Text => show(streams.out, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    Ok(Verdict::Good)
}

/// The place that a path leads to; indices of lists may be left out.
fn find<'s>(schema: &'s Schema, path: &str) -> Result<Place<'s>, Failure> {
    let mut place = schema.root();
    for step in steps(path) {
        place = match &step {
            Step::Item(_) => {
                place.item().ok_or_else(|| Failure::new(format!("{path:?} has an index where no list is")))?
            }
            Step::Field(index) if index.bytes().all(|byte| byte.is_ascii_digit()) && place.item().is_some() => {
                place.item().unwrap_or(place)
            }
            Step::Field(name) | Step::LongField(name) => {
                let inner = place.within_lists();
                inner.field(name).ok_or_else(|| unknown(schema, path, name, &inner))?
            }
        };
    }
    Ok(place)
}

fn unknown(schema: &Schema, path: &str, name: &str, place: &Place<'_>) -> Failure {
    let fields = place.fields();
    let names = || fields.iter().map(|field| field.name);
    let meant = nearest(name, names()).map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
    let expected = match names().collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "nothing is inside of what stands before it".to_owned(),
        names => format!("expected one of {names}"),
    };
    let elsewhere = match schema.places_of(name).as_slice() {
        [] => String::new(),
        places => format!(". It belongs to {}", places.join(", ")),
    };
    if path == name {
        return Failure::new(format!("a document has no {name:?} at its top; {expected}{meant}{elsewhere}"));
    }
    Failure::new(format!("{path:?} has no {name:?}; {expected}{meant}{elsewhere}"))
}

fn show(out: &mut dyn Write, report: &Report<'_>) -> Result<(), Failure> {
    let path = if report.path.is_empty() { "the document" } else { &report.path };
    writeln!(out, "{}: {}\n\n{}", bold(path), report.kind, report.description)?;
    if let Some(example) = &report.example {
        writeln!(out, "\nsuch as {example}")?;
    }
    if !report.words.is_empty() {
        let row = |of: &Word<'_>| vec![of.word.to_owned(), of.description.to_owned()];
        writeln!(out, "\n{}", table(report.words.iter().map(row).collect(), &[]))?;
    }
    if !report.fields.is_empty() {
        let each = if report.holds_several { "fields of each" } else { "fields" };
        let row = |of: &Row<'_>| {
            let required = if of.required { ", required" } else { "" };
            vec![of.name.to_owned(), format!("{}{required}", of.kind), first_sentence(of.description).to_owned()]
        };
        writeln!(out, "\n{each}\n{}", table(report.fields.iter().map(row).collect(), &[]))?;
        let name = if report.kind == "object by name" { "NAME." } else { "" };
        let inner = if report.path.is_empty() { String::new() } else { format!("{}.{name}", report.path) };
        if let Some(field) = report.fields.first() {
            writeln!(out, "\n{}", dim(&format!("more of {0}: serin fields {inner}{0}", field.name)))?;
        }
    }
    Ok(())
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().map_or("", str::trim_end)
}
