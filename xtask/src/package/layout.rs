//! The OCI layout of an image in a folder, written, and read as Istio and Envoy Gateway read an image from a registry.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use oci_spec::image::{Descriptor, Digest, ImageIndex, ImageIndexBuilder, ImageManifest, MediaType, OciLayoutBuilder};

use super::image::{self, Blob, Image};
use super::module;
use super::output::{MARK, Output};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const WASM_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// What a control plane makes of an image.
pub(crate) struct Found {
    /// The digest of the manifest.
    pub(crate) digest: Digest,
    pub(crate) module: Vec<u8>,
}

/// Writes a layout of this one image. One that is there is replaced.
///
/// # Errors
/// If there is something else, or if files cannot be written.
pub(crate) fn write(image: &Image, output: &Output) -> Result<()> {
    output.replace(|folder| write_files(image, folder))
}

fn write_files(image: &Image, folder: &Path) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let write = |blob: &Blob| fs::write(blobs.join(blob.digest.digest()), &blob.bytes);
    [&image.layer, &image.config, &image.manifest].into_iter().try_for_each(write)?;
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests([image.manifest.descriptor(MediaType::ImageManifest)])
        .build()?;
    fs::write(folder.join("index.json"), image::json(&index)?)?;
    let mark = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
    Ok(fs::write(folder.join(MARK), image::json(&mark)?)?)
}

/// Reads a layout's only image by the rules of `pkg/wasm/imagefetcher.go` in Istio, which Envoy Gateway has a copy of.
///
/// # Errors
/// If they would refuse the image, or its digest.
pub(crate) fn read(folder: &Path) -> Result<Found> {
    let index = fs::read(folder.join("index.json")).context("cannot read its index.json")?;
    let index: ImageIndex = serde_json::from_slice(&index).context("its index.json cannot be read")?;
    let [descriptor] = &index.manifests()[..] else {
        bail!("its index.json has {} manifests; expected one", index.manifests().len());
    };
    if !matches!(descriptor.media_type().to_string().as_str(), OCI_MANIFEST | DOCKER_MANIFEST) {
        bail!(
            "it is {}; expected one image and no index, since a control plane holds the digest of an index against that of \
             an image in it. Build for one platform, without attestations",
            descriptor.media_type()
        );
    }
    let manifest: ImageManifest =
        serde_json::from_slice(&blob(folder, descriptor)?).context("its manifest cannot be read")?;
    let module = plugin(folder, &manifest)?;
    module::check(&module)?;
    Ok(Found { digest: descriptor.digest().clone(), module })
}

fn plugin(folder: &Path, manifest: &ImageManifest) -> Result<Vec<u8>> {
    let docker = manifest.media_type().as_ref().is_some_and(|found| found.to_string() == DOCKER_MANIFEST);
    let expected = if docker { DOCKER_LAYER } else { OCI_LAYER };
    let last = manifest.layers().last().context("it has no layer")?;
    if last.media_type().to_string() == expected {
        return unpack(&blob(folder, last)?).context("its last layer cannot be read");
    }
    let raw = manifest.layers().iter().find(|layer| layer.media_type().to_string() == WASM_LAYER);
    match raw {
        Some(raw) if !docker && manifest.layers().len() == 2 => blob(folder, raw),
        Some(_) => bail!("it is a Wasm artifact of {} layers; expected two", manifest.layers().len()),
        None => bail!("its last layer is {}; expected {expected}", last.media_type()),
    }
}

/// The first file of that name, in whatever folder of the layer.
fn unpack(layer: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(layer));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name().is_some_and(|name| name == image::FILE) {
            let mut module = Vec::new();
            entry.read_to_end(&mut module)?;
            return Ok(module);
        }
    }
    bail!("it has no file {}", image::FILE)
}

/// A blob, if it is what its digest says.
fn blob(folder: &Path, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let expected = descriptor.digest();
    let path = folder.join("blobs").join(expected.algorithm().as_ref()).join(expected.digest());
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = image::digest(&bytes)?;
    if found != *expected {
        bail!("{} has the digest {found}; expected {expected}", path.display());
    }
    Ok(bytes)
}
