//! What of a curl line is about the request: URL, method, headers, cookies.

use clap::{Arg, ArgAction, Command, CommandFactory};
use data_encoding::BASE64;
use serin_core::nearest;

use crate::args::Cli;
use crate::failure::Failure;

/// What a curl line says about the request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Curl {
    pub(super) url: Option<String>,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<String>,
    pub(super) cookies: Vec<String>,
}

/// Options with a value that do not matter to a decision, by their long and short names.
const IGNORED: [(&str, char); 22] = [
    ("output", 'o'),
    ("max-time", 'm'),
    ("write-out", 'w'),
    ("proxy", 'x'),
    ("cookie-jar", 'c'),
    ("dump-header", 'D'),
    ("cert", 'E'),
    ("range", 'r'),
    ("cacert", ' '),
    ("key", ' '),
    ("pass", ' '),
    ("connect-timeout", ' '),
    ("resolve", ' '),
    ("connect-to", ' '),
    ("retry", ' '),
    ("retry-delay", ' '),
    ("max-redirs", ' '),
    ("limit-rate", ' '),
    ("interface", ' '),
    ("unix-socket", ' '),
    ("ciphers", ' '),
    ("capath", ' '),
];

/// Options without a value that do not matter to a decision.
const FLAGS: [(&str, char); 28] = [
    ("silent", 's'),
    ("show-error", 'S'),
    ("verbose", 'v'),
    ("insecure", 'k'),
    ("location", 'L'),
    ("include", 'i'),
    ("fail", 'f'),
    ("fail-with-body", ' '),
    ("globoff", 'g'),
    ("progress-bar", '#'),
    ("no-buffer", 'N'),
    ("no-progress-meter", ' '),
    ("remote-name", 'O'),
    ("remote-header-name", 'J'),
    ("ipv4", '4'),
    ("ipv6", '6'),
    ("http1.0", '0'),
    ("http1.1", ' '),
    ("http2", ' '),
    ("http2-prior-knowledge", ' '),
    ("http3", ' '),
    ("compressed", ' '),
    ("path-as-is", ' '),
    ("tlsv1.2", ' '),
    ("tlsv1.3", ' '),
    ("no-keepalive", ' '),
    ("junk-session-cookies", 'j'),
    ("location-trusted", ' '),
];

/// Options whose value is a body, so that the method is POST.
const BODIES: [(&str, char); 8] = [
    ("data", 'd'),
    ("data-raw", ' '),
    ("data-binary", ' '),
    ("data-urlencode", ' '),
    ("data-ascii", ' '),
    ("form", 'F'),
    ("form-string", ' '),
    ("json", ' '),
];

impl Curl {
    /// Reads the words of a line that begins with `curl`, or the one word that is such a line.
    pub(super) fn read(words: &[String]) -> Result<Self, Failure> {
        let whole = match words {
            [line] if line.starts_with("curl ") => shlex::split(line),
            words => Some(words.to_vec()),
        };
        let whole = whole.ok_or_else(|| Failure::new("the curl line cannot be read: a quote is not closed"))?;
        if whole.first().is_none_or(|word| word != "curl") {
            return Err(no_line(whole.first().map_or("", |word| word)));
        }
        let matches = command().try_get_matches_from(&whole).map_err(|error| why_unread(&whole, &error))?;
        let all = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
        let one = |name: &str| all(name).pop();
        let has_body = BODIES.iter().any(|(name, _)| matches.contains_id(name));
        let implied = || {
            let head = matches.get_flag("head").then_some("HEAD");
            let put = matches.contains_id("upload-file").then_some("PUT");
            head.or(put).or((has_body && !matches.get_flag("get")).then_some("POST")).map(str::to_owned)
        };
        let mut headers = vec!["accept: */*".to_owned(), "user-agent: curl/8".to_owned()];
        headers.extend(one("user-agent").map(|agent| format!("user-agent: {agent}")));
        headers.extend(one("referer").map(|referer| format!("referer: {referer}")));
        headers.extend(one("user").map(|user| format!("authorization: Basic {}", BASE64.encode(user.as_bytes()))));
        headers.extend(one("oauth2-bearer").map(|token| format!("authorization: Bearer {token}")));
        headers.extend(all("header"));
        let headers = last_of_each(headers);
        if let Some(file) = headers.iter().chain(&all("cookie")).find(|value| value.starts_with('@')) {
            return Err(Failure::new(format!("the curl line reads {file:?} from a file; expected what stands there")));
        }
        let cookies = all("cookie");
        if let Some(file) = cookies.iter().find(|cookie| !cookie.contains('=')) {
            return Err(Failure::new(format!(
                "the curl line reads cookies from the file {file:?}; expected name=value"
            )));
        }
        let urls: Vec<String> = all("url").into_iter().chain(all("to")).collect();
        if let [_, other, ..] = urls.as_slice() {
            return Err(Failure::new(format!("the curl line has another URL, {other:?}; expected one")));
        }
        Ok(Self { url: urls.into_iter().next(), method: one("request").or_else(implied), headers, cookies })
    }
}

/// Why there is no curl line where something stands that is not an option.
fn no_line(found: &str) -> Failure {
    let options = options();
    let meant = found.strip_prefix("--").and_then(|name| nearest(name, options.iter().map(String::as_str)));
    let is_of_curl = || command().get_arguments().any(|arg| is_named(arg, found));
    Failure::new(match meant {
        Some(name) => format!("there is no option {found}; did you mean --{name}?"),
        None if is_of_curl() => {
            format!("{found} is an option of curl; expected it in a curl line, such as curl {found} … URL")
        }
        None if found.contains("://") => format!("{found:?} stands alone; expected --url or curl before it"),
        None => format!("there is no option {found:?}; expected one, or a line that begins with curl, behind the FILE"),
    })
}

fn is_named(arg: &Arg, found: &str) -> bool {
    let long = arg.get_long().is_some_and(|long| found.strip_prefix("--") == Some(long));
    long || arg.get_short().is_some_and(|short| found == format!("-{short}"))
}

/// Why the words of a curl line cannot be read.
fn why_unread(words: &[String], error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let mut named = words.iter().filter_map(|word| word.strip_prefix("--")?.split('=').next());
    let options = options();
    let ours = named.find(|name| options.iter().any(|option| option == name) && line.contains(&format!("'--{name}")));
    let ours = ours.map_or_else(String::new, |name| format!("; --{name} of serin stands before the curl line"));
    Failure::new(format!("the curl line cannot be read: {line}{ours}"))
}

/// The names of the options of serin itself that may stand before a curl line.
fn options() -> Vec<String> {
    let serin = Cli::command();
    let explain = serin.find_subcommand("explain").into_iter();
    explain.flat_map(Command::get_arguments).filter_map(Arg::get_long).map(str::to_owned).collect()
}

/// curl sends its own headers unless they are given.
fn last_of_each(headers: Vec<String>) -> Vec<String> {
    let name = |header: &str| header.split([':', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
    let names: Vec<String> = headers.iter().map(|header| name(header)).collect();
    let is_default = |name: &String| matches!(&**name, "accept" | "user-agent");
    let is_replaced = |at: usize| {
        let later = names.iter().skip(at + 1);
        names.get(at).is_some_and(|name| is_default(name) && later.clone().any(|other| other == name))
    };
    headers.into_iter().enumerate().filter(|(at, _)| !is_replaced(*at)).map(|(_, header)| header).collect()
}

fn command() -> Command {
    let named = |(long, short): (&'static str, char)| {
        let arg = Arg::new(long).long(long);
        if short == ' ' { arg } else { arg.short(short) }
    };
    let valued = |of| named(of).action(ArgAction::Append).allow_hyphen_values(true);
    let flag = |of| named(of).action(ArgAction::SetTrue);
    let read = [
        ("header", 'H'),
        ("cookie", 'b'),
        ("request", 'X'),
        ("user-agent", 'A'),
        ("referer", 'e'),
        ("upload-file", 'T'),
        ("user", 'u'),
        ("oauth2-bearer", ' '),
        ("url", ' '),
    ];
    let mut command = Command::new("curl").disable_help_flag(true).disable_version_flag(true);
    command = command.args(read.into_iter().chain(BODIES).chain(IGNORED).map(valued));
    command = command.args(FLAGS.into_iter().chain([("head", 'I'), ("get", 'G')]).map(flag));
    command.arg(Arg::new("to").action(ArgAction::Append))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, url: &str, method: Option<&str>, headers: &[&str], cookies: &[&str]) {
        let words: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let expected = Curl {
            url: Some(url.to_owned()),
            method: method.map(str::to_owned),
            headers: owned(headers),
            cookies: owned(cookies),
        };
        assert_eq!(Curl::read(&words).unwrap(), expected, "{line}");
    }

    const DEFAULTS: [&str; 2] = ["accept: */*", "user-agent: curl/8"];

    #[test]
    fn lines() {
        check("curl http://a/", "http://a/", None, &DEFAULTS, &[]);
        check("curl -sSLk http://a/ -o /dev/null --max-time 5", "http://a/", None, &DEFAULTS, &[]);
        check("curl --url http://a/ -I", "http://a/", Some("HEAD"), &DEFAULTS, &[]);
        check("curl -d x=1 http://a/", "http://a/", Some("POST"), &DEFAULTS, &[]);
        check("curl -G -d x=1 http://a/", "http://a/", None, &DEFAULTS, &[]);
        check("curl -XPUT --data-raw -x http://a/", "http://a/", Some("PUT"), &DEFAULTS, &[]);
        check("curl a -b c=1 -H x-a:_b", "a", None, &[DEFAULTS[0], DEFAULTS[1], "x-a: b"], &["c=1"]);
        check("curl a -u me:secret", "a", None, &[DEFAULTS[0], DEFAULTS[1], "authorization: Basic bWU6c2VjcmV0"], &[]);
        let bearer = "authorization: Bearer x";
        check("curl a --oauth2-bearer x", "a", None, &[DEFAULTS[0], DEFAULTS[1], bearer], &[]);
        check("curl a -A me -H Accept:_text/html", "a", None, &["user-agent: me", "Accept: text/html"], &[]);
    }

    #[test]
    fn what_cannot_be_read() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let error = Curl::read(&words).unwrap_err().messages().join("\n");
            assert!(error.contains(expected), "{error}");
        }
        check("wget http://a/", "there is no option \"wget\"");
        check("--hots a", "there is no option --hots; did you mean --host?");
        check("-A me", "-A is an option of curl; expected it in a curl line");
        check("http://a/", "expected --url or curl before it");
        check("curl http://a/ --at now", "--at of serin stands before the curl line");
        check("curl http://a/ http://b/", "another URL, \"http://b/\"");
        check("curl http://a/ --frobnicate", "--frobnicate");
        check("curl http://a/ -b jar.txt", "from the file \"jar.txt\"");
        check("curl http://a/ -H @headers", "\"@headers\" from a file");
    }
}
