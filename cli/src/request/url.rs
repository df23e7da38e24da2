//! URLs, of which a proxy sees the host and the path.

use http::Uri;

use crate::failure::Failure;

/// A URL in its parts, each as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Url {
    /// `http` or `https`.
    pub(crate) scheme: String,
    pub(crate) host: String,
    /// With the query string.
    pub(crate) path: String,
    /// What stands behind `#`, with it; a client does not send it.
    pub(crate) fragment: String,
}

impl Url {
    /// Reads a URL; one without a scheme has this one.
    pub(crate) fn read(text: &str, scheme: &str) -> Result<Self, Failure> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
        let (sent, fragment) = whole.split_at(whole.find('#').unwrap_or(whole.len()));
        let wrong = |why: &str| Failure::new(format!("{text:?} is no URL of a page: {why}"));
        let parsed: Uri = sent.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        let scheme = parsed.scheme_str().unwrap_or_default().to_owned();
        if !matches!(&*scheme, "http" | "https") {
            return Err(wrong(&format!("found {scheme}; expected http or https")));
        }
        let host = parsed.authority().map_or("", |authority| authority.as_str());
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_owned();
        let path = parsed.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { scheme, host, path, fragment: fragment.to_owned() })
    }

    /// The URL with this parameter in the place of any of the name.
    pub(crate) fn with_query(&self, name: &str, value: &str) -> Self {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
        let ours = format!("{name}={value}");
        let pairs: Vec<&str> = query.split('&').filter(is_other).chain([&*ours]).collect();
        Self { path: format!("{path}?{}", pairs.join("&")), ..self.clone() }
    }

    /// The URL as one text.
    pub(crate) fn text(&self) -> String {
        format!("{}://{}{}{}", self.scheme, self.host, self.path, self.fragment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_set() {
        #[track_caller]
        fn check(url: &str, expected: &str) {
            assert_eq!(Url::read(url, "https").unwrap().with_query("canary", "v2").text(), expected);
        }
        check("a.example.com", "https://a.example.com/?canary=v2");
        check("http://a:8080/b?c=d", "http://a:8080/b?c=d&canary=v2");
        check("https://a/b?canary=v1&c=d#e?f", "https://a/b?c=d&canary=v2#e?f");
        check("https://a/?canary&canary=x", "https://a/?canary=v2");
        check("https://me@a/#top", "https://a/?canary=v2#top");
    }

    #[test]
    fn what_is_none() {
        for text in ["ftp://a/", "http://", "http://a b/", "", "file:///etc/passwd"] {
            let error = Url::read(text, "https").unwrap_err();
            assert!(error.messages()[0].contains("is no URL of a page"), "{error:?}");
        }
    }
}
