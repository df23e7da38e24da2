//! Every command on every kind of file, and how it ends.

mod support;

use support::Folder;

/// A document that every command can work with.
const GOOD: &str = "\
rollouts:
  shop:
    match: [{hosts: [shop.example.com]}]
    stable: v1
    versions: {v1: {}, v2: {weight: 10}}
    override: {query: canary, trust: signed}
keys: [{id: k1, secret: the first secret of some}]
";

/// Every command that reads documents, with a good one beside the file where it takes two.
const COMMANDS: [&[&str]; 6] = [
    &["check", "FILE"],
    &["explain", "FILE", "--host", "shop.example.com"],
    &["simulate", "FILE", "--rollout", "shop", "--visitors", "10"],
    &["diff", "good.yaml", "FILE", "--max-moved", "0%", "--allow-unknown"],
    &["diff", "FILE", "good.yaml", "--max-moved", "0%", "--allow-unknown"],
    &["token", "FILE", "--rollout", "shop", "--version", "v2", "--ttl", "1h"],
];

/// Checks the exit code of each command, in their order, of a file with these bytes, from the folder and from a pipe.
#[track_caller]
fn check(bytes: impl AsRef<[u8]>, expected: [i32; 6], says: &str) {
    check_by(&["file", "-"], bytes.as_ref(), expected, says);
}

/// The same by some names of the file, of which `-` is the pipe.
#[track_caller]
fn check_by(names: &[&str], bytes: &[u8], expected: [i32; 6], says: &str) {
    let folder = Folder::with(&[("good.yaml", GOOD)]);
    folder.write("file", bytes);
    for (words, expected) in COMMANDS.iter().zip(expected) {
        for name in names {
            let words: Vec<&str> = words.iter().map(|word| if *word == "FILE" { *name } else { *word }).collect();
            let input = if *name == "-" { bytes } else { b"" };
            folder.serin_with(&words, input, &[]).ends_with(expected).says(says);
        }
    }
}

#[test]
fn good_ones() {
    check(GOOD, [0; 6], "");
    check(GOOD.replace('\n', "\r\n"), [0; 6], "");
    let json = r#"{"keys": [{"id": "k1", "secret": "the first secret of some"}], "rollouts": {"shop": {"stable": "v1",
        "match": [{"hosts": ["shop.example.com"]}], "versions": {"v1": {}, "v2": {"weight": 10}},
        "override": {"query": "canary", "trust": "signed"}}}}"#;
    check(json, [0; 6], "");
}

/// The filter goes on where one rollout has a mistake, and so does `explain`; without any rules nothing does.
#[test]
fn bad_ones() {
    check(GOOD.replace("weight", "wieght"), [1, 0, 1, 1, 1, 2], "did you mean \"weight\"?");
    check(format!("{GOOD}cookie: 1\n"), [1; 6], "error[wrong-value]");
    check(format!("{GOOD}]\n"), [1; 6], "error[syntax]");
}

#[test]
fn what_is_no_document() {
    check("", [1; 6], "the file is empty");
    check("apiVersion: v1\nkind: Service\n", [1; 6], "error[no-document]");
    check(b"\0asm\x01\0\0\0", [1; 6], "a WebAssembly module");
    check(b"rollouts: \xff\n", [1; 6], "not a text file");
}

#[test]
fn what_is_huge() {
    let rollout = |n: usize| {
        format!("  r{n}: {{match: [{{hosts: [h{n}.example.com]}}], stable: v1, versions: {{v1: {{}}, v2: {{}}}}}}\n")
    };
    let many: String = (0..1_000).map(rollout).collect();
    // What comes anew there moves nobody, as nothing has a weight.
    check_by(&["file"], GOOD.replace("keys:", &format!("{many}keys:")).as_bytes(), [0; 6], "");
    check_by(&["file"], format!("{GOOD}# {}\n", "x".repeat(9 << 20)).as_bytes(), [0; 6], "");
    let large = format!("{GOOD}extra: \"{}\"\n", "x".repeat(9 << 20));
    check_by(&["file"], large.as_bytes(), [1; 6], "expected at most 8388608");
}

#[test]
fn what_is_not_there() {
    let folder = Folder::with(&[("good.yaml", GOOD)]);
    for words in COMMANDS {
        let words: Vec<&str> = words.iter().map(|word| if *word == "FILE" { "none.yaml" } else { word }).collect();
        folder.serin(&words).ends_with(2).says("cannot read none.yaml");
    }
}
