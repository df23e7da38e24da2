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
    assert_eq!(run.out, "rollouts.shop: 20.0000 % move\n  v1 → v2  20.0000 %  ████████\n");
    assert_eq!(diff(SOUND, &[]).ends_with(0).out, "nobody moves in rollouts.shop\n");
}

#[test]
fn how_many_may_move() {
    diff(&with_weight("30"), &["--max-moved", "20%"])
        .ends_with(0)
        .says("held: at most 20.0000 % may move; 20.0000 % do");
    diff(&with_weight("30"), &["--max-moved", "19.9999%"]).ends_with(1).says("not held");
    diff(SOUND, &["--max-moved", "0%"]).ends_with(0);
    for wrong in ["x", "-1%", "101%", "", "nan", "5%%"] {
        diff(SOUND, &[&format!("--max-moved={wrong}")]).ends_with(2).says("expected a percentage from 0% to 100%");
    }
}

#[test]
fn what_a_rule_is_about() {
    let new = SOUND.replace("use: v2", "use: v1");
    diff(&new, &["--max-moved", "5%"])
        .ends_with(1)
        .says("rollouts.shop.rules[0]: 100.0000 % move")
        .says("nobody moves in rollouts.shop");
    diff(&new, &["--max-moved", "5%", "--no-rules"]).ends_with(0).says_not("rules[0]");
    let without = SOUND.replace("    rules: [{when: {headers: [{name: x-team, in: [qa, dev]}]}, use: v2}]\n", "");
    diff(&without, &[]).ends_with(0).says("rollouts.shop.rules[0] of the old document: 90.0000 % move").says("v2 → v1");
}

#[test]
fn what_is_drawn_anew() {
    let new = SOUND.replace("    stable: v1", "    release: \"2\"\n    stable: v1");
    diff(&new, &[]).ends_with(0).says("18.0000 % move, drawn anew by another release").says("v1 → v2  9.0000 %");
}

#[test]
fn what_cannot_be_known() {
    let native = "rollouts: {shop: {stable: v1, versions: {v1: {}, v2: {}}, split: native}}\nheaders: {slot: x-slot}\n";
    let run = diff(native, &["--max-moved", "100%"])
        .ends_with(1)
        .says("it cannot be known who moves: the route has the weights");
    run.says("not held").says("and of some it cannot be known who moves");
}

#[test]
fn what_cannot_be_compared() {
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
    folder.serin_with(&["diff", "old.yaml", "-"], new.as_bytes(), &[]).ends_with(0).says("10.0000 % move");
}

#[test]
fn for_scripts() {
    let json = diff(&with_weight("10.0").replace("use: v2", "use: v1"), &["--output", "json", "--max-moved", "5%"])
        .ends_with(1)
        .json();
    let row = |rule, rule_of, moved, moves| json!({"rollout": "shop", "rule": rule, "rule_of": rule_of, "redrawn": [], "moved": moved, "moves": moves, "unknown": null});
    let all = json!([{"from": "v2", "to": "v1", "share": 1.0, "parts": 1_000_000_000_000_u64}]);
    let expected = json!({
        "at": "2026-11-26T09:00:00Z",
        "rows": [row(json!(null), json!(null), 0.0, json!([])), row(json!("rollouts.shop.rules[0]"), json!("new"), 1.0, all)],
        "most_moved": 1.0, "max_moved": 0.05, "held": false,
    });
    assert_eq!(json, expected);
}
