//! What of a curl line is about the request: URL, method, headers, cookies.

mod data;
mod options;
mod slips;
#[cfg(test)]
mod tests;

use clap::ArgMatches;
use data_encoding::BASE64;
use percent_encoding::percent_decode_str;

use super::Url;
use crate::failure::Failure;
pub(super) use slips::no_url;
use slips::{no_line, unread, why_unread};

/// What a curl line says about the request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Curl {
    pub(super) url: Option<Url>,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<String>,
    pub(super) cookies: Vec<String>,
}

impl Curl {
    /// Reads the words of a line that begins with `curl`, or the one word that is such a line.
    pub(super) fn read(words: &[String]) -> Result<Self, Failure> {
        let whole = match words {
            [line] if line.split(' ').next().is_some_and(|first| first != line && is_curl(first)) => shlex::split(line),
            words => Some(words.to_vec()),
        };
        let whole = whole.ok_or_else(|| unread("a quote is not closed"))?;
        if whole.first().is_none_or(|word| !is_curl(word)) {
            return Err(no_line(whole.first().map_or("", |word| word)));
        }
        let matches = options::command().try_get_matches_from(&whole).map_err(|error| why_unread(&whole, &error))?;
        if matches.get_flag("next") {
            return Err(Failure::new("the curl line has several requests, with --next between them; expected one"));
        }
        let (given, url) = (all(&matches, "header"), url(&matches)?);
        let mut cookies = all(&matches, "cookie");
        if let Some(file) = given.iter().chain(&cookies).find(|value| value.starts_with('@')) {
            return Err(Failure::new(format!("the curl line reads {file:?} from a file; expected what stands there")));
        }
        if let Some(file) = cookies.iter().find(|cookie| !cookie.contains('=')) {
            return Err(Failure::new(format!(
                "the curl line reads cookies from the file {file:?}; expected name=value"
            )));
        }
        // What is given takes the place of what curl sends itself, even if it is nothing.
        let is_given = |name: &str| given.iter().any(|header| name_of(header).eq_ignore_ascii_case(name));
        if is_given("cookie") {
            cookies.clear();
        }
        let own = own_headers(&matches, url.as_ref()).into_iter().filter(|(name, _)| !is_given(name));
        let own = own.map(|(name, value)| format!("{name}: {value}"));
        let headers = own.chain(given.iter().filter(|header| !is_nothing(header)).cloned()).collect();
        Ok(Self { url, method: one(&matches, "request").or_else(|| implied_method(&matches)), headers, cookies })
    }
}

/// Whether a word calls curl.
fn is_curl(word: &str) -> bool {
    !word.contains("://") && matches!(word.rsplit('/').next(), Some("curl" | "curl.exe"))
}

fn all(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

/// The last one counts.
fn one(matches: &ArgMatches, name: &str) -> Option<String> {
    all(matches, name).pop()
}

fn name_of(header: &str) -> &str {
    header.split([':', ';']).next().unwrap_or_default().trim()
}

/// Whether a header stands there so that it is not sent; an empty one is sent behind a semicolon.
fn is_nothing(header: &str) -> bool {
    header.split_once(':').is_some_and(|(_, value)| value.trim().is_empty())
}

fn implied_method(matches: &ArgMatches) -> Option<String> {
    let head = matches.get_flag("head").then_some("HEAD");
    let put = matches.contains_id("upload-file").then_some("PUT");
    let post = (data::has_body(matches) && !matches.get_flag("get")).then_some("POST");
    head.or(put).or(post).map(str::to_owned)
}

/// The URL as curl asks for it.
fn url(matches: &ArgMatches) -> Result<Option<Url>, Failure> {
    let urls: Vec<String> = all(matches, "url").into_iter().chain(all(matches, "to")).collect();
    if let [_, other, ..] = urls.as_slice() {
        return Err(Failure::new(format!("the curl line has another URL, {other:?}; expected one")));
    }
    let query = data::query(matches)?;
    let Some(text) = urls.first() else { return if query.is_some() { Err(no_url()) } else { Ok(None) } };
    let text = if matches.get_flag("globoff") { text.clone() } else { unglobbed(text)? };
    // Without a scheme curl takes http.
    let url = Url::read(&text, "http")?;
    let url = if matches.get_flag("path-as-is") { url } else { url.squashed() };
    Ok(Some(query.map_or_else(|| url.clone(), |query| url.joined_by(&query))))
}

/// Brackets and braces stand for several URLs, unless a backslash stands before them, as browsers copy them.
fn unglobbed(url: &str) -> Result<String, Failure> {
    const GLOBBED: [char; 4] = ['[', ']', '{', '}'];
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let behind = url.get(host..).unwrap_or_default().find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    let (mut text, mut escaped) = (url.get(..behind).unwrap_or_default().to_owned(), false);
    for character in url.get(behind..).unwrap_or_default().chars() {
        if GLOBBED.contains(&character) {
            if !escaped {
                return Err(unread(&format!("{character} in {url:?} stands for several URLs; expected --globoff")));
            }
            text.pop();
        }
        text.push(character);
        escaped = character == '\\';
    }
    Ok(text)
}

/// The headers that curl makes of its options, by their names.
fn own_headers(matches: &ArgMatches, url: Option<&Url>) -> Vec<(&'static str, String)> {
    let basic = |user: &[u8]| format!("Basic {}", BASE64.encode(user));
    let user = one(matches, "user").map(|user| if user.contains(':') { user } else { format!("{user}:") });
    let of_url = || Some(percent_decode_str(url?.user.as_ref()?).collect::<Vec<u8>>());
    let of_url = || of_url().map(|user| if user.contains(&b':') { user } else { [&user[..], b":"].concat() });
    let user = user.map(String::into_bytes).or_else(of_url);
    let bearer = one(matches, "oauth2-bearer").map(|token| format!("Bearer {token}"));
    let accept = if matches.contains_id("json") { "application/json" } else { "*/*" };
    let agent = one(matches, "user-agent").unwrap_or_else(|| "curl/8".to_owned());
    let referer = one(matches, "referer").map(|referer| referer.trim_end_matches(";auto").to_owned());
    let own = [
        ("accept", Some(accept.to_owned())),
        ("user-agent", Some(agent).filter(|agent| !agent.is_empty())),
        ("referer", referer.filter(|referer| !referer.is_empty())),
        ("authorization", bearer.or_else(|| user.map(|user| basic(&user)))),
        ("range", one(matches, "range").map(|range| format!("bytes={range}"))),
        ("accept-encoding", matches.get_flag("compressed").then(|| "deflate, gzip, br, zstd".to_owned())),
        ("content-type", data::content_type(matches).map(str::to_owned)),
    ];
    own.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
