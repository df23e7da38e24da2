//! Secrets in files are not shown, whatever is wrong with the file.

mod support;

use support::{Folder, SOUND};

/// What is printed goes into the logs of pipelines.
#[test]
fn secrets_are_not_shown() {
    let check = |file: String| Folder::with(&[("rules.yaml", &file)]).serin(&["check", "rules.yaml"]);
    let keys = |keys: &str| check(format!("{SOUND}keys: {keys}\n"));
    keys("[{id: k1, secert: sesame-sesame-sesame}]").ends_with(1).says("did you mean \"secret\"?").says_not("sesame");
    keys("[{id: k1, secret: sesame, envv: A}]").ends_with(1).says("did you mean \"env\"?").says_not("sesame");
    keys("[{id: k1, secret: 0123456789_0123456789}]").says_not("0123");
    keys("[{id: k1, secret: sesame-sesame-sesame]").ends_with(1).says("not YAML").says_not("sesame");
    let trust = "override: {header: x-canary, trust: {header: x-s, secret: sesame-sesame-sesame, x: 1}, ";
    check(SOUND.replace("override: {header: x-canary, ", trust))
        .ends_with(1)
        .says("unknown field x")
        .says_not("sesame");
}

/// What stands beside the name of a variable may be the secret that was there before, and a misspelt name is what it is meant for.
#[test]
fn secrets_beside_what_is_none() {
    let shown = |file: String, says: &str| {
        let folder = Folder::with(&[("rules.yaml", &file), ("old.yaml", SOUND)]);
        folder.serin(&["check", "rules.yaml"]).says(says).says_not("hunter2");
        folder.serin(&["explain", "rules.yaml", "--host", "shop.example.com"]).says_not("hunter2");
        folder.serin(&["diff", "old.yaml", "rules.yaml"]).says_not("hunter2");
    };
    let secret = "hunter2hunter2hunter2";
    shown(format!("{SOUND}keys:\n- {{id: k1, env: SERIN_TEST_KEY}} # {secret}\n"), "note[unset-secret]");
    shown(
        format!("{SOUND}keys:\n- id: k1 # {secret}\n  env: SERIN_TEST_KEY # was {secret}\n# {secret}\n"),
        "unset-secret",
    );
    shown(format!("{SOUND}key: [{secret}]\n"), "did you mean \"keys\"?");
    shown(SOUND.replace("aliases: {always: v2}", &format!("trsut: {secret}")), "did you mean \"trust\"?");
    shown(
        SOUND.replace("rollouts:\n", &format!("rollouts:\n  keys: {secret}\n  trust: [{secret}]\n")),
        "expected an object",
    );
    shown(SOUND.replace("versions:\n", &format!("versions:\n      trust: {secret}\n")), "expected an object");
    // A name that people have chosen hides nothing.
    let named = SOUND.replace("shop:", "password-reset:");
    let folder = Folder::with(&[("old.yaml", &named), ("new.yaml", &named.replace("weight: 10", "weight: 20"))]);
    folder.serin(&["diff", "old.yaml", "new.yaml"]).says("rollouts.password-reset.versions.v2.weight: 10 → 20");
}

/// What a request shows to be trusted goes nowhere either.
#[test]
fn secrets_of_a_request() {
    let trusted = "override: {header: x-canary, trust: {header: x-secret, secret: sesame sesame sesame}}";
    let document = SOUND.replace("override: {header: x-canary, aliases: {always: v2}}", trusted);
    let folder = Folder::with(&[("rules.yaml", &document)]);
    let ask = ["explain", "rules.yaml", "--host", "shop.example.com", "-H", "x-secret: hunter2", "--output", "json"];
    folder.serin(&ask).ends_with(0).says_not("hunter2");
    folder.write("rules.yaml", document.replace("weight", "wieght"));
    folder.serin(&ask).ends_with(0).says_not("hunter2");
    let basic = ["explain", "rules.yaml", "--output", "json", "curl", "-u", "me:hunter2", "https://shop.example.com/"];
    folder.serin(&basic).ends_with(0).says_not("bWU6aHVudGVyMg");
}

/// Nor in what cannot be read, where nobody knows what a secret is: not the text itself, and not what is said of it.
#[test]
fn secrets_are_not_shown_of_what_cannot_be_read() {
    #[track_caller]
    fn check(file: &str, expected: &str) {
        let folder = Folder::with(&[("rules.yaml", file)]);
        folder.serin(&["check", "rules.yaml"]).ends_with(1).says(expected).says_not("hunter2");
        folder.serin(&["check", "--output", "json", "rules.yaml"]).ends_with(1).says_not("hunter2");
        folder.serin(&["explain", "rules.yaml", "--host", "a.example"]).ends_with(1).says_not("hunter2");
    }
    let secret = "hunter2hunter2hunter2";
    check(&format!("keys: [{{id: k1, secret: @{secret}}}]\n"), "not YAML");
    check(&format!("keys: [{{id: k1, secret: *{secret}}}]\n"), "not YAML");
    check(&format!("keys:\n- id: k1\n  secret: !{secret}\n"), "a tag that a document does not have");
    check(&format!("keys:\n- !{secret} {{id: k1}}\n"), "a tag that a document does not have");
    check(&format!("rollouts: {{}}\nkeys:\n- secret:\n    {secret}: hunter2 : x\n"), "not YAML");
    check(&format!("rollouts: {{}}\nkeys:\n- secret:\n\t{secret}\n"), "not YAML");
    check(&format!("{{\"rollouts\": {{}},\n\"keys\": [{{\"secret\":\n\"{secret}\" 1}}]}}\n"), "not ");
    // What stands in the place of a name.
    check(&format!("rollouts: {{}}\nkeys: [{{id: k1, secret:{secret}}}]\n"), "a colon and a space stand between");
    check(&format!("rollouts: {{}}\nkeys: [{{id: k1, secret {secret}: }}]\n"), "a colon and a space stand between");
    check(&format!("rollouts: {{}}\nkeys: [{{id: k1, secret: , {secret}}}]\n"), "a colon and a space stand between");
    check(&format!("rollouts: {{}}\n{{\"secret: {secret}\": {{}}}}\n"), "not YAML");
    check(&format!("{{rollouts: {{}}, secret:{secret}: {{a: 1}}}}\n"), "a colon and a space stand between");
    check(&format!("rollouts: {{}}\nkeys: [{{id: k1, secret: # {secret}\n}}]\n"), "error");
    check(&format!("{secret}\n"), "found a text; expected an object");
    check(&format!("SERIN_KEY_1={secret}\n"), "found a text; expected an object");
    let document = format!("rollouts: {{}}\nkeys: [{{id: k1, secret: {secret}}}]");
    let block = document.replace('\n', "\n    ");
    let plugin =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: a}\nspec:\n  pluginConfig:";
    check(&format!("{plugin} |\n    {block}\n"), "found a text; expected an object");
    check(&format!("{plugin} >\n    {block}\n"), "found a text; expected an object");
    check(&format!("{plugin} \"{}\"\n", document.replace('\n', "\\n")), "found a text; expected an object");
    check(&format!("rollouts: |\n  {block}\n"), "found a text; expected an object");
    check(&format!("|\n  {block}\n"), "found a text; expected an object");
    let any =
        "resources:\n- configuration:\n    \"@type\": type.googleapis.com/google.protobuf.StringValue\n    value:";
    let json = format!("{{\"rollouts\": {{}}, \"keys\": [{{\"id\": \"k1\", \"secret\": \"{secret}\"}}],, }}");
    check(&format!("{any} '{json}'\n"), "not JSON");
    check(&format!("{any} {json:?}\n"), "not JSON");
    check(&format!("{any} |\n      {}\n", json.replace(", ", ",\n      ")), "not JSON");
    check(&format!("{any} |\n      {block}\n"), "not JSON");
}
