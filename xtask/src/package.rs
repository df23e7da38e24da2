//! `cargo xtask package`: the module as an image that Istio and Envoy Gateway take, the digests that pin it, and the
//! manifests with both filled in.

mod facts;
mod image;
mod layout;
mod manifests;
mod module;
mod name;
mod output;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::facts::Facts;
use self::name::Name;
use self::output::Output;
use crate::progress::Progress;
use crate::{wasm, workspace};

/// Options of `cargo xtask package`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the image will be in a registry; without a tag, the version of this repository is the tag.
    #[arg(long, value_name = "REGISTRY/REPOSITORY[:TAG]")]
    name: Option<Name>,
    /// The folder for the OCI layout, which replaces a layout that is there; `oci` in the target folder if not given.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Package this file in place of building the module.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// One more label and annotation of the image, such as `org.opencontainers.image.source=https://…`; each key once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    annotation: Vec<(String, String)>,
    /// Write no layout: read this one, which another program made, as Istio and Envoy Gateway read an image.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["output", "module", "annotation"])]
    check: Option<PathBuf>,
    /// Write copies of the manifests into this folder, with the name and the digest filled in.
    #[arg(long, value_name = "FOLDER", requires = "name")]
    manifests: Option<PathBuf>,
    /// Write the same facts to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs `cargo xtask package`.
///
/// # Errors
/// If the module cannot be built or is none, if a layout cannot be written or is one that control planes refuse, or if the
/// manifests cannot be filled in.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.json {
        // Better now than after all the work; an empty file is not taken for a result.
        File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let folder = match &args.check {
        Some(folder) => folder.clone(),
        None => pack(args)?,
    };
    // Our own layout is read back as well: what is printed is what a control plane will find.
    let image = layout::read(&folder).with_context(|| format!("{} will not be taken", folder.display()))?;
    let mut facts = Facts::new(&folder, &image, args.name.as_ref())?;
    if let (Some(to), Some(name)) = (&args.manifests, &args.name) {
        facts.filled_in(to, manifests::fill_in(&workspace::root().join("manifests"), to, &name.pinned(&image.digest))?);
    }
    if let Some(file) = &args.json {
        fs::write(file, format!("{:#}\n", facts.json())).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print(&facts, &mut io::stdout().lock()).context("cannot write to stdout")
}

/// Writes the facts until nobody reads on, as with `| head`: that is no failure.
fn print(facts: &Facts, out: &mut impl Write) -> io::Result<()> {
    match write!(out, "{facts}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Makes a layout of the module and returns where it is.
fn pack(args: &Args) -> Result<PathBuf> {
    // What is wrong with the options is said before the module is built.
    let labels = labels(&args.annotation)?;
    let folder = match &args.output {
        Some(folder) => folder.clone(),
        None => workspace::target()?.join("oci"),
    };
    let output = Output::at(&folder, &env::current_dir()?)?;
    let path = match &args.module {
        Some(path) => path.clone(),
        None => wasm::build(&Progress::new())?,
    };
    layout::write(&image::pack(&read(&path)?, &labels)?, &output)?;
    Ok(output.folder().to_path_buf())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    module::check(&bytes).with_context(|| format!("{} cannot be packaged", path.display()))?;
    Ok(bytes)
}

/// What the image says of itself. No time and no commit: the same module is the same image.
///
/// # Errors
/// If a key is given twice, or is the one that says how control planes have to read the image.
fn labels(more: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let own = [
        ("title", "serin"),
        ("description", "Canary routing for Envoy, Istio and Envoy Gateway: a proxy-wasm filter."),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", "Apache-2.0"),
    ];
    let own = own.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned()));
    let mut given = BTreeMap::new();
    for (key, value) in more {
        if key == image::VARIANT {
            bail!("--annotation {key} is `{value}`; expected none, since the image says `compat` there and is it");
        }
        if let Some(first) = given.insert(key.clone(), value.clone()) {
            bail!("--annotation {key} is `{first}` and `{value}`; expected each key once");
        }
    }
    Ok(own.into_iter().chain(given).collect())
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected a key, `=`, and a value".to_owned()),
    }
}
