//! Copies of the manifests, with the image that they are to run in place of the made-up one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The made-up image of the manifests.
pub(crate) const REPOSITORY: &str = "registry.example.com/serin";

/// What was filled in.
#[derive(Default)]
pub(crate) struct Filled {
    /// The files with the image in them.
    pub(crate) files: Vec<PathBuf>,
    /// What only the reader can fill in, in these and other files.
    pub(crate) blanks: Vec<Blank>,
}

/// A made-up digest of an image that is not ours.
#[derive(Debug, PartialEq)]
pub(crate) struct Blank {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) value: String,
}

/// Copies every folder of `manifests` with the made-up image in it to `to`, and fills in `image`.
///
/// What people read stays behind: it is about the files in the repository.
///
/// # Errors
/// If one of the files is there already, if a file has the made-up name in another form, or if there is nothing to fill in.
pub(crate) fn fill_in(manifests: &Path, to: &Path, image: &str) -> Result<Filled> {
    let mut copies = Vec::new();
    for folder in entries(manifests)?.into_iter().filter(|path| path.is_dir()) {
        let folder = self::copies(&folder, manifests, image)?;
        if folder.iter().any(|copy| copy.filled) {
            copies.extend(folder);
        }
    }
    // Only then is anything written.
    if let Some(there) = copies.iter().map(|copy| to.join(&copy.path)).find(|path| path.exists()) {
        bail!("{} is there already, maybe with changes of yours; expected a new folder", there.display());
    }
    let mut filled = Filled::default();
    for copy in copies {
        let path = to.join(&copy.path);
        write(&path, &copy.bytes).with_context(|| format!("cannot write {}", path.display()))?;
        filled.blanks.extend(blanks(&copy));
        filled.files.extend(copy.filled.then_some(copy.path));
    }
    if filled.files.is_empty() {
        bail!("no file below {} has {}", manifests.display(), placeholder());
    }
    Ok(filled)
}

struct Copy {
    path: PathBuf,
    bytes: Vec<u8>,
    filled: bool,
}

fn copies(folder: &Path, manifests: &Path, image: &str) -> Result<Vec<Copy>> {
    let mut copies = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            copies.extend(self::copies(&path, manifests, image)?);
        } else if path.extension().is_none_or(|extension| extension != "md") {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = filled(&bytes, image).with_context(|| path.display().to_string())?;
            let filled = text.is_some();
            let bytes = text.map_or(bytes, String::into_bytes);
            copies.push(Copy { path: path.strip_prefix(manifests)?.to_path_buf(), bytes, filled });
        }
    }
    Ok(copies)
}

/// The text with the image in it, if there was a place for it.
fn filled(bytes: &[u8], image: &str) -> Result<Option<String>> {
    let Ok(text) = str::from_utf8(bytes) else { return Ok(None) };
    let placeholder = placeholder();
    for (number, line) in text.lines().enumerate() {
        if line.replace(&placeholder, "").contains(REPOSITORY) {
            bail!("line {} has {REPOSITORY} in a form that is not known here; expected {placeholder}", number + 1);
        }
    }
    Ok(text.contains(&placeholder).then(|| text.replace(&placeholder, image)))
}

/// Each word with a made-up digest that is in the copy still.
fn blanks(copy: &Copy) -> Vec<Blank> {
    let (text, zeros) = (str::from_utf8(&copy.bytes).unwrap_or_default(), zeros());
    let of_line = |(number, line): (usize, &str)| {
        let words = line.split([' ', '\t', '"', '\'', ',', '{', '}']).filter(|word| word.contains(&zeros));
        words
            .map(|word| Blank { file: copy.path.clone(), line: number + 1, value: word.to_owned() })
            .collect::<Vec<_>>()
    };
    text.lines().enumerate().flat_map(of_line).collect()
}

fn placeholder() -> String {
    format!("{REPOSITORY}@sha256:{}", zeros())
}

/// The digest that nothing has.
fn zeros() -> String {
    "0".repeat(64)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, bytes)
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = read().with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn manifests_are_copied_with_the_image_filled_in() {
        let [from, to] = [tempdir().unwrap(), tempdir().unwrap()];
        let placeholder = format!("registry.example.com/serin@sha256:{:064}", 0);
        let put = |path: &str, text: &str| {
            let path = from.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("a/plugin.yaml", &format!("url: oci://{placeholder}\n# {placeholder}\n"));
        let kubectl = format!("registry.example.com/kubectl@sha256:{:064}", 0);
        let job = format!("kind: Job\nimage: {{url: \"{kubectl}\"}}\n");
        put("a/deep/job.yaml", &job);
        put("a/README.md", &placeholder);
        put("b/other.yaml", "kind: Service\n");
        let filled = fill_in(from.path(), to.path(), "example.com/s@sha256:1").unwrap();
        assert_eq!(vec![Path::new("a/plugin.yaml")], filled.files);
        assert_eq!(vec![Blank { file: "a/deep/job.yaml".into(), line: 2, value: kubectl }], filled.blanks);
        let read = |path: &str| fs::read_to_string(to.path().join(path)).ok();
        assert_eq!(
            Some("url: oci://example.com/s@sha256:1\n# example.com/s@sha256:1\n".to_owned()),
            read("a/plugin.yaml")
        );
        assert_eq!((Some(job), None), (read("a/deep/job.yaml"), read("a/README.md")));
        assert!(!to.path().join("b").exists());

        let refused = |to: &Path| format!("{:#}", fill_in(from.path(), to, "example.com/s").err().unwrap());
        assert!(refused(to.path()).contains("is there already"));
        put("a/later.yaml", "a: 1\nurl: oci://registry.example.com/serin:1.0\n");
        let error = refused(&to.path().join("new"));
        assert!(error.contains("later.yaml: line 2 has registry.example.com/serin in a form"), "{error}");
        assert!(!to.path().join("new").exists(), "nothing is written where something is wrong");
    }

    /// The manifests of this repository have the made-up image in the one form that is filled in, and what else is made up is told.
    #[test]
    fn no_made_up_image_is_left_in_our_manifests() {
        let to = tempdir().unwrap();
        let from = crate::workspace::root().join("manifests");
        let filled = fill_in(&from, to.path(), "example.com/s@sha256:1").unwrap();
        for path in filled.files {
            let text = fs::read_to_string(to.path().join(&path)).unwrap();
            assert!(text.contains("example.com/s@sha256:1") && !text.contains(&"0".repeat(64)), "{}", path.display());
        }
        let mut told: Vec<_> =
            filled.blanks.into_iter().map(|blank| (to.path().join(blank.file), blank.line)).collect();
        told.sort();
        assert_eq!(zeros(to.path()), told);
    }

    /// Each line below a folder with the digest that nothing has.
    fn zeros(folder: &Path) -> Vec<(PathBuf, usize)> {
        let mut found = Vec::new();
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                found.extend(zeros(&path));
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().enumerate().filter(|(_, line)| line.contains(&"0".repeat(64)));
            found.extend(lines.map(|(number, _)| (path.clone(), number + 1)));
        }
        found.sort();
        found
    }
}
