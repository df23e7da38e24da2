//! `serin diff`, run. That its shares are exact, the tests of the core show.

mod support;

use serde_json::json;

use support::{Folder, Run, SOUND};

fn with_weight(weight: &str) -> String {
    SOUND.replace("weight: 10", &format!("weight: {weight}"))
}

/// Compares the sound document with another one.
fn diff(new: &str, words: &[&str]) -> Run {
    let folder = Folder::with(&[("old.yaml", SOUND), ("new.yaml", new)]);
    folder.serin(&[&["diff", "old.yaml", "new.yaml", "--at", "2026-11-26T09:00:00Z"], words].concat())
}

#[test]
fn a_ramp() {
    let run = diff(&with_weight("30"), &[]).ends_with(0);
    let expected = "\
rollouts.shop: 20 % move
  v1 → v2  20.0000 %  ████████

changed
  rollouts.shop.versions.v2.weight: 10 → 30
";
    assert_eq!(run.out, expected);
    let same = "nobody moves in rollouts.shop\n\nthe documents say the same\n";
    assert_eq!(diff(SOUND, &[]).ends_with(0).out, same);
}

#[test]
fn how_many_may_move() {
    diff(&with_weight("30"), &["--max-moved", "20%"])
        .ends_with(0)
        .says("within the limit: at most 20 % may move; 20 % do");
    diff(&with_weight("30"), &["--max-moved", "19.9999%"])
        .ends_with(1)
        .says("over the limit: at most 19.9999 % may move");
    diff(SOUND, &["--max-moved", "0%"]).ends_with(0);
    // Limits that no float is, are limits all the same.
    let exact = with_weight("67").replace("stable:", "total: 10000\n    stable:");
    let old = with_weight("10").replace("stable:", "total: 10000\n    stable:");
    let folder = Folder::with(&[("old.yaml", &old), ("new.yaml", &exact)]);
    folder.serin(&["diff", "old.yaml", "new.yaml", "--max-moved", "0.57%"]).ends_with(0).says("0.57 % do");
    for wrong in ["x", "5", "-1%", "101%", "", "nan", "nan%", "5%%"] {
        diff(SOUND, &[&format!("--max-moved={wrong}")]).ends_with(2).says("expected a percentage from 0% to 100%");
    }
}

#[test]
fn what_a_rule_is_about() {
    let new = SOUND.replace("use: v2", "use: v1");
    diff(&new, &["--max-moved", "5%"])
        .ends_with(1)
        .says("rollouts.shop.rules[0]: 100 % move")
        .says("nobody else moves in rollouts.shop");
    diff(&new, &["--max-moved", "5%", "--no-rules"]).ends_with(0).says_not("rules[0]: 100");
    let without = SOUND.replace("    rules: [{when: {headers: [{name: x-team, in: [qa, dev]}]}, use: v2}]\n", "");
    diff(&without, &[]).ends_with(0).says("rollouts.shop.rules[0] of the old document: 90 % move").says("v2 → v1");
}

/// Requests that two rules hold for get what the first one says, so that another order is another version.
#[test]
fn rules_that_change_places() {
    let rule = "{when: {headers: [{name: x-team, in: [qa, dev]}]}, use: v2}";
    let eu = "{when: {headers: [{name: x-region, exact: eu}]}, use: v1}";
    let new = SOUND.replace(rule, &format!("{eu}, {rule}"));
    diff(&new, &["--max-moved", "95%"])
        .ends_with(1)
        .says("rollouts.shop.rules[0] together with rollouts.shop.rules[1]: 100 % move")
        .says("v2 → v1");
}

/// What cookies were signed with is known by the secret, and where that is not here by its variable.
#[test]
fn secrets_that_change() {
    let with = |key: &str| format!("{SOUND}keys: [{{id: k1, {key}}}]\n");
    let (one, other) = (with("secret: the first of sixteen"), with("secret: the second of sixteen"));
    let check = |old: &str, new: &str, code: i32, says: &str| {
        let folder = Folder::with(&[("old.yaml", old), ("new.yaml", new)]);
        folder.serin(&["diff", "old.yaml", "new.yaml", "--max-moved", "5%"]).ends_with(code).says(says);
    };
    check(&one, &other, 1, "18 % move, as slots are drawn anew: the key that signed cookies has changed");
    check(&one, &one, 0, "nobody moves");
    check(&with("env: SERIN_A"), &with("env: SERIN_A"), 0, "nobody moves");
    let unknown = "cannot be known who moves: the secret of the key k1 may be another one, and SERIN_B is not set here";
    check(&one, &with("env: SERIN_B"), 1, unknown);
    check(&with("env: SERIN_B"), &with("env: SERIN_A"), 1, unknown);
}

#[test]
fn what_is_drawn_anew() {
    let new = SOUND.replace("    stable: v1", "    release: \"2\"\n    stable: v1");
    diff(&new, &[])
        .ends_with(0)
        .says("18 % move, as slots are drawn anew: release has changed")
        .says("v1 → v2  9.0000 %");
}

#[test]
fn what_cannot_be_known() {
    let native = "rollouts: {shop: {stable: v1, versions: {v1: {}, v2: {}}, split: native}}\nheaders: {slot: x-slot}\n";
    let run = diff(native, &["--max-moved", "100%"])
        .ends_with(1)
        .says("it cannot be known who moves: the route has the weights");
    run.says("not known to be within the limit: at most 100 % may move");
    diff(native, &["--max-moved", "100%", "--allow-unknown"]).ends_with(0).says("within the limit");
}

/// What a schedule does later counts as well, unless one moment is asked for.
#[test]
fn what_moves_later() {
    let schedule =
        "    schedule: {version: v2, start: \"2026-11-27T00:00:00Z\", steps: [{weight: 10, to: 60, for: 1d}]}\n";
    let new = SOUND.replace(", weight: 10", "").replace("    override", &format!("{schedule}    override"));
    let now = diff(&new, &[]).ends_with(0);
    now.says("rollouts.shop: 10 % move\n").says("v2 → v1");
    let folder = Folder::with(&[("old.yaml", SOUND), ("new.yaml", &new)]);
    let later = folder.serin(&["diff", "old.yaml", "new.yaml", "--at", "2026-11-28T00:00:00Z"]).ends_with(0);
    later.says("rollouts.shop: 50 % move\n").says("v1 → v2");
    let far = new.replace("2026-11-27T", "2126-11-27T");
    let folder = Folder::with(&[("old.yaml", SOUND), ("new.yaml", &far)]);
    let most = folder.serin(&["diff", "old.yaml", "new.yaml", "--max-moved", "20%"]).ends_with(1);
    most.says("rollouts.shop: 50 % move at 2126-11-28T00:00:00Z, when it is most").says("over the limit");
}

/// Where a request goes may change though nobody gets another version, and that is told as well.
#[test]
fn what_else_changes() {
    let elsewhere = diff(&SOUND.replace("cluster: shop-v2", "cluster: shop-v3"), &["--max-moved", "5%"]).ends_with(1);
    elsewhere
        .says("rollouts.shop: 10 % move")
        .says("v2 → v2, at another cluster  10.0000 %")
        .says("rollouts.shop.versions.v2.cluster: \"shop-v2\" → \"shop-v3\"");
    let run = diff(&format!("{SOUND}access_log: true\n"), &["--max-moved", "0%"]).ends_with(0);
    run.says("nobody moves").says("access_log: nothing → true");
    let wider = SOUND.replace("shop.example.com]", "shop.example.com, www.example.com]");
    let run = diff(&wider, &["--max-moved", "5%"]).ends_with(1);
    run.says("rollouts.shop, requests that it covers in the new document alone: 10 % move");
    let other = format!(
        "{SOUND}  more: {{match: [{{hosts: [shop.example.com], path: {{prefix: /x}}}}], stable: v1, versions: {{v1: {{}}}}}}\n"
    );
    let other = other.replace("headers: {cluster: x-canary-cluster}\n", "").replacen(
        "rollouts:",
        "headers: {cluster: x-canary-cluster}\nrollouts:",
        1,
    );
    let run = diff(&other, &["--max-moved", "5%"]).ends_with(1);
    run.says("it cannot be known who moves: some requests may come from rollouts.shop");
    diff(&other, &["--max-moved", "5%", "--allow-unknown"]).ends_with(0);
    let keys = |secret: &str| format!("{SOUND}keys: [{{id: k1, secret: {secret}}}]\n");
    let folder =
        Folder::with(&[("old.yaml", &keys("sesame-sesame-sesame")), ("new.yaml", &keys("another-open-sesame"))]);
    let run = folder.serin(&["diff", "old.yaml", "new.yaml"]).ends_with(0);
    run.says("keys[0].secret: \"…\" → \"…\"").says_not("sesame");
}

#[test]
fn what_cannot_be_compared() {
    diff(SOUND, &["--allow-unknown"]).ends_with(2).says("--max-moved");
    Folder::with(&[]).serin(&["diff", "-", "-"]).ends_with(2).says("expected a file for one of them");
    diff(&with_weight("x"), &[]).ends_with(1).says("error[wrong-value]");
    diff("", &[]).ends_with(1).says("the file is empty");
    Folder::with(&[("old.yaml", SOUND)])
        .serin(&["diff", "old.yaml", "none.yaml"])
        .ends_with(2)
        .says("cannot read none.yaml");
    Folder::with(&[("old.yaml", SOUND)]).serin(&["diff", "old.yaml"]).ends_with(2);
}

#[test]
fn documents_inside_of_resources() {
    let plugin = |document: &str| {
        let lines: String = document.lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: a}}\nspec:\n  pluginConfig:\n{lines}"
        )
    };
    let folder = Folder::with(&[("old.yaml", &plugin(SOUND))]);
    let new = plugin(&with_weight("20"));
    folder.serin_with(&["diff", "old.yaml", "-"], new.as_bytes(), &[]).ends_with(0).says("10 % move");
}

/// One document of several may be compared with a file that holds one alone.
#[test]
fn one_document_of_several() {
    let two = format!("{SOUND}---\n{}", with_weight("30"));
    let folder = Folder::with(&[("old.yaml", SOUND), ("two.yaml", &two)]);
    let diff = |words: &[&str]| folder.serin(&[&["diff", "old.yaml", "two.yaml"], words].concat());
    diff(&[]).ends_with(2).says("two.yaml holds 2 documents; expected --document");
    diff(&["--document", "1"]).ends_with(0).says("nobody moves");
    diff(&["--document", "2"]).ends_with(0).says("20 % move");
    diff(&["--document", "3"]).ends_with(2).says("two.yaml holds 2 documents, and no number 3");
    let neither = folder.serin(&["diff", "old.yaml", "old.yaml", "--document", "7"]).ends_with(2);
    neither.says("old.yaml holds 1 document, and no number 7");
}

#[test]
fn for_scripts() {
    let json = diff(&with_weight("10.0").replace("use: v2", "use: v1"), &["--output", "json", "--max-moved", "5%"])
        .ends_with(1)
        .json();
    let row = |rule, rule_of, moved, moves| json!({"rollout": "shop", "coverage": "both", "rule": rule, "rule_of": rule_of, "also": null, "also_of": null, "redrawn": [], "at": "2026-11-26T09:00:00Z", "moved": moved, "moves": moves, "unknown": null});
    let all = json!([{"from": "v2", "to": "v1", "share": 1.0, "parts": 1_000_000_000_000_u64}]);
    let expected = json!({
        "at": "2026-11-26T09:00:00Z",
        "rows": [row(json!(null), json!(null), 0.0, json!([])), row(json!("rollouts.shop.rules[0]"), json!("new"), 1.0, all)],
        "most_moved": 1.0, "max_moved": 0.05, "held": false,
        "changes": [{"path": "rollouts.shop.rules[0].use", "from": "v2", "to": "v1"}],
    });
    assert_eq!(json, expected);
}
