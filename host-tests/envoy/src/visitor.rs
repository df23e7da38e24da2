//! A visitor who keeps cookies as a browser does.

use anyhow::{Context, Result};
use cookie_store::{CookieStore, RawCookie};
use hyper::Request;
use hyper::header::{COOKIE, HOST, SET_COOKIE};
use url::Url;

use crate::client::{Connection, Reply};

/// One visitor of one site, with the cookies that the site gave.
#[derive(Debug)]
pub struct Visitor {
    site: Url,
    cookies: CookieStore,
}

impl Visitor {
    /// A visitor of `http://<host>/` without cookies.
    ///
    /// # Errors
    /// If `host` is no host name.
    pub fn of(host: &str) -> Result<Self> {
        let site = Url::parse(&format!("http://{host}/")).with_context(|| format!("{host:?} is no host name"))?;
        Ok(Self { site, cookies: CookieStore::default() })
    }

    /// Asks for `path` (which may have a query), over any connection, and keeps the cookies of the answer.
    /// `headers` are sent as well; a `cookie` among them goes into a line of its own.
    ///
    /// # Errors
    /// As [`Connection::get`]; also if `path` is none.
    pub async fn get(&mut self, connection: &mut Connection, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        let page = self.site.join(path).with_context(|| format!("{path:?} is no path"))?;
        let mut request = Request::get(path).header(HOST, self.site.host_str().unwrap_or_default());
        let cookies = self.cookie_line(&page);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let reply = connection.get(request).await?;
        let given = reply.headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        let given = given.filter_map(|line| RawCookie::parse(line.to_owned()).ok());
        self.cookies.store_response_cookies(given, &page);
        Ok(reply)
    }

    /// Takes a cookie from elsewhere, as another page of the site could have set it.
    ///
    /// # Errors
    /// If it is no cookie.
    pub fn set_cookie(&mut self, name: &str, value: &str) -> Result<()> {
        let line = format!("{name}={value}; path=/");
        self.cookies.parse(&line, &self.site).with_context(|| format!("{line:?} is no cookie"))?;
        Ok(())
    }

    /// The value of the cookie `name` that the site's front page would be sent.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get_request_values(&self.site).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn cookie_line(&self, page: &Url) -> String {
        let pairs = self.cookies.get_request_values(page).map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }
}
