//! What was packaged and how to go on: as lines for people, as JSON for scripts.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use oci_spec::image::Digest;
use serde_json::{Value, json};

use super::image;
use super::layout::Found;
use super::manifests::Filled;
use super::name::Name;
use crate::shell::quoted;

/// All that there is to say of one image.
pub(crate) struct Facts {
    layout: PathBuf,
    image: Digest,
    module: Digest,
    bytes: usize,
    name: Option<Name>,
    manifests: Option<(PathBuf, Filled)>,
}

impl Facts {
    /// Of an image in a layout.
    pub(crate) fn new(layout: &Path, image: &Found, name: Option<&Name>) -> Result<Self> {
        Ok(Self {
            layout: std::path::absolute(layout)?,
            image: image.digest.clone(),
            module: image::digest(&image.module)?,
            bytes: image.module.len(),
            name: name.cloned(),
            manifests: None,
        })
    }

    /// And of manifests that were written.
    pub(crate) fn filled_in(&mut self, folder: &Path, filled: Filled) {
        self.manifests = Some((folder.to_path_buf(), filled));
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let mut facts = json!({
            "layout": self.layout,
            "image": {"digest": self.image.to_string()},
            "module": {"sha256": self.module.digest(), "bytes": self.bytes},
        });
        if let Some(name) = &self.name {
            facts["image"]["name"] = json!(name.tagged());
            facts["image"]["url"] = json!(format!("oci://{}", name.pinned(&self.image)));
        }
        if let Some((folder, Filled { files, blanks })) = &self.manifests {
            let blanks: Vec<_> =
                blanks.iter().map(|it| json!({"file": it.file, "line": it.line, "value": it.value})).collect();
            facts["manifests"] = json!({"folder": folder, "files": files, "blanks": blanks});
        }
        facts
    }

    fn push(&self, f: &mut fmt::Formatter<'_>, name: &Name) -> fmt::Result {
        let (layout, image, tagged) = (quoted(&self.layout), &self.image, name.tagged());
        writeln!(f, "\nPush it, by one of")?;
        writeln!(f, "  crane push {layout} {tagged}")?;
        writeln!(f, "  skopeo copy --preserve-digests oci:{layout} docker://{tagged}")?;
        writeln!(f, "  oras cp --from-oci-layout {layout}@{image} {tagged}")
    }

    fn pin(&self, f: &mut fmt::Formatter<'_>, name: &Name) -> fmt::Result {
        let pinned = name.pinned(&self.image);
        match &self.manifests {
            Some((folder, Filled { files, blanks })) => {
                writeln!(f, "\nFilled in, in {}", folder.display())?;
                files.iter().try_for_each(|file| writeln!(f, "  {}", file.display()))?;
                if !blanks.is_empty() {
                    writeln!(f, "\nStill to fill in by hand, in {}", folder.display())?;
                }
                blanks.iter().try_for_each(|it| writeln!(f, "  {}:{}: {}", it.file.display(), it.line, it.value))
            }
            None => {
                writeln!(f, "\nPin it, by hand or with `--manifests FOLDER`")?;
                writeln!(f, "  WasmPlugin, TrafficExtension: url: oci://{pinned}")?;
                writeln!(f, "  EnvoyExtensionPolicy:         code: {{type: Image, image: {{url: \"{pinned}\"}}}}")
            }
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.layout.display())?;
        writeln!(f, "image   {}", self.image)?;
        writeln!(f, "module  {} ({} bytes; for `sha256` beside an http(s) URL)", self.module.digest(), self.bytes)?;
        match &self.name {
            Some(name) => {
                self.push(f, name)?;
                self.pin(f, name)
            }
            None => {
                writeln!(f, "\nHow to go on is said to `--name {}`, with a name of yours", Name::example().tagged())
            }
        }
    }
}
