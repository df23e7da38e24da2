//! What `serin check` says beside a mistake, and of what only seems to be there.

mod support;

use support::{Folder, Run, SOUND};

/// Checks a document.
fn check(document: &str) -> Run {
    Folder::with(&[("rules.yaml", document)]).serin(&["check", "rules.yaml"])
}

/// Beside what is wrong stands what would be right.
#[test]
fn hints() {
    #[track_caller]
    fn hint(from: &str, to: &str, hint: &str) {
        assert!(SOUND.contains(from), "{from}");
        check(&SOUND.replacen(from, to, 1)).ends_with(1).says(&format!("= help: {hint}\n"));
    }
    hint("weight: 10", "weight: \"10\"", "without quotes: 10");
    hint("weight: 10", "weight: 10 %", "without the sign: 10");
    let parts = "parts of a percent need a larger total: with total: 1000 a weight of 5 is 0.5 %";
    hint("weight: 10", "weight: 0.5", parts);
    hint("weight: 10", "setWeight: 10", "here it is called weight");
    hint("in: [qa, dev]", "value: qa", "here it is called exact");
    hint("use: v2", "use: v2, weights: {v2: 5}", "there are use and weights, of which one counts alone");
    hint(", in: [qa, dev]", "", "there is none of them");
    hint("when: {headers", "match: {headers", "here it is called when");
    hint("v2: {cluster: shop-v2, weight: 10}", "v2: 10", "an object with a weight: {weight: 10}");
    hint("weight: 10", "weight:10", "a space stands behind a colon: weight: 10");
    hint("stable: v1", "stable: 1.0", "a text in quotes: \"1-0\"");
    hint("stable: v1", "stable: \"1.0\"", "without dots: 1-0");
    let sticky = |fields: &str| format!("    sticky: {fields}\n    override");
    let by_itself = "the visitor cookie keeps visitors as it is; its name is cookie.name at the top of the document";
    hint("    override", &sticky("{cookie: canary}"), by_itself);
    hint("    override", &sticky("cookie"), "without sticky the visitor cookie keeps visitors");
    let units = "one whole number and its unit, which is s, m, h or d";
    let remember = |value: &str| format!("remember: {value}, aliases");
    hint("aliases", &remember("3600"), &format!("{units}: 3600s"));
    hint("aliases", &remember("\"3600\""), &format!("{units}: 3600s"));
    hint("aliases", &remember("1d12h"), &format!("{units}: 30m"));
    hint(
        "headers: {cluster",
        "cookie: {max_age: 30}\nheaders: {cluster",
        "one whole number and its unit, which is d: 30d",
    );
    hint("headers: {cluster", "access_log: yes\nheaders: {cluster", "such as true");
    hint("in: [qa, dev]", "exact: 1.10", "a text in quotes: \"1.10\"");
    hint("in: [qa, dev]", "regex: \"*qa\"", "a regular expression has .* for whatever stands there: \".*qa\"");
    hint("use: v2", "use: v9", "the versions here are v1, v2");
    hint("    stable: v1", "    access_log: true\n    stable: v1", "it belongs to the top of the document");
    hint("[shop.example.com]", "shop.example.com", "such as [shop.example.com, \"*.shop.example.com\"]");
    hint("[shop.example.com]", "[https://shop.example.com:8080/cart]", "the host alone: shop.example.com");
    hint("[shop.example.com]", "[.example.com]", "the host alone: \"*.example.com\"");
    hint("[shop.example.com]", "[\"*\"]", "without hosts the entry is about every host");
    hint("[shop.example.com]", "[*.example.com]", "a text that begins so stands in quotes: \"*.example.com\"");
    hint("hosts: [shop.example.com]", "path: /cart", "such as {prefix: /checkout}");
    hint("[{name: x-team, in: [qa, dev]}]", "{x-team: qa}", "such as [{name: x-team, exact: qa}]");
    hint("    stable: v1\n", "", "such as stable: v1");
}

#[test]
fn a_field_that_is_missing_under_another_name() {
    let run = check(&SOUND.replace("    stable: v1", "    stabel: v1")).ends_with(1);
    let run = run.says("unknown field stabel").says("did you mean \"stable\"?");
    let run = run.says("error[missing]: stable is missing").says("= help: stabel is unknown, and may be meant for it");
    assert_eq!(run.out.matches(":4:5").count(), 2, "{}", run.out);
}

/// A value that was not indented far enough is none.
#[test]
fn names_that_nothing_stands_behind() {
    let shallow = SOUND.replace("      v1:", "    v1:").replace("      v2:", "    v2:");
    check(&shallow)
        .ends_with(1)
        .says("error[missing]: versions is empty; expected an object of versions by name\n --> rules.yaml:5:5")
        .says("= help: what belongs to it stands below it, indented further")
        .says_not("empty-field");
    let run = check(&SOUND.replace("v1: {cluster: shop-v1}", "v1:")).ends_with(1);
    run.says("= help: v1 stands there, and is empty; {} is a version without fields")
        .says("warning[empty-field]: nothing stands behind v1, as if it were not there; expected a value, or {} for one without fields");
    check(&format!("{SOUND}access_log:\n"))
        .ends_with(0)
        .says("warning[empty-field]: nothing stands behind access_log, as if it were not there; expected a value\n");
    check(&format!("{SOUND}access_log: null\n")).ends_with(0).says("no mistakes");
}

/// Where there are mistakes, nothing else is guessed.
#[test]
fn warnings_beside_mistakes() {
    let fallback = "  all: {stable: v1, versions: {v1: {}}, matches: []}\n";
    let document = SOUND.replace("    match: [{hosts: [shop.example.com]}]\n", "");
    let document = document.replace("headers: {cluster", &format!("{fallback}headers: {{cluster"));
    check(&document).ends_with(1).says("did you mean \"match\"?").says_not("warning");
    check(&SOUND.replace("stable: v1", "stable: müller")).ends_with(1).says("found \"müller\"");
}
