//! Target `sticky`: what visitors bring back. Any bytes as the value of each of our cookies and as a token, with and without
//! keys; and values of our own, as they are and with a change.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serin_cli::Request;
use serin_core::{Rules, Time, Token, Visitor, VisitorNumber};
use sha2::Sha256;

use crate::dice::Dice;
use crate::given::Given;
use crate::judge::{Judged, decided};
use crate::sound;

/// The versions that a rollout's own cookie and a token may name.
const VERSIONS: [&str; 3] = ["v1", "v2", "always"];
/// The keys of the document that has some: their ids, and the variables with their secrets.
const KEYS: [(&str, &str); 2] = [("k2", "SERIN_KEY"), ("k1", "SERIN_OLD_KEY")];

static UNSIGNED: LazyLock<Site> = LazyLock::new(|| Site::new(""));
static SIGNED: LazyLock<Site> = LazyLock::new(|| {
    Site::new(r#", "keys": [{"id": "k2", "env": "SERIN_KEY"}, {"id": "k1", "env": "SERIN_OLD_KEY"}]"#)
});

/// A rollout that holds versions, and one that keeps the visitor number alone.
struct Site {
    rules: Rules,
    given: Given,
}

impl Site {
    fn new(top: &str) -> Self {
        let document = format!(
            r#"{{"rollouts": {{
            "r": {{"match": [{{"hosts": ["held.example.com"]}}], "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 50}}}}, "release": "a1",
                "sticky": {{"hold": "version"}}, "override": {{"header": "x-canary", "aliases": {{"always": "v2"}}, "remember": "1h"}}}},
            "s": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 50}}}}}}
        }}{top}}}"#
        );
        let mut given = Given::default();
        given.add(document.as_bytes());
        Self { rules: sound(&document), given }
    }

    /// What a visitor gets who brings these cookies and asks for this version.
    fn decided(&self, host: &str, cookie: &[u8], wish: Option<&str>, moment: Moment) -> Judged {
        let mut headers =
            vec![(":authority".to_owned(), host.as_bytes().to_vec()), ("cookie".to_owned(), cookie.to_vec())];
        headers.extend(wish.map(|wish| ("x-canary".to_owned(), wish.as_bytes().to_vec())));
        decided(&self.rules, &self.given, &Request { headers, ..Request::default() }, moment.now, moment.bits)
    }

    fn is_signed(&self) -> bool {
        self.rules.keys().is_some()
    }
}

/// When it is, and what is drawn.
#[derive(Clone, Copy)]
struct Moment {
    now: Time,
    bits: u64,
}

const HELD: &str = "held.example.com";
const OTHER: &str = "example.com";

/// What is changed in a value of our own.
#[derive(Clone, Copy)]
struct Change {
    at: usize,
    by: u8,
    cuts: bool,
}

/// The first bytes say what is drawn and changed; the others are the value.
pub fn run(input: &[u8]) {
    let (first, value) = input.split_at(input.len().min(16));
    let dice = &mut Dice::new(first);
    let days = 20_000 + dice.up_to(2_000);
    let now = Time::from_unix_seconds(days * 86_400 + dice.up_to(86_399));
    let change = Change { cuts: dice.once_in(4), by: dice.below(255) as u8 + 1, at: dice.below(256) };
    let moment = Moment { now, bits: dice.bits() };
    any_visitor(value, moment);
    any_token(value, moment);
    for site in [&*UNSIGNED, &*SIGNED] {
        any_kept(site, value, moment);
        our_visitor(site, moment, change);
        our_kept(site, moment, change);
    }
    our_token(moment, change);
}

/// A value that counts without keys means the same once it is written again; with keys only what we have signed counts.
fn any_visitor(value: &[u8], moment: Moment) {
    let read = Visitor::from_value(value);
    if let Some(visitor) = read {
        assert_eq!(Visitor::from_value(visitor.to_value().as_bytes()), Some(visitor), "{value:?}");
        assert_eq!(VisitorNumber::from_text(visitor.number.as_bytes()), Some(visitor.number));
        assert_eq!(VisitorNumber::from_bits(visitor.number.bits()), visitor.number);
    }
    if value.contains(&b';') {
        return;
    }
    let line = [b"canary=", value].concat();
    let judged = SIGNED.decided(OTHER, &line, None, moment);
    let is_new = judged.cookies.iter().any(|line| line.contains(VisitorNumber::from_bits(moment.bits).as_str()));
    let counts = judged.slot == read.map(|visitor| slot_of(visitor.number)) && !is_new;
    if counts && let Some(visitor) = read {
        let written_on = Moment {
            now: Time::from_unix_seconds(u64::from(visitor.issued.number()) * 86_400),
            bits: visitor.number.bits(),
        };
        let ours =
            pair(&SIGNED.decided(OTHER, b"", None, written_on).cookies, "canary").expect("a new visitor gets a cookie");
        assert_eq!(
            String::from_utf8_lossy(crate::lines::trimmed(value)),
            ours.strip_prefix("canary=").unwrap_or_default()
        );
    }
}

/// The slot in the second rollout.
fn slot_of(number: VisitorNumber) -> u32 {
    serin_core::SlotKey::new("s", "").slot(number.as_bytes()).number()
}

/// A token that counts is one that we have written.
fn any_token(value: &[u8], moment: Moment) {
    let keys = SIGNED.rules.keys().expect("keys");
    if let Some(token) = Token::read(value, keys, "r", moment.now) {
        assert!(token.expiry > moment.now);
        let version = std::str::from_utf8(token.version).expect("what we write is text");
        assert_eq!(keys.token("r", version, token.expiry).map(String::into_bytes).as_deref(), Some(value));
    }
}

/// Whatever a rollout's own cookie holds, there is an answer; with keys, the one of the slot.
fn any_kept(site: &Site, value: &[u8], moment: Moment) {
    let line = [b"canary-r=", value].concat();
    let judged = site.decided(HELD, &line, None, moment);
    let is_ours = || crate::lines::values(&line, "canary-r").iter().any(|value| is_signed("canary-r", value));
    assert!(!site.is_signed() || judged.reason == Some("slot") || is_ours(), "{judged:?}");
}

/// Whether a value ends in a signature of one of our keys, by `docs/formats.md`.
fn is_signed(name: &str, value: &[u8]) -> bool {
    let Some((text, tag)) = std::str::from_utf8(value).ok().and_then(|text| text.rsplit_once(".t")) else {
        return false;
    };
    KEYS.iter().any(|(id, variable)| {
        let secret = crate::env(variable).expect("a key that the targets have");
        let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length does");
        hmac.update([b"serin1 cookie\0", name.as_bytes(), b"\0", text.as_bytes()].concat().as_slice());
        let expected = Base64UrlUnpadded::encode_string(&hmac.finalize().into_bytes()[..16]);
        text.ends_with(&format!(".k{id}")) && tag == expected
    })
}

/// What is written is read again: the same visitor, and nothing to write. Changed, and with keys, it is another visitor.
fn our_visitor(site: &Site, moment: Moment, change: Change) {
    let first = site.decided(OTHER, b"", None, moment);
    let pair = pair(&first.cookies, "canary").expect("a new visitor gets a cookie");
    let other = Moment { bits: !moment.bits, ..moment };
    let again = site.decided(OTHER, pair.as_bytes(), None, other);
    assert_eq!((&again.version, again.slot, &again.cookies[..]), (&first.version, first.slot, &[][..]), "{pair}");
    let changed = change.of(&pair, "canary=".len());
    let judged = site.decided(OTHER, &changed, None, other);
    assert!(!site.is_signed() || !judged.cookies.is_empty(), "{pair} counts as {changed:?}");
    // Under another cookie's name the signature is worth nothing.
    let renamed = pair.replacen("canary=", "canary-r=", 1);
    let judged = site.decided(HELD, renamed.as_bytes(), None, other);
    assert_eq!(judged.reason, Some("slot"), "{renamed}");
}

/// A version that is held, and an override that is remembered.
fn our_kept(site: &Site, moment: Moment, change: Change) {
    for wish in [None, Some("v1"), Some("always")] {
        let first = site.decided(HELD, b"", wish, moment);
        let reason = if wish.is_some() { "override" } else { "held" };
        let kept = pair(&first.cookies, "canary-r").expect("a version is kept");
        let visitor = pair(&first.cookies, "canary").unwrap_or_default();
        let line = |kept: &[u8]| [visitor.as_bytes(), b"; ", kept].concat();
        let again = site.decided(HELD, &line(kept.as_bytes()), None, moment);
        assert_eq!((again.reason, &again.version, again.cookies.len()), (Some(reason), &first.version, 0), "{kept}");
        if site.is_signed() {
            let changed = change.of(&kept, "canary-r=".len());
            let judged = site.decided(HELD, &line(&changed), None, moment);
            assert_eq!(judged.reason, Some("slot"), "{kept} counts as {changed:?}");
        }
    }
}

fn our_token(moment: Moment, change: Change) {
    let keys = SIGNED.rules.keys().expect("keys");
    let now = moment.now.unix_seconds();
    for (version, ahead) in VERSIONS.into_iter().zip([1, 3_600, 0]) {
        let expiry = Time::from_unix_seconds(now + ahead);
        let token = keys.token("r", version, expiry).expect("there is a key that signs");
        let read = Token::read(token.as_bytes(), keys, "r", moment.now);
        assert_eq!(read.map(|token| token.version), (ahead > 0).then_some(version.as_bytes()), "{token}");
        assert_eq!(Token::read(token.as_bytes(), keys, "s", moment.now), None, "{token} counts for another rollout");
        let changed = change.of(&token, 0);
        assert_eq!(Token::read(&changed, keys, "r", moment.now), None, "{token} counts as {changed:?}");
    }
}

impl Change {
    /// The text with another byte behind so many, or without its end.
    fn of(self, text: &str, behind: usize) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        let at = behind + self.at % (bytes.len() - behind);
        if self.cuts {
            bytes.truncate(at);
        } else {
            // Neither the end of a cookie, nor a space at its end, which is not part of it.
            bytes[at] = match bytes[at] ^ self.by {
                b';' | b' ' | b'\t' => b'?',
                other => other,
            };
        }
        bytes
    }
}

/// The cookie of a name as a browser sends it back.
fn pair(lines: &[String], name: &str) -> Option<String> {
    let pairs = lines.iter().filter_map(|line| line.split(';').next());
    pairs.into_iter().find(|pair| pair.split('=').next() == Some(name)).map(str::to_owned)
}
