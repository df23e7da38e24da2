//! The checked list of what can trap, `filter/traps.txt`: what the module was found to hold, and why none of it is a danger.
//!
//! The lists are written by this program, the reasons between them by people. A line has no numbers of source lines, which
//! would change with everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, Result, bail};

use super::Site;

/// What a group of sites begins with, the line that names the compiler, and a site.
const GROUP: &str = "== ";
const COMPILER: &str = "Compiler: ";
const SITE: &str = "  ";
/// How a change is written into the file.
const BLESS: &str = "`cargo xtask traps --bless`";
/// The crates whose sites do not depend on a compiler's own library.
const OURS: &str = "serin";

/// Sites of one crate and kind.
#[derive(Debug, Default)]
struct Group {
    /// Why none of them is a danger, as lines.
    reason: Vec<String>,
    /// How often each function and file has such a site.
    sites: BTreeMap<String, usize>,
}

/// The list.
#[derive(Debug)]
pub(crate) struct Record {
    /// What stands before the list.
    head: Vec<String>,
    /// The compiler of the module, since others inline otherwise.
    compiler: String,
    /// By crate and kind.
    groups: BTreeMap<String, Group>,
}

impl Record {
    /// Reads the file.
    ///
    /// # Errors
    /// If a line is none of such a file.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut record = Self { head: Vec::new(), compiler: String::new(), groups: BTreeMap::new() };
        let mut group = None;
        for line in text.lines().map(str::trim_end) {
            if let Some(name) = line.strip_prefix(GROUP) {
                group = Some(record.groups.entry(name.to_owned()).or_default());
            } else if let Some(group) = &mut group {
                read_line(group, line)?;
            } else if let Some(compiler) = line.strip_prefix(COMPILER) {
                compiler.clone_into(&mut record.compiler);
            } else {
                record.head.push(line.to_owned());
            }
        }
        Ok(record)
    }

    /// Takes up what was found, and keeps the reasons.
    pub(crate) fn update(&mut self, sites: &[Site], compiler: &str) {
        compiler.clone_into(&mut self.compiler);
        let mut found = grouped(sites);
        for (name, group) in &mut found {
            group.reason = self.groups.remove(name).unwrap_or_default().reason;
        }
        self.groups = found;
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n\n{COMPILER}{}\n", self.head.join("\n").trim(), self.compiler);
        for (name, group) in &self.groups {
            _ = writeln!(text, "\n{GROUP}{name}");
            group.reason.iter().for_each(|line| _ = writeln!(text, "{line}"));
            group.sites.iter().for_each(|(site, count)| _ = writeln!(text, "{SITE}{count:>2}  {site}"));
        }
        text
    }

    /// Groups for which nobody has written a reason.
    pub(crate) fn without_reason(&self) -> Vec<&str> {
        let groups = self.groups.iter().filter(|(_, group)| group.reason.is_empty());
        groups.map(|(name, _)| name.as_str()).collect()
    }

    /// Says in a few words what was found.
    ///
    /// # Errors
    /// If there is more than the file says, or less, or if a group is without a reason. Of another compiler's module only the
    /// groups of our own crates are compared, and only whether there are others.
    pub(crate) fn check(&self, sites: &[Site], compiler: &str) -> Result<String> {
        let same = self.compiler == compiler;
        let mut wrong = if same { self.differences(sites) } else { self.new_groups(sites) };
        wrong.extend(self.without_reason().into_iter().map(|name| format!("no reason is given for {name}")));
        if !wrong.is_empty() {
            bail!(
                "filter/traps.txt is not right about the module; {BLESS} writes what is found:\n{}",
                wrong.join("\n")
            );
        }
        let extent =
            if same { String::new() } else { format!(", compared by kind, since the list is of {}", self.compiler) };
        Ok(format!("{} sites in {} groups{extent}", sites.len(), grouped(sites).len()))
    }

    fn differences(&self, sites: &[Site]) -> Vec<String> {
        let (found, nothing) = (grouped(sites), Group::default());
        let names: BTreeSet<&String> = found.keys().chain(self.groups.keys()).collect();
        let mut differences = Vec::new();
        for name in names {
            let (now, listed) = (found.get(name).unwrap_or(&nothing), self.groups.get(name).unwrap_or(&nothing));
            for line in now.sites.keys().chain(listed.sites.keys()).collect::<BTreeSet<_>>() {
                let count = |group: &Group| group.sites.get(line).copied().unwrap_or_default();
                let (now, listed) = (count(now), count(listed));
                if now > listed {
                    let way = way_to(sites, name, line);
                    differences.push(format!("new: {name} in {line}: {now}, the list has {listed}; {way}"));
                } else if now < listed {
                    differences.push(format!("gone: {name} in {line}: {now}, the list has {listed}"));
                }
            }
        }
        differences
    }

    fn new_groups(&self, sites: &[Site]) -> Vec<String> {
        let new =
            grouped(sites).into_iter().filter(|(name, _)| name.starts_with(OURS) && !self.groups.contains_key(name));
        let lines = new.flat_map(|(name, group)| group.sites.into_keys().map(move |line| (name.clone(), line)));
        lines.map(|(name, line)| format!("new: {name} in {line}; {}", way_to(sites, &name, &line))).collect()
    }
}

fn read_line(group: &mut Group, line: &str) -> Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    let Some(site) = line.strip_prefix(SITE) else {
        group.reason.push(line.to_owned());
        return Ok(());
    };
    let (count, site) = site.trim_start().split_once("  ").with_context(|| format!("no site, nor a reason: {line}"))?;
    let count = count.parse().with_context(|| format!("no number of sites: {line}"))?;
    group.sites.insert(site.to_owned(), count);
    Ok(())
}

fn grouped(sites: &[Site]) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for site in sites {
        *groups.entry(site.group()).or_default().sites.entry(site.line()).or_default() += 1;
    }
    groups
}

/// How the host gets to a site of that group and line, and what is called there.
fn way_to(sites: &[Site], group: &str, line: &str) -> String {
    let site = sites.iter().find(|site| site.group() == group && site.line() == line);
    site.map(|site| format!("reached by {}", site.way())).unwrap_or_default()
}
