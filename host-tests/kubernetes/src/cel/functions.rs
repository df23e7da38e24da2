//! What Kubernetes adds to the language, as far as rules use it: URLs.

use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, ExecutionError, Value};
use url::Url;

/// The functions that [`add`] adds.
pub(super) const NAMES: [&str; 3] = ["isURL", "url", "getScheme"];

/// Adds the functions. A URL is passed on as its text, which no rule can tell from what it stands for.
pub(super) fn add(context: &mut Context<'_, '_>) {
    let is_url = |text: Arc<String>| scheme(&text).is_some();
    let url = |text: Arc<String>| match scheme(&text) {
        Some(_) => Ok(Value::String(text)),
        None => Err(ExecutionError::function_error("url", format!("{text} is no URL"))),
    };
    let get_scheme = |This(url): This<Arc<String>>| Value::from(scheme(&url).unwrap_or_default());
    let added = [
        context.add_function("isURL", is_url),
        context.add_function("url", url),
        context.add_function("getScheme", get_scheme),
    ];
    debug_assert!(added.iter().all(Result::is_ok), "{added:?}");
}

/// The scheme of a URL; empty for an absolute path, which counts as one for Kubernetes (Go's `url.ParseRequestURI`).
fn scheme(text: &str) -> Option<String> {
    let is_plain = !text.contains(|one: char| one.is_ascii_control() || one == ' ');
    match Url::parse(text) {
        _ if !is_plain => None,
        _ if text.starts_with('/') => Some(String::new()),
        Ok(url) => Some(url.scheme().to_owned()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::scheme;

    #[test]
    fn schemes_are_told_as_kubernetes_does() {
        for (text, expected) in [
            ("oci://registry.example.com/serin@sha256:00", Some("oci")),
            ("file:///etc/serin.wasm", Some("file")),
            ("HTTPS://example.com", Some("https")),
            ("http://registry.example.com:5000/serin:v1", Some("http")),
            ("registry.example.com:5000/serin", Some("registry.example.com")),
            ("/serin", Some("")),
            ("registry.example.com/serin", None),
            ("http://registry.example.com:port/serin", None),
            ("oci://registry example.com", None),
            ("", None),
        ] {
            assert_eq!(scheme(text).as_deref(), expected, "{text}");
        }
    }
}
