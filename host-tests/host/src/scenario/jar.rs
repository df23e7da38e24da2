//! The cookies of a visitor: as much of a browser's store as scenarios need, the same for every host.

use super::outcome::SetCookie;

/// What one visitor keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar {
    cookies: Vec<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    name: String,
    path: String,
    value: Vec<u8>,
}

impl Jar {
    /// The `cookie` header for this path, if anything is kept for it.
    pub fn line(&self, path: &[u8]) -> Option<Vec<u8>> {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let sent = self.cookies.iter().filter(|kept| kept.covers(path));
        let pairs: Vec<Vec<u8>> = sent.map(|kept| [kept.name.as_bytes(), b"=", &kept.value].concat()).collect();
        Some(pairs.join(&b"; "[..])).filter(|line| !line.is_empty())
    }

    /// Takes the cookies that a response sets; those with a `max-age` of 0 or less go.
    pub fn keep(&mut self, lines: &[Vec<u8>]) {
        for cookie in lines.iter().filter_map(|line| SetCookie::parse(line)) {
            let path = cookie.attribute("path").filter(|path| path.starts_with('/')).unwrap_or_else(|| "/".to_owned());
            self.cookies.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &path));
            if cookie.attribute("max-age").and_then(|age| age.parse::<i64>().ok()).is_none_or(|age| age > 0) {
                self.cookies.push(Kept { name: cookie.name, path, value: cookie.value });
            }
        }
    }
}

impl Kept {
    fn covers(&self, path: &[u8]) -> bool {
        match path.strip_prefix(self.path.as_bytes()) {
            Some(rest) => rest.is_empty() || self.path.ends_with('/') || rest.starts_with(b"/"),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_keeps_what_a_browser_would() {
        let mut jar = Jar::default();
        let mut check = |line: &str, path: &str, sent: Option<&str>| {
            jar.keep(&[line.as_bytes().to_vec()]);
            assert_eq!(sent.map(|line| line.as_bytes().to_vec()), jar.line(path.as_bytes()), "{line} {path}");
        };
        check("a=1; Path=/", "/x", Some("a=1"));
        check("b=2; path=/shop; secure", "/x", Some("a=1"));
        check("no cookie", "/shop/cart?q", Some("a=1; b=2"));
        check("a=3; path=/", "/shopping", Some("a=3"));
        check("a=; path=/; Max-Age=0", "/shop", Some("b=2"));
        check("b=; path=/shop; max-age=-1", "/shop", None);
    }
}
