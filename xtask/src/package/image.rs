//! The image: the compat variant of the Wasm image specification, which is an ordinary image with `plugin.wasm` in its last
//! layer. It is the one form that Istio, Envoy Gateway and every registry take.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, Digest, History, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder,
    ImageManifest, ImageManifestBuilder, MediaType, Os, RootFs, RootFsBuilder,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The file that control planes look for in the layer.
pub(crate) const FILE: &str = "plugin.wasm";

/// The annotation by which it says that it is of the compat variant.
pub(crate) const VARIANT: &str = "module.wasm.image/variant";

/// Bytes that are known by their digest.
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Result<Self> {
        Ok(Self { digest: digest(&bytes)?, bytes })
    }

    /// What refers to this blob.
    pub(crate) fn descriptor(&self, media_type: MediaType) -> Descriptor {
        Descriptor::new(media_type, self.bytes.len() as u64, self.digest.clone())
    }
}

/// An image of one layer.
pub(crate) struct Image {
    pub(crate) manifest: Blob,
    pub(crate) config: Blob,
    pub(crate) layer: Blob,
}

/// Packs a module. The same module and labels are the same bytes, always.
///
/// # Errors
/// If a library refuses what it is told to write, which is none of the module's doing.
pub(crate) fn pack(module: &[u8], labels: &BTreeMap<String, String>) -> Result<Image> {
    let tar = tar(module).context("cannot make a tar file of the module")?;
    let config = Blob::new(json(&configuration(&tar, labels)?)?)?;
    let layer = Blob::new(gzip(&tar).context("cannot compress the layer")?)?;
    let manifest = Blob::new(json(&manifest(&config, &layer, labels)?)?)?;
    Ok(Image { manifest, config, layer })
}

/// SHA-256, as OCI writes it.
pub(crate) fn digest(bytes: &[u8]) -> Result<Digest> {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}").parse()?)
}

/// As JSON whose maps are sorted. Those of `oci-spec` are in no order, and another one in every run.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut value: Value = serde_json::to_value(value)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}

fn configuration(tar: &[u8], labels: &BTreeMap<String, String>) -> Result<ImageConfiguration> {
    let layers: RootFs = RootFsBuilder::default().typ("layers").diff_ids([digest(tar)?.to_string()]).build()?;
    let history: History = HistoryBuilder::default().created_by(format!("COPY {FILE} ./{FILE}")).build()?;
    // Nothing in it runs, but registries and control planes look for an image of a platform, and for this one first.
    Ok(ImageConfigurationBuilder::default()
        .os(Os::Linux)
        .architecture(Arch::Amd64)
        .config(ConfigBuilder::default().labels(sorted_out(labels)).build()?)
        .rootfs(layers)
        .history([history])
        .build()?)
}

fn manifest(config: &Blob, layer: &Blob, labels: &BTreeMap<String, String>) -> Result<ImageManifest> {
    let mut annotations = sorted_out(labels);
    annotations.insert(VARIANT.to_owned(), "compat".to_owned());
    Ok(ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(config.descriptor(MediaType::ImageConfig))
        .layers([layer.descriptor(MediaType::ImageLayerGzip)])
        .annotations(annotations)
        .build()?)
}

/// A tar file without time, owner, or anything else of the machine that makes it.
fn tar(module: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, FILE, module)?;
    archive.into_inner()
}

/// Likewise without time, name, or operating system (255 is for none).
fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn sorted_out(labels: &BTreeMap<String, String>) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
