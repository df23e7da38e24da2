//! The image as it is read back, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::image::{self, Image};
use super::manifests::{Blank, Filled};
use super::name::Name;
use super::output::Output;
use super::{facts::Facts, key_and_value, layout, module, print};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const WASM_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

fn filter() -> Vec<u8> {
    wat::parse_str(r#"(module (memory 1) (func (export "proxy_abi_version_0_2_1")))"#).unwrap()
}

fn labels(more: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
    super::labels(&more.iter().map(|text| key_and_value(text).unwrap()).collect::<Vec<_>>())
}

fn packed_with(more: &[&str]) -> Image {
    image::pack(&filter(), &labels(more).unwrap()).unwrap()
}

fn packed() -> Image {
    packed_with(&[])
}

fn write(image: &Image, folder: &Path) {
    layout::write(image, &Output::at(folder, Path::new("/")).unwrap()).unwrap();
}

#[test]
fn the_image_is_read_back_as_control_planes_read_it() {
    let folder = tempdir().unwrap();
    let image = packed();
    // Twice: a layout replaces the one before, and leaves nothing of it behind.
    write(&packed_with(&["a=b"]), folder.path());
    write(&image, folder.path());
    let found = layout::read(folder.path()).unwrap();
    assert_eq!((filter(), image.manifest.digest.to_string()), (found.module, found.digest.to_string()));

    let mut blobs: Vec<_> = fs::read_dir(folder.path().join("blobs/sha256")).unwrap().map(Result::unwrap).collect();
    blobs.sort_by_key(fs::DirEntry::file_name);
    assert_eq!(3, blobs.len());
    for blob in blobs {
        let digest = image::digest(&fs::read(blob.path()).unwrap()).unwrap();
        assert_eq!(digest.digest(), blob.file_name().to_str().unwrap());
    }
}

#[test]
fn the_image_says_what_it_is() {
    let image = packed_with(&["org.example=a=b"]);
    let [manifest, config]: [Value; 2] =
        [&image.manifest, &image.config].map(|blob| serde_json::from_slice(&blob.bytes).unwrap());
    assert_eq!("compat", manifest["annotations"]["module.wasm.image/variant"]);
    for labels in [&manifest["annotations"], &config["config"]["Labels"]] {
        assert_eq!(json!(["serin", "a=b"]), json!([labels["org.opencontainers.image.title"], labels["org.example"]]));
    }
    assert_eq!(json!(["linux", "amd64"]), json!([config["os"], config["architecture"]]));
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&image.layer.bytes[..]), &mut tar).unwrap();
    assert_eq!(json!([image::digest(&tar).unwrap().to_string()]), config["rootfs"]["diff_ids"]);
}

/// That maps are sorted shows only in many runs: those of a library are in another order each time.
#[test]
fn the_same_module_is_the_same_image() {
    let first = packed();
    for _ in 0..20 {
        assert_eq!(first.manifest.bytes, packed().manifest.bytes);
    }
    let layer = &first.layer.bytes;
    assert_eq!([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255], layer[..10], "no name, no time, no system");
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&layer[..]));
    let entries: Vec<_> = tar.entries().unwrap().map(Result::unwrap).collect();
    let header = entries[0].header();
    assert_eq!(1, entries.len());
    assert_eq!((0, 0, 0), (header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()));
    assert_eq!((0o644, Some(""), Some("")), {
        (header.mode().unwrap(), header.username().unwrap(), header.groupname().unwrap())
    });
}

/// Writes a layout of layers with their media types, and says what a control plane makes of it.
fn read_foreign(index_of: &str, media_type: &str, layers: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, String> {
    let folder = tempdir().unwrap();
    let blobs = folder.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let write = |media_type: &str, bytes: &[u8]| {
        let digest = image::digest(bytes).unwrap();
        fs::write(blobs.join(digest.digest()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    };
    let layers: Vec<_> = layers.iter().map(|(media_type, bytes)| write(media_type, bytes)).collect();
    let config = write("application/vnd.oci.image.config.v1+json", b"{}");
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    let manifest = write(index_of, manifest.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    layout::read(folder.path()).map(|found| found.module).map_err(|error| format!("{error:#}"))
}

fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn images_of_other_programs_are_taken_as_control_planes_take_them() {
    let wasm = filter();
    let good = layer(&[("etc/other", b"x"), ("./some/plugin.wasm", &wasm), ("plugin.wasm", b"second")]);
    let base = (OCI_LAYER, layer(&[("etc/base", b"x")]));
    let check = |media_type: &str, layers: &[(&str, Vec<u8>)]| {
        assert_eq!(Ok(wasm.clone()), read_foreign(media_type, media_type, layers));
    };
    check(OCI_MANIFEST, &[(OCI_LAYER, good.clone())]);
    check(OCI_MANIFEST, &[base, (OCI_LAYER, good.clone())]);
    check(DOCKER_MANIFEST, &[(DOCKER_LAYER, good)]);
    check(OCI_MANIFEST, &[(WASM_LAYER, wasm.clone()), ("application/vnd.module.wasm.config.v1+json", b"{}".to_vec())]);
}

#[test]
fn images_that_control_planes_refuse_are_refused_with_the_reason() {
    let wasm = filter();
    let good = layer(&[("plugin.wasm", &wasm)]);
    let check = |index_of: &str, media_type: &str, layers: &[(&str, Vec<u8>)], part: &str| {
        let error = read_foreign(index_of, media_type, layers).expect_err(part);
        assert!(error.contains(part), "{error} has no `{part}`");
    };
    let oci = |layers: &[(&str, Vec<u8>)], part: &str| check(OCI_MANIFEST, OCI_MANIFEST, layers, part);
    check(INDEX, INDEX, &[(OCI_LAYER, good.clone())], "expected one image and no index");
    check(DOCKER_MANIFEST, DOCKER_MANIFEST, &[(OCI_LAYER, good.clone())], DOCKER_LAYER);
    oci(&[("application/vnd.oci.image.layer.v1.tar+zstd", good.clone())], "tar+zstd; expected application/vnd.oci");
    oci(&[("application/vnd.oci.image.layer.v1.tar", good.clone())], "expected application/vnd.oci");
    oci(&[(OCI_LAYER, good), (OCI_LAYER, layer(&[("etc/after", b"x")]))], "it has no file plugin.wasm");
    oci(&[(WASM_LAYER, wasm)], "artifact of 1 layers; expected two");
    oci(&[], "it has no layer");
    oci(&[(OCI_LAYER, b"no gzip".to_vec())], "its last layer cannot be read");
    oci(&[(OCI_LAYER, layer(&[("plugin.wasm", b"GIF89a..")]))], "not a WebAssembly module");
}

#[test]
fn a_layout_with_a_blob_that_was_changed_is_refused() {
    let folder = tempdir().unwrap();
    let image = packed();
    write(&image, folder.path());
    let path = folder.path().join("blobs/sha256").join(image.layer.digest.digest());
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"x").unwrap();
    let error = layout::read(folder.path()).map(|found| found.digest).unwrap_err().to_string();
    assert!(error.contains("has the digest sha256:"), "{error}");
}

#[test]
fn an_annotation_that_would_be_lost_is_refused_by_its_key() {
    let check = |more: &[&str], part: &str| {
        let error = labels(more).expect_err(part).to_string();
        assert!(error.contains(part), "{error} has no `{part}`");
    };
    check(&["module.wasm.image/variant=foo"], "--annotation module.wasm.image/variant is `foo`; expected none");
    check(&["a=1", "b=1", "a=2"], "--annotation a is `1` and `2`; expected each key once");
    check(&["a=1", "a=1"], "--annotation a is");
    let labels = labels(&["a=1", "b=1", "org.opencontainers.image.title=mine"]).unwrap();
    assert_eq!(["1", "1", "mine"], ["a", "b", "org.opencontainers.image.title"].map(|key| labels[key].as_str()));
}

#[test]
fn what_is_no_filter_is_not_packaged() {
    let check = |bytes: &[u8], part: &str| {
        let error = format!("{:#}", module::check(bytes).expect_err(part));
        assert!(error.contains(part), "{error} has no `{part}`");
    };
    check(b"", r#"it begins with "" (0 bytes)"#);
    check(b"\x7fELF\x02\x01\x01\0", r#"it begins with "\x7fELF\x02\x01\x01\x00" (8 bytes), expected "\x00asm"#);
    check(b"\0asm\x0d\0\x01\0", r#"it begins with "\x00asm\r\x00\x01\x00""#);
    check(&filter()[..20], "not a valid WebAssembly module");
    check(&wat::parse_str("(module (memory 1))").unwrap(), "exports nothing that begins with proxy_abi_version_");
    module::check(&filter()).unwrap();
}

#[test]
fn a_name_is_a_repository_and_a_tag() {
    let digest = image::digest(b"").unwrap();
    let check = |text: &str, tagged: &str, pinned: &str| {
        let name: Name = text.parse().unwrap();
        assert_eq!((tagged.to_owned(), format!("{pinned}@{digest}")), (name.tagged(), name.pinned(&digest)));
    };
    let version = env!("CARGO_PKG_VERSION");
    check("registry.example.com/a/serin:1.2", "registry.example.com/a/serin:1.2", "registry.example.com/a/serin");
    check("oci://localhost:5000/serin:latest", "localhost:5000/serin:latest", "localhost:5000/serin");
    check("localhost:5000/serin", &format!("localhost:5000/serin:{version}"), "localhost:5000/serin");
    check("foo/serin:RC1", "docker.io/foo/serin:RC1", "docker.io/foo/serin");
    check("Foo.example/serin:1", "Foo.example/serin:1", "Foo.example/serin");
    check("Foo:5000/serin:1", "Foo:5000/serin:1", "Foo:5000/serin");
    let refused = |text: &str, part: &str| {
        let error = text.parse::<Name>().expect_err(part).to_string();
        assert!(error.contains(part), "{error} has no `{part}`");
    };
    refused("", "expected a name such as");
    refused("https://registry.example.com/serin", "expected a name such as");
    refused(&format!("a/b@{digest}"), "expected a tag, or none");
    refused("Foo/serin", "the repository `Foo/serin` has capitals");
    refused("Serin:1", "the repository `Serin` has capitals");
    refused("oci://registry.example.com/team/Serin:1", "the repository `team/Serin` has capitals");
    refused("localhost:5000/Serin", "the repository `Serin` has capitals");
    refused("localhost/Serin", "the repository `Serin` has capitals");
}

/// The facts of our image, with manifests that have a blank.
fn facts(folder: &Path) -> Facts {
    write(&packed(), folder);
    let name: Name = "registry.example.com/team/serin:1".parse().unwrap();
    let mut facts = Facts::new(folder, &layout::read(folder).unwrap(), Some(&name)).unwrap();
    let blanks = vec![Blank { file: "job/b.yaml".into(), line: 21, value: "kubectl@sha256:0".to_owned() }];
    facts.filled_in(Path::new("out"), Filled { files: vec!["istio/a.yaml".into()], blanks });
    facts
}

#[test]
fn facts_are_json_too() {
    let folder = tempdir().unwrap();
    let facts = facts(folder.path());
    let digest = packed().manifest.digest;
    let expected = json!({
        "layout": folder.path(),
        "image": {
            "name": "registry.example.com/team/serin:1",
            "digest": digest.to_string(),
            "url": format!("oci://registry.example.com/team/serin@{digest}"),
        },
        "module": {"sha256": image::digest(&filter()).unwrap().digest(), "bytes": filter().len()},
        "manifests": {
            "folder": "out",
            "files": ["istio/a.yaml"],
            "blanks": [{"file": "job/b.yaml", "line": 21, "value": "kubectl@sha256:0"}],
        },
    });
    assert_eq!(expected, facts.json());
    assert!(facts.to_string().contains("by hand, in out\n  job/b.yaml:21: kubectl@sha256:0\n"), "{facts}");
}

/// Takes the first line alone, as `head -1` does.
struct Closing(ErrorKind, Vec<u8>);

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.contains(&b'\n') { Err(self.0.into()) } else { self.1.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_reads_the_first_line_alone_causes_no_failure() {
    let folder = tempdir().unwrap();
    let facts = facts(folder.path());
    let check = |kind: ErrorKind, expected: Result<(), ErrorKind>| {
        let mut out = Closing(kind, Vec::new());
        assert_eq!(expected, print(&facts, &mut out).map_err(|error| error.kind()));
        assert_eq!(format!("{}\n", folder.path().display()), String::from_utf8(out.1).unwrap());
    };
    check(ErrorKind::BrokenPipe, Ok(()));
    check(ErrorKind::StorageFull, Err(ErrorKind::StorageFull));
}

/// Whoever builds with the Dockerfile gets an image that says the same, and has the file that is looked for.
#[test]
fn the_dockerfile_has_our_labels_and_copies_the_file_that_is_looked_for() {
    let text = fs::read_to_string(crate::workspace::root().join("manifests/oci/Dockerfile")).unwrap();
    for (key, value) in labels(&[]).unwrap() {
        assert!(text.contains(&format!("{key}=\"{value}\"")), "{key} is not {value}");
    }
    let instructions = text.lines().filter(|line| !line.starts_with([' ', '#', 'L']));
    assert_eq!(vec!["FROM scratch", "COPY plugin.wasm ./plugin.wasm"], instructions.collect::<Vec<_>>());
}
