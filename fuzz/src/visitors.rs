//! Browsers: what they send back of what they are given.

use serin_cli::Request;

/// The same request again, of a browser that has kept what it was given; nothing if it sent more than one `Cookie` line, which
/// browsers do not.
pub(crate) fn again(request: &Request, set_cookies: &[String]) -> Option<Request> {
    let mut again = request.clone();
    let mut lines = again.headers.iter_mut().filter(|(name, _)| name == "cookie");
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return None;
    }
    let sent = first.as_ref().map(|(_, line)| line.clone()).unwrap_or_default();
    let kept = kept(&sent, set_cookies);
    match first {
        Some((_, line)) => *line = kept,
        None => again.headers.push(("cookie".to_owned(), kept)),
    }
    Some(again)
}

/// The new cookies, and those of the others whose place they do not take.
fn kept(sent: &[u8], set_cookies: &[String]) -> Vec<u8> {
    let pairs = || set_cookies.iter().map(|line| line.split(';').next().unwrap_or_default());
    let names: Vec<&[u8]> = pairs().map(|pair| pair.split('=').next().unwrap_or_default().as_bytes()).collect();
    let new = pairs().filter(|pair| !pair.ends_with('=')).map(|pair| pair.as_bytes().to_vec());
    let old = sent.split(|byte| *byte == b';').filter(|part| {
        let named = crate::lines::names(part);
        !named.iter().any(|name| names.contains(name))
    });
    new.chain(old.map(<[u8]>::to_vec)).collect::<Vec<_>>().join(&b"; "[..])
}
