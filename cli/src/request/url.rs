//! URLs, of which a proxy sees the host and the path.

use http::Uri;

use crate::failure::Failure;

/// A URL in its parts, each as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Url {
    /// `http` or `https`.
    pub(crate) scheme: String,
    /// The name and the password before the host, if there are some.
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    /// With the query string.
    pub(crate) path: String,
    /// What stands behind `#`, with it; a client does not send it.
    pub(crate) fragment: String,
}

impl Url {
    /// Reads a URL; one without a scheme has this one.
    pub(crate) fn read(text: &str, scheme: &str) -> Result<Self, Failure> {
        let has_scheme = text.split_once("://").is_some_and(|(before, _)| !before.contains(['/', '?', '#']));
        let whole = if has_scheme { text.to_owned() } else { format!("{scheme}://{text}") };
        let (sent, fragment) = whole.split_at(whole.find('#').unwrap_or(whole.len()));
        let wrong = |why: &str| Failure::new(format!("{text:?} is no URL of a page: {why}"));
        let parsed: Uri = sent.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        let scheme = parsed.scheme_str().unwrap_or_default().to_owned();
        if !matches!(&*scheme, "http" | "https") {
            return Err(wrong(&format!("found {scheme}; expected http or https")));
        }
        let host = parsed.authority().map_or("", |authority| authority.as_str());
        let (user, host) = host.rsplit_once('@').map_or((None, host), |(user, host)| (Some(user.to_owned()), host));
        let path = parsed.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('/') { "" } else { "/" };
        let (host, path, fragment) = (host.to_owned(), format!("{slash}{path}"), fragment.to_owned());
        Ok(Self { scheme, user, host, path, fragment })
    }

    /// The URL without the segments `.` and `..`, as browsers and curl ask for it.
    pub(crate) fn squashed(&self) -> Self {
        let (path, query) = self.path.split_at(self.path.find('?').unwrap_or(self.path.len()));
        let mut kept: Vec<&str> = Vec::new();
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "." => {}
                ".." => {
                    kept.pop();
                }
                other => kept.push(other),
            }
            if segments.peek().is_none() && matches!(segment, "." | "..") {
                kept.push("");
            }
        }
        Self { path: format!("/{}{query}", kept.join("/")), ..self.clone() }
    }

    /// The URL with this behind its query string.
    pub(crate) fn joined_by(&self, query: &str) -> Self {
        let mark = match self.path.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        Self { path: format!("{}{mark}{query}", self.path), ..self.clone() }
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

    /// A scheme is what stands before `://`, and not within a path or a query string; without a path there is the first page.
    #[test]
    fn parts() {
        #[track_caller]
        fn check(url: &str, scheme: &str, host: &str, path: &str) {
            let url = Url::read(url, "https").unwrap();
            assert_eq!((&*url.scheme, &*url.host, &*url.path), (scheme, host, path));
        }
        check("https://a.b?x=1", "https", "a.b", "/?x=1");
        check("http://a.b:8080?x=1#c", "http", "a.b:8080", "/?x=1");
        check("a.b/?next=https://c/", "https", "a.b", "/?next=https://c/");
        check("a.b?next=http://c/", "https", "a.b", "/?next=http://c/");
        check("a.b/http://c/", "https", "a.b", "/http://c/");
        check("a.b#http://c/", "https", "a.b", "/");
        check("a.b:8080/c", "https", "a.b:8080", "/c");
        check("HTTP://a.b/", "http", "a.b", "/");
        check("http://xn--bcher-kva.example/", "http", "xn--bcher-kva.example", "/");
        check("http://[::1]:8080", "http", "[::1]:8080", "/");
        check("http://u:p@a.b/", "http", "a.b", "/");
    }

    #[test]
    fn segments_that_lead_up() {
        #[track_caller]
        fn check(path: &str, expected: &str) {
            assert_eq!(Url::read(&format!("http://a{path}"), "http").unwrap().squashed().path, expected);
        }
        check("/x/../cart", "/cart");
        check("/a/../../b/.", "/b/");
        check("/a//../b/..", "/a/");
        check("/a//b/", "/a//b/");
        check("/..", "/");
        check("/a/.b/..c/%2e%2e", "/a/.b/..c/%2e%2e");
        check("/?a=/../b", "/?a=/../b");
    }

    #[test]
    fn what_is_none() {
        for text in ["ftp://a/", "http://", "http://a b/", "", "file:///etc/passwd"] {
            let error = Url::read(text, "https").unwrap_err();
            assert!(error.messages()[0].contains("is no URL of a page"), "{error:?}");
        }
    }
}
