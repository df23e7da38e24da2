//! Where an image is in a registry.

use std::str::FromStr;

use anyhow::{Error, Result, bail};
use oci_spec::distribution::Reference;
use oci_spec::image::Digest;

/// Registry, repository and tag.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    repository: String,
    tag: String,
}

impl Name {
    /// The made-up name of the manifests.
    pub(crate) fn example() -> Self {
        Self { repository: super::manifests::REPOSITORY.to_owned(), tag: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// With its tag, which is for people.
    pub(crate) fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// With the digest in place of the tag: this image and no other.
    pub(crate) fn pinned(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repository)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.strip_prefix("oci://").unwrap_or(text);
        if let Some(repository) = repository(text).filter(|path| path.contains(char::is_uppercase)) {
            bail!(
                "the repository `{repository}` has capitals, which no registry accepts; expected lower case, and before it a \
                 host, which has a dot or a port, or is localhost"
            );
        }
        let reference: Reference = match text.parse() {
            Ok(reference) => reference,
            Err(error) => bail!("{error}; expected a name such as {}", Self::example().tagged()),
        };
        if reference.digest().is_some() {
            bail!("a digest is what is found out here; expected a tag, or none");
        }
        let path = text.rsplit('/').next().unwrap_or(text);
        let tag = reference.tag().filter(|_| path.contains(':')).unwrap_or(env!("CARGO_PKG_VERSION"));
        Ok(Self { repository: format!("{}/{}", reference.registry(), reference.repository()), tag: tag.to_owned() })
    }
}

/// What follows the host, if there is one, without tag and digest.
fn repository(text: &str) -> Option<&str> {
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
    let path = text.split_once('/').filter(|(host, _)| is_host(host)).map_or(text, |(_, path)| path);
    path.split([':', '@']).next()
}
