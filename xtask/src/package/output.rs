//! Where a layout is written to, and how one that is there gives way.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The file by which a folder is known as a layout.
pub(crate) const MARK: &str = "oci-layout";

/// A folder that is new, is empty, or has an OCI layout in it.
pub(crate) struct Output {
    folder: PathBuf,
    parent: PathBuf,
    name: String,
}

impl Output {
    /// The folder that somebody who is `here`, which is absolute, names like this.
    ///
    /// # Errors
    /// If it has something else in it, or cannot be replaced.
    pub(crate) fn at(folder: &Path, here: &Path) -> Result<Self> {
        // Collected, since a path that ends in `/` or `/.` is the same folder, with names beside it and not in it.
        let absolute: PathBuf = std::path::absolute(here.join(folder))?.components().collect();
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            bail!("{} ends in no name; expected the name of a new folder, or of one with a layout", folder.display());
        };
        // A path that leads through the layout itself would end when that moves. What does not exist cannot be in the way.
        let parent = fs::canonicalize(parent).unwrap_or_else(|_| parent.to_path_buf());
        let output = Self { folder: parent.join(name), parent, name: name.to_string_lossy().into_owned() };
        output.check()?;
        if fs::canonicalize(here)?.starts_with(&output.folder) {
            bail!(
                "{} would be replaced while you are in it; expected to be called from elsewhere",
                output.folder.display()
            );
        }
        Ok(output)
    }

    /// The folder, as an absolute path.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has `write` fill a new folder, which then takes the place of what is there. Where that fails, all is as it was;
    /// only an old layout that cannot be deleted stays beside the new one.
    pub(crate) fn replace(&self, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.check()?;
        let partial = self.beside("partial");
        let replaced = fs::create_dir_all(&self.parent)
            .and_then(|()| fs::create_dir(&partial))
            .map_err(Into::into)
            .and_then(|()| write(&partial).and_then(|()| self.exchange(&partial)).inspect_err(|_| discard(&partial)));
        match replaced.with_context(|| format!("cannot write {}", self.folder.display()))? {
            // Last, when nothing depends on it any more.
            Some(old) => fs::remove_dir_all(&old)
                .with_context(|| format!("{} is new, but {} cannot be deleted", self.folder.display(), old.display())),
            None => Ok(()),
        }
    }

    /// Puts the new layout in its place, and tells where the old one is now.
    fn exchange(&self, partial: &Path) -> Result<Option<PathBuf>> {
        if !self.folder.exists() {
            fs::rename(partial, &self.folder)?;
            return Ok(None);
        }
        let old = self.beside("old");
        fs::rename(&self.folder, &old)?;
        if let Err(error) = fs::rename(partial, &self.folder) {
            fs::rename(&old, &self.folder).with_context(|| format!("{error}; what was there is {}", old.display()))?;
            return Err(error.into());
        }
        Ok(Some(old))
    }

    /// A name of this process alone: whatever is beside the folder belongs to somebody.
    fn beside(&self, what: &str) -> PathBuf {
        self.folder.with_file_name(format!("{}.{what}-{}", self.name, std::process::id()))
    }

    fn check(&self) -> Result<()> {
        let folder = &self.folder;
        if let Ok(target) = fs::read_link(folder) {
            let (link, target) = (folder.display(), target.display());
            bail!("{link} is a symbolic link to {target}, and would become a folder; expected the folder itself");
        }
        let something = fs::read_dir(folder).map_or(folder.exists(), |mut entries| entries.next().is_some());
        if something && !folder.join(MARK).is_file() {
            bail!("{} is there and is no OCI layout, so it stays as it is; expected a new folder", folder.display());
        }
        Ok(())
    }
}

/// What is left of a failure, which is told; a second one beside it would only hide it.
fn discard(partial: &Path) {
    let _ = fs::remove_dir_all(partial);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a folder, each file with its text.
    fn tree(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => found.extend(tree(&entry)),
                false => found.push(format!("{} {}", entry.display(), fs::read_to_string(&entry).unwrap())),
            }
        }
        found.sort();
        found
    }

    fn put(folder: &Path, text: &str) -> Result<()> {
        Ok(fs::write(folder.join(MARK), text)?)
    }

    /// A folder with a layout in `x`, a link to it, another folder, and a neighbour by a name that once was deleted.
    fn site() -> tempfile::TempDir {
        let here = tempfile::tempdir_in(fs::canonicalize(std::env::temp_dir()).unwrap()).unwrap();
        for folder in ["x/blobs", "empty", "other", "x.partial"] {
            fs::create_dir_all(here.path().join(folder)).unwrap();
        }
        put(&here.path().join("x"), "old").unwrap();
        fs::write(here.path().join("x/blobs/old"), "old").unwrap();
        fs::write(here.path().join("other/thesis.txt"), "irreplaceable").unwrap();
        fs::write(here.path().join("x.partial/thesis.txt"), "irreplaceable").unwrap();
        std::os::unix::fs::symlink("x", here.path().join("link")).unwrap();
        here
    }

    #[test]
    fn a_layout_is_written_to_the_folder_however_its_path_is_written() {
        let check = |given: &str, folder: &str| {
            let site = site();
            let here = site.path();
            let rest = |tree: Vec<String>| -> Vec<_> {
                let ours = format!("{}/", here.join(folder).display());
                tree.into_iter().filter(|line| !line.starts_with(&ours) && !line.contains("/link/")).collect()
            };
            let before = rest(tree(here));
            let output = Output::at(Path::new(given), here).unwrap();
            assert_eq!(here.join(folder), output.folder(), "{given}");
            output.replace(|partial| put(partial, "new")).unwrap();
            let mark = here.join(folder).join(MARK);
            assert_eq!(vec![format!("{} new", mark.display())], tree(&here.join(folder)), "{given}");
            assert_eq!(before, rest(tree(here)), "{given}: nothing else is touched, or left behind");
        };
        for given in ["x", "x/", "x//", "x/.", "./x", "x/blobs/../../x"] {
            check(given, "x");
        }
        for given in ["new", "new/", "./new/."] {
            check(given, "new");
        }
        check("deep/er/", "deep/er");
        check("empty/", "empty");
    }

    #[test]
    fn what_cannot_be_replaced_is_refused_with_the_reason() {
        let site = site();
        let check = |given: &str, within: &str, part: &str| {
            let before = tree(site.path());
            let error = Output::at(Path::new(given), &site.path().join(within)).err().expect(part).to_string();
            assert!(error.contains(part), "{error} has no `{part}`");
            assert_eq!(before, tree(site.path()));
        };
        check("/", "", "ends in no name");
        check("x/..", "", "ends in no name");
        check("..", "x", "ends in no name");
        check(".", "x", "x would be replaced while you are in it");
        check("../../x/", "x/blobs", "x would be replaced while you are in it");
        check("", "x", "x would be replaced while you are in it");
        check("link", "", "link is a symbolic link to x");
        check("link/", "", "link is a symbolic link to x");
        check("other/", "", "other is there and is no OCI layout");
        check("other/thesis.txt", "", "thesis.txt is there and is no OCI layout");
    }

    #[test]
    fn a_failure_loses_nothing() {
        let site = site();
        let check = |given: &str, write: &dyn Fn(&Path) -> Result<()>, part: &str| {
            let before = tree(site.path());
            let output = Output::at(Path::new(given), site.path()).unwrap();
            let error = format!("{:#}", output.replace(write).expect_err(part));
            assert!(error.contains("cannot write") && error.contains(part), "{error} has no `{part}`");
            assert_eq!(before, tree(site.path()));
        };
        let full = |partial: &Path| put(partial, "half").and_then(|()| bail!("no space left"));
        check("x/", &full, "no space left");
        check("new/", &full, "no space left");
        // The old layout is aside already when this one fails.
        check("x", &|partial| Ok(fs::remove_dir_all(partial)?), "No such file");
        check("other/thesis.txt/new", &|_| Ok(()), "cannot write");
    }
}
