//! Names of HTTP headers that a document may mention.

use std::borrow::Cow;

/// The name of a header, in lower case: a token of RFC 9110 §5.6.2, so never a pseudo-header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(Cow<'static, str>);

impl HeaderName {
    /// The version header, unless the document names another.
    pub const X_CANARY_VERSION: Self = Self(Cow::Borrowed("x-canary-version"));

    /// The name in lower case; `None` if it is not a token or longer than 256 bytes.
    pub fn new(name: &str) -> Option<Self> {
        const LONGEST: usize = 256;
        let valid = !name.is_empty() && name.len() <= LONGEST && name.bytes().all(is_token_byte);
        valid.then(|| Self(Cow::Owned(name.to_ascii_lowercase())))
    }

    /// The name, in lower case.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, in lower case.
    pub(crate) fn into_string(self) -> String {
        self.0.into_owned()
    }

    /// Whether HTTP itself gives the header a meaning that no filter may overwrite or remove.
    pub(crate) fn is_reserved(&self) -> bool {
        const RESERVED: [&str; 25] = [
            "authorization",
            "cache-control",
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "cookie",
            "date",
            "forwarded",
            "host",
            "keep-alive",
            "location",
            "proxy-connection",
            "set-cookie",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "vary",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-request-id",
        ];
        RESERVED.contains(&self.as_str()) || self.as_str().starts_with("x-envoy-")
    }
}

/// `tchar` of RFC 9110 §5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(HeaderName::new("X-Canary").map(|name| name.as_str().to_owned()), Some("x-canary".into()));
        for bad in ["", ":path", "a b", "a\r\n", "é", &"x".repeat(257)] {
            assert_eq!(HeaderName::new(bad), None, "{bad:?}");
        }
        assert!(HeaderName::new("Cookie").is_some_and(|name| name.is_reserved()));
    }
}
