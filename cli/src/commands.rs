//! The commands: each a module with its options, what it works out, and how it shows that.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod fields;
pub(crate) mod simulate;
pub(crate) mod token;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serin_core::{Rollout, Rules};

use crate::document::{Document, Loaded};
use crate::failure::Failure;
use crate::input::File;
use crate::show::{several, show_findings};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Good,
    /// What was asked has turned out bad: a document has mistakes, a limit does not hold.
    Bad,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(match verdict {
            Verdict::Good => 0,
            Verdict::Bad => 1,
        })
    }
}

/// Where commands write: results to `out`, what is said beside them to `err`.
pub(crate) struct Streams<'a> {
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
}

/// A whole number of a range, as an option has it.
pub(crate) fn number<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("expected a whole number from {LEAST} to {MOST}"))
}

/// A seed, as an option has it.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// The document that a command works with, and the file it stands in.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Which document of the file, if it holds several: 1 for the first.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = number::<1, { u32::MAX }>)]
    document: Option<u32>,
}

impl Chosen {
    /// The one document of a file that a command is to work with. What is wrong with the file is told.
    fn choose(&self, mut file: Loaded, streams: &mut Streams<'_>) -> Result<Option<Document>, Failure> {
        let count = file.documents.len();
        let index = match (self.document, count) {
            (_, 0) => None,
            (None, 1) => Some(0),
            (Some(number), _) => Some(number as usize - 1),
            (None, _) => None,
        };
        if count > 0 && index.is_none_or(|index| index >= count) {
            let line = |of: &Document| file.position(of.tree.span.start).line;
            let places = file.documents.iter().zip(1..);
            let places = places.map(|(of, at)| format!("\n  {at}  {}, line {}", of.name(), line(of)));
            let wanted = self.document.map_or_else(String::new, |number| format!(", and no number {number}"));
            let places: String = places.collect();
            return Err(Failure::new(format!(
                "{} holds {}{wanted}; expected --document with the number of one:{places}",
                file.name,
                several(count, "document"),
            )));
        }
        file.findings.retain(|finding| finding.document.is_none_or(|document| Some(document) == index));
        show_findings(streams.err, &file)?;
        Ok(index.map(|index| file.documents.swap_remove(index)))
    }

    /// As [`Input::read`], of two files, where the number is about those that hold several documents, if one does; for what a
    /// document with mistakes is no use for. `None` if one has some, which have been told.
    pub(crate) fn read_both(
        &self,
        paths: [&Path; 2],
        streams: &mut Streams<'_>,
    ) -> Result<Option<[Document; 2]>, Failure> {
        let files = [Loaded::new(File::read(paths[0])?), Loaded::new(File::read(paths[1])?)];
        let has_several = |file: &Loaded| file.documents.len() > 1;
        let is_about_some = files.iter().any(has_several);
        let mut read = |file: Loaded| {
            let number = self.document.filter(|_| !is_about_some || has_several(&file));
            let document = Self { document: number }.choose(file, streams)?;
            Ok::<_, Failure>(document.filter(|document| document.is_sound))
        };
        let [old, new] = files;
        Ok(read(old)?.zip(read(new)?).map(|(old, new)| [old, new]))
    }
}

/// The file that a command works with, and the document in it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Input {
    /// A rules document, or what holds one; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
}

impl Input {
    /// Reads the one document of the file that the command is to work with. What is wrong with the file is told.
    ///
    /// `None` if the document as a whole is spoiled, which has been told then.
    pub(crate) fn read(&self, streams: &mut Streams<'_>) -> Result<Option<Document>, Failure> {
        self.chosen.choose(Loaded::new(File::read(&self.file)?), streams)
    }
}

impl Document {
    /// The document by its place.
    fn name(&self) -> &str {
        if self.place.is_empty() { "a bare document" } else { &self.place }
    }
}

/// The name of a rollout that a document has; the only one if none is named.
pub(crate) fn rollout_of<'r>(rules: &'r Rules, name: Option<&'r str>) -> Result<&'r str, Failure> {
    let names = || rules.rollouts().map(Rollout::name);
    match name {
        Some(name) if rules.rollout_named(name).is_some() => Ok(name),
        Some(name) => Err(Failure::new(format!("no rollout {name:?}{}", expected(name, names())))),
        None => {
            let mut all = names();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                (None, _) => Err(Failure::new("the document has no rollouts")),
                _ => Err(Failure::new(format!(
                    "the document has several rollouts; expected --rollout with {}",
                    one_of(names())
                ))),
            }
        }
    }
}

/// What would have been a name, as the end of a message.
pub(crate) fn expected<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let meant = serin_core::nearest(written, names.iter().copied());
    let meant = meant.map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
    match names.as_slice() {
        [] => "; there is none".to_owned(),
        [only] => format!("; expected {only:?}"),
        _ => format!("; expected {}{meant}", one_of(names.into_iter())),
    }
}

/// The first few names, and how many more there are.
fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 10;
    let all: Vec<&str> = names.collect();
    let more = if all.len() > MOST { format!(" and {} more", all.len() - MOST) } else { String::new() };
    format!("one of {}{more}", all.into_iter().take(MOST).collect::<Vec<_>>().join(", "))
}
