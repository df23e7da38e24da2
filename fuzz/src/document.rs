//! Target `document`: any bytes as a document.

use std::borrow::Cow;
use std::sync::LazyLock;

use serin_cli::Request;
use serin_core::{Parsed, Rules, Surroundings, Time, review, samples};

use crate::given::Given;
use crate::judge::judge;
use crate::{env, sound};

/// No line of an error or warning is longer: names are cut, but lists of known ones are not.
const LONGEST_LINE: usize = 2_048;
const MOST_ERRORS: usize = 1_000;
const MOST_LINES: usize = 100;
/// So many rollouts of a document are asked for a decision.
const MOST_ASKED: usize = 8;
const NOW: Time = Time::from_unix_seconds(1_795_248_000);

/// What was in force before: rollouts of all kinds, under names that a document is likely to have.
const DOCUMENT_BEFORE: &str = r#"{"rollouts": {
    "r": {"stable": "v1", "versions": {"v1": {}, "v2": {"cluster": "before", "weight": 50}}, "override": {"header": "x-before"}},
    "shop": {"match": [{"hosts": ["before.example.com"]}], "stable": "s",
        "versions": {"s": {}, "c": {"weight": 1, "set_headers": {"x-set": "c"}}}, "sticky": {"hold": "version"}},
    "marked": {"match": [{"hosts": ["marked.example.com"]}], "stable": "s", "mark_stable": true,
        "versions": {"s": {"set_headers": {"x-set": "s"}}, "c": {"weight": 1}}}
}, "headers": {"version": "x-before-version"}}"#;

static BEFORE: LazyLock<Rules> = LazyLock::new(|| sound(DOCUMENT_BEFORE));

/// Reads the bytes as a document, alone and after another one, and has it decide.
pub fn run(input: &[u8]) {
    check(input, None);
    check(input, Some(&BEFORE));
}

fn check(input: &[u8], last_good: Option<&Rules>) {
    let surroundings = Surroundings { last_good, env: &env };
    let parsed = Rules::parse(input, &surroundings);
    assert_eq!(
        format!("{parsed:?}"),
        format!("{:?}", Rules::parse(input, &surroundings)),
        "two outcomes of one document"
    );
    check_mistakes(&parsed);
    let mut given = Given::default();
    given.add(input);
    // Without a mistake nothing of it stays.
    if last_good.is_some() && !parsed.errors.is_empty() {
        given.add(DOCUMENT_BEFORE.as_bytes());
    }
    for output in parsed.outputs.on_request() {
        assert!(given.has_header(output.name.as_str()), "{:?}", output.name);
    }
    let Some(rules) = &parsed.rules else { return };
    // What people are told of rules that are in force.
    let _ = review(rules);
    for rollout in rules.rollouts().take(MOST_ASKED) {
        assert!(!rollout.versions().is_empty() && rollout.versions().len() <= 64);
        for sample in samples(rollout).into_iter().take(MOST_ASKED) {
            let mut headers = vec![(":path", sample.path.into_bytes()), (":method", sample.method.into_bytes())];
            headers.extend(sample.host.map(|host| (":authority", host.into_bytes())));
            let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
            let more = sample.headers.into_iter().map(|(name, value)| (name, value.into_bytes()));
            let source = sample.source.map(|address| socket(&address));
            ask(rules, &given, Request { headers: headers.chain(more).collect(), source, cluster: None }, input);
        }
        ask(rules, &given, Request::default(), input);
    }
}

/// Everything is bounded, printable, and of one line.
fn check_mistakes(parsed: &Parsed) {
    assert!(parsed.rules.is_some() || !parsed.errors.is_empty(), "no rules, and no word why");
    assert!(parsed.errors.len() <= MOST_ERRORS && parsed.warnings.len() <= MOST_ERRORS);
    assert!(parsed.more_errors == 0 || parsed.errors.len() == MOST_ERRORS);
    let lines = parsed.lines(MOST_LINES);
    assert!(lines.len() <= 2 * (MOST_LINES + 1));
    for (_, line) in lines {
        assert!(line.len() <= LONGEST_LINE, "{} bytes: {line}", line.len());
        assert!(!line.contains(|character: char| character.is_control()), "{line:?}");
    }
}

/// The request as it is, with each name of the document as a header, and with cookies and a query out of the input.
fn ask(rules: &Rules, given: &Given, mut request: Request, input: &[u8]) {
    judge(rules, given, &request, NOW, 1);
    let texts: Vec<String> = given.texts().take(64).map(str::to_ascii_lowercase).collect();
    let names = texts.iter().filter(|text| serin_core::HeaderName::new(text).is_some());
    request
        .headers
        .extend(names.zip(texts.iter().rev()).map(|(name, value)| (name.clone(), value.as_bytes().to_vec())));
    request.headers.push(("cookie".into(), tail(input).into_owned()));
    let path = request.headers.iter_mut().find(|(name, _)| name == ":path");
    if let Some((_, path)) = path {
        path.extend_from_slice(b"?");
        path.extend_from_slice(&tail(input));
    }
    judge(rules, given, &request, NOW, u64::MAX);
}

/// The last bytes of the input.
fn tail(input: &[u8]) -> Cow<'_, [u8]> {
    input.get(input.len().saturating_sub(64)..).unwrap_or_default().into()
}

/// An address with a port, as a proxy tells it.
fn socket(address: &str) -> String {
    if address.contains(':') { format!("[{address}]:1") } else { format!("{address}:1") }
}
