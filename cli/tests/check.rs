//! `serin check`, run: every kind of file, what it says of it, and how it ends.

mod support;

use serde_json::{Value, json};

use support::{Folder, Run, SOUND};

/// Checks a file with these bytes.
fn check(bytes: impl AsRef<[u8]>) -> Run {
    let folder = Folder::with(&[]);
    folder.write("rules.yaml", bytes);
    folder.serin(&["check", "rules.yaml"])
}

#[test]
fn good_ones() {
    check(SOUND).ends_with(0).says("no mistakes in 1 document of 1 file");
    check("{\"rollouts\": {}}").ends_with(0);
    check(format!("\u{feff}{SOUND}")).ends_with(0);
    check(SOUND.replace('\n', "\r\n")).ends_with(0);
    check(format!("---\n{SOUND}---\n{SOUND}...\n")).ends_with(0).says("2 documents of 1 file");
    check(format!("common: &a 1\n{SOUND}").replace("common: &a 1\n", "").replace("weight: 10", "weight: &w 10"))
        .ends_with(0);
}

#[test]
fn bad_ones() {
    let run = check(SOUND.replace("weight", "wieght")).ends_with(1);
    let expected = "\
error[unknown-field]: unknown field wieght
 --> rules.yaml:7:30
  |
7 |       v2: {cluster: shop-v2, wieght: 10}
  |                              ^^^^^^ rollouts.shop.versions.v2.wieght: did you mean \"weight\"?
  |
  = help: the fields here are cluster, weight, place, off, set_headers

1 error in 1 document of 1 file
";
    assert_eq!(run.out, expected);
    check(SOUND.replace("use: v2", "use: v9")).ends_with(1).says(":9:69");
    check(SOUND.replace("    stable: v1\n", ""))
        .ends_with(1)
        .says("stable is missing; expected the name of the stable version")
        .says(":2:3");
    check(format!("{SOUND}cookie: 1\n")).ends_with(1).says(":11:9");
}

#[test]
fn what_is_no_document() {
    check("").ends_with(1).says("the file is empty; expected an object with rollouts");
    check("# nothing\n").ends_with(1).says("the file is empty");
    check("[1, 2]").ends_with(1).says("found a list; expected an object");
    check("just a text").ends_with(1).says("expected an object");
    check("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")
        .ends_with(1)
        .says("no rules document; expected a field rollouts");
    check("static_resources: {listeners: []}\n")
        .ends_with(1)
        .says("no rules document: found static_resources at the top");
    check("rollouts: [\n").ends_with(1).says("not YAML").says("rules.yaml:");
    check("rollouts:\n\tshop: {}\n").ends_with(1).says("not YAML").says(":2:");
    check("{\"rollouts\": {},}").ends_with(0);
    check("{\"rollouts\": {\"a\": nul").ends_with(1).says("not YAML").says(":1:");
    let folder = Folder::with(&[]);
    folder.serin_with(&["check", "-"], b"{\"rollouts\": {\"a\": nul", &[]).ends_with(1).says("not JSON").says(":1:");
    check("rollouts: !custom {}\n").ends_with(1).says(":1:11").says("stands in quotes: \"!custom\"");
    check("rollouts: !custom\n  a: {}\n").ends_with(1).says("a tag that a document does not have").says(":1:11");
    check("a: &a [*a]\n").ends_with(1).says("an alias inside of what it stands for");
}

#[test]
fn what_is_no_text() {
    check(b"\0asm\x01\0\0\0").ends_with(1).says("a WebAssembly module; expected a rules document");
    check(b"rollouts: \xff\n").ends_with(1).says("not a text file in UTF-8: byte 10 is 0xff");
    check(b"r\0o\0l\0").ends_with(1).says("not a text file in UTF-8: byte 1 is 0x00");
}

#[test]
fn what_is_huge() {
    let rollout = |n: usize| {
        format!(
            "  r{n}: {{match: [{{hosts: [h{n}.example.com]}}], stable: v1, versions: {{v1: {{}}, v2: {{weight: 1}}}}}}\n"
        )
    };
    let many = |count: usize| format!("rollouts:\n{}", (0..count).map(rollout).collect::<String>());
    check(many(10_000)).ends_with(0);
    check(many(10_001)).ends_with(1).says("found 10001 rollouts; expected at most 10000");
    let long = format!("{SOUND}# {}\n", "x".repeat(9 << 20));
    check(long).ends_with(0);
    let large = format!("rollouts: {{}}\nextra: \"{}\"\n", "x".repeat(9 << 20));
    check(large).ends_with(1).says("bytes as JSON; expected at most 8388608");
    // A thousand mistakes on one line of some hundred kilobytes are told in little time and little room.
    let fields: Vec<String> = (0..2_000).map(|n| format!("\"field{n}\": {n}")).collect();
    let run = check(format!("{{\"rollouts\": {{\"r\": {{{}}}}}}}", fields.join(", ")))
        .ends_with(1)
        .says("and 1002 more errors");
    assert!(run.out.len() < 600_000, "{} bytes", run.out.len());
    assert!(!run.out.contains(":::"), "{}", run.out);
}

#[test]
fn what_cannot_be_read() {
    let folder = Folder::with(&[("rules.yaml", SOUND)]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    folder.serin(&["check", "none.yaml"]).ends_with(2).says("cannot read none.yaml");
    folder.serin(&["check", "folder"]).ends_with(2).says("it is a folder; expected a file");
    folder
        .serin(&["check", "none.yaml", "rules.yaml", "folder"])
        .ends_with(2)
        .says("no mistakes in 1 document")
        .says("none.yaml")
        .says("folder");
    folder.serin(&["check"]).ends_with(2);
    folder.serin(&["check", "rules.yaml", "--allow", "nonsense"]).ends_with(2).says("nonsense");
    folder.serin(&["chekc", "rules.yaml"]).ends_with(2).says("check");
}

#[test]
fn standard_input() {
    let folder = Folder::with(&[]);
    folder.serin_with(&["check", "-"], SOUND.as_bytes(), &[]).ends_with(0);
    folder.serin_with(&["check", "-"], b"", &[]).ends_with(1).says("standard input");
}

/// `serin check … | head -1` ends as it would without `head`, and says nothing of it.
#[test]
fn a_reader_that_goes_away() {
    let check = |file: &str, form: &str, code: i32| {
        let folder = Folder::with(&[("rules.yaml", file)]);
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_serin"))
            .args(["check", "--output", form, "rules.yaml"])
            .current_dir(folder.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(code), Vec::new()), "{form}");
    };
    let many: String = (0..5_000).map(|n| format!("  r{n}: {{total: 0}}\n")).collect();
    for form in ["text", "json"] {
        check(&format!("rollouts:\n{many}"), form, 1);
        check("rollouts: {a: 1}\n", form, 1);
        check(SOUND, form, 0);
    }
}

#[test]
fn warnings() {
    let folder = Folder::with(&[(
        "rules.yaml",
        &SOUND.replace("weight: 10", "weight: 100").replace("header: x-canary", "query: canary"),
    )]);
    let all =
        folder.serin(&["check", "rules.yaml"]).ends_with(0).says("warning[whole-weight]").says("warning[open-query]");
    all.says("2 warnings in 1 document");
    folder.serin(&["check", "--strict", "rules.yaml"]).ends_with(1);
    let one = folder.serin(&["check", "--strict", "--allow", "open-query", "rules.yaml"]).ends_with(1);
    one.says("1 warning in").says_not("open-query");
    let both = ["check", "--strict", "--allow", "open-query", "--allow", "whole-weight", "rules.yaml"];
    folder.serin(&both).ends_with(0).says("no mistakes");
}

/// `no` is false to Kubernetes and Envoy, so a document that says so inside of their resources is refused by the filter.
#[test]
fn plain_scalars_that_are_not_read_alike() {
    let rule = |value: &str| SOUND.replace("in: [qa, dev]", &format!("exact: {value}"));
    check(rule("no")).ends_with(0).says(
        "warning[yaml-word]: Kubernetes and Envoy read no without quotes as false; expected \"no\" in quotes, or false",
    );
    check(rule("1_000")).ends_with(0).says("Kubernetes reads 1_000 without quotes as 1000");
    check(rule("'no'")).ends_with(0).says_not("yaml-word");
    let plugin = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: a}}\nspec:\n  pluginConfig:\n{}",
        indented(&rule("no"), 4)
    );
    check(plugin)
        .ends_with(1)
        .says("found false; expected text")
        .says("warning[yaml-word]: Kubernetes reads no without");
    // Where an error says already what is expected, it is enough.
    check(format!("{SOUND}access_log: yes\n")).ends_with(1).says("expected true or false").says_not("yaml-word");
    // The kill switch is what it is everywhere.
    let off = SOUND.replace("weight: 10", "weight: 10, off: true");
    check(&off).ends_with(0).says_not("yaml-word");
}

#[test]
fn secrets_that_are_not_here() {
    let folder = Folder::with(&[("rules.yaml", &format!("{SOUND}keys: [{{id: k1, env: SERIN_TEST_KEY}}]\n"))]);
    let without = folder.serin(&["check", "--strict", "rules.yaml"]).ends_with(0);
    without.says("note[unset-secret]: SERIN_TEST_KEY is not set here").says(":11:22");
    let with = |secret: &str| folder.serin_with(&["check", "rules.yaml"], b"", &[("SERIN_TEST_KEY", secret)]);
    with("a secret of sixteen characters").ends_with(0).says_not("note");
    with("short")
        .ends_with(1)
        .says("the environment has no SERIN_TEST_KEY with a secret of 16 to 256 characters")
        .says_not("short");
}

#[test]
fn colours_stand_on_terminals_alone() {
    let folder = Folder::with(&[("rules.yaml", &SOUND.replace("weight", "wieght"))]);
    let has_colour = |words: &[&str]| folder.serin(words).out.contains('\u{1b}');
    assert!(!has_colour(&["check", "rules.yaml"]));
    assert!(has_colour(&["check", "--color", "always", "rules.yaml"]));
    assert!(!has_colour(&["check", "--color", "never", "rules.yaml"]));
}

#[test]
fn for_scripts() {
    let folder = Folder::with(&[(
        "rules.yaml",
        &SOUND.replace("weight: 10", "wieght: 10, off: yes").replace("[qa, dev]", "[qa, no]"),
    )]);
    let run = folder.serin(&["check", "--output", "json", "rules.yaml"]).ends_with(1);
    let json = run.json();
    let expected = json!({
        "severity": "error", "code": "unknown-field", "file": "rules.yaml", "line": 7, "column": 30, "end_line": 7, "end_column": 36,
        "place": null, "path": "rollouts.shop.versions.v2.wieght", "rollout": "shop", "message": "unknown field",
        "did_you_mean": "weight", "hint": "the fields here are cluster, weight, place, off, set_headers",
    });
    assert_eq!(json["findings"][0], expected);
    assert_eq!(json["findings"][2]["code"], "yaml-word", "{json:#}");
    let counts = ["errors", "warnings", "documents", "files"].map(|name| json[name].clone());
    assert_eq!(counts, [2, 1, 1, 1].map(Value::from));
}

fn indented(text: &str, spaces: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(spaces))).collect()
}
