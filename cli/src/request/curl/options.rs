//! The options of curl that may stand in a line.

use clap::{Arg, ArgAction, Command};

/// An option by its long and short names; a space is no short one.
type Names = (&'static str, char);

/// Options with a value that make the request.
const READ: [Names; 11] = [
    ("header", 'H'),
    ("cookie", 'b'),
    ("request", 'X'),
    ("user-agent", 'A'),
    ("referer", 'e'),
    ("upload-file", 'T'),
    ("user", 'u'),
    ("oauth2-bearer", ' '),
    ("range", 'r'),
    ("url", ' '),
    ("url-query", ' '),
];

/// Options whose value is a body, so that the method is POST.
pub(super) const BODIES: [Names; 8] = [
    ("data", 'd'),
    ("data-raw", ' '),
    ("data-binary", ' '),
    ("data-urlencode", ' '),
    ("data-ascii", ' '),
    ("form", 'F'),
    ("form-string", ' '),
    ("json", ' '),
];

/// Options without a value that make the request.
const READ_FLAGS: [Names; 6] =
    [("head", 'I'), ("get", 'G'), ("compressed", ' '), ("globoff", 'g'), ("path-as-is", ' '), ("next", ':')];

/// Options with a value that do not matter to a decision.
const IGNORED: [Names; 51] = [
    ("output", 'o'),
    ("max-time", 'm'),
    ("write-out", 'w'),
    ("proxy", 'x'),
    ("proxy-user", 'U'),
    ("cookie-jar", 'c'),
    ("dump-header", 'D'),
    ("cert", 'E'),
    ("speed-limit", 'Y'),
    ("speed-time", 'y'),
    ("cacert", ' '),
    ("capath", ' '),
    ("cert-type", ' '),
    ("ciphers", ' '),
    ("connect-timeout", ' '),
    ("connect-to", ' '),
    ("crlfile", ' '),
    ("curves", ' '),
    ("dns-servers", ' '),
    ("doh-url", ' '),
    ("happy-eyeballs-timeout-ms", ' '),
    ("interface", ' '),
    ("keepalive-time", ' '),
    ("key", ' '),
    ("key-type", ' '),
    ("libcurl", ' '),
    ("limit-rate", ' '),
    ("local-port", ' '),
    ("max-filesize", ' '),
    ("max-redirs", ' '),
    ("noproxy", ' '),
    ("output-dir", ' '),
    ("pass", ' '),
    ("pinnedpubkey", ' '),
    ("preproxy", ' '),
    ("proto", ' '),
    ("proto-redir", ' '),
    ("proxy-header", ' '),
    ("resolve", ' '),
    ("retry", ' '),
    ("retry-delay", ' '),
    ("retry-max-time", ' '),
    ("socks4", ' '),
    ("socks4a", ' '),
    ("socks5", ' '),
    ("socks5-hostname", ' '),
    ("stderr", ' '),
    ("tls-max", ' '),
    ("trace", ' '),
    ("trace-ascii", ' '),
    ("unix-socket", ' '),
];

/// Options without a value that do not matter to a decision.
const FLAGS: [Names; 51] = [
    ("silent", 's'),
    ("show-error", 'S'),
    ("verbose", 'v'),
    ("insecure", 'k'),
    ("location", 'L'),
    ("include", 'i'),
    ("fail", 'f'),
    ("progress-bar", '#'),
    ("no-buffer", 'N'),
    ("remote-name", 'O'),
    ("remote-header-name", 'J'),
    ("remote-time", 'R'),
    ("ipv4", '4'),
    ("ipv6", '6'),
    ("http1.0", '0'),
    ("tlsv1", '1'),
    ("junk-session-cookies", 'j'),
    ("proxytunnel", 'p'),
    ("disable", 'q'),
    ("parallel", 'Z'),
    ("basic", ' '),
    ("create-dirs", ' '),
    ("fail-early", ' '),
    ("fail-with-body", ' '),
    ("http0.9", ' '),
    ("http1.1", ' '),
    ("http2", ' '),
    ("http2-prior-knowledge", ' '),
    ("http3", ' '),
    ("http3-only", ' '),
    ("location-trusted", ' '),
    ("no-alpn", ' '),
    ("no-keepalive", ' '),
    ("no-progress-meter", ' '),
    ("no-sessionid", ' '),
    ("post301", ' '),
    ("post302", ' '),
    ("post303", ' '),
    ("proxy-insecure", ' '),
    ("raw", ' '),
    ("remote-name-all", ' '),
    ("retry-all-errors", ' '),
    ("retry-connrefused", ' '),
    ("ssl-no-revoke", ' '),
    ("ssl-reqd", ' '),
    ("ssl-revoke-best-effort", ' '),
    ("tcp-nodelay", ' '),
    ("tlsv1.0", ' '),
    ("tlsv1.1", ' '),
    ("tlsv1.2", ' '),
    ("tlsv1.3", ' '),
];

/// What reads the words of a line.
pub(super) fn command() -> Command {
    let named = |(long, short): Names| {
        let arg = Arg::new(long).long(long);
        if short == ' ' { arg } else { arg.short(short) }
    };
    let valued = |of| named(of).action(ArgAction::Append).allow_hyphen_values(true);
    let flag = |of| named(of).action(ArgAction::SetTrue).overrides_with(of.0);
    let command = Command::new("curl").disable_help_flag(true).disable_version_flag(true);
    let command = command.args(READ.into_iter().chain(BODIES).chain(IGNORED).map(valued));
    command.args(FLAGS.into_iter().chain(READ_FLAGS).map(flag)).arg(Arg::new("to").action(ArgAction::Append))
}
