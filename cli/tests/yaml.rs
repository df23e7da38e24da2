//! YAML that cannot be read, or that is more than it seems: what `check` says of it, and where.

mod support;

use support::{Folder, Run, SOUND};

/// Checks a file with these bytes.
fn check(bytes: impl AsRef<[u8]>) -> Run {
    let folder = Folder::with(&[]);
    folder.write("rules.yaml", bytes);
    folder.serin(&["check", "rules.yaml"])
}

/// What people do wrong, where they do it, and with what helps.
#[test]
fn what_is_no_yaml() {
    let says = |file: &str, place: &str, expected: &str| check(file).ends_with(1).says(place).says(expected);
    says("rollouts:\n  a:\n    stable: v1\n\tversions: x\n", ":4:1\n", "a tab where only spaces may stand");
    says("rollouts:\n  a:\n    b:\n\tc: d\n", ":4:1\n", "a tab where only spaces may stand");
    let colon = "= help: the line before has no colon with a space behind it";
    says("rollouts:\n  a:\n    stable v1\n    versions: {}\n", ":4:13\n", colon);
    says("rollouts:\n  a:\n    stable:v1\n    # A comment.\n    versions: {}\n", ":5:5\n", colon);
    let colons = "= help: a space stands behind each colon, the names of one object are indented alike";
    says("rollouts:\n  a: b: c\n", ":2:7\n", colons);
    says("rollouts:\n  a: x\n   b: c\n", ":3:5\n", colons);
    says("rollouts:\n  a: x\n b: c\n", ":3:2\n", colons);
    says("rollouts:\n  a:\n    b: c\n    versions\n", ":4:5\n", colons);
    says("rollouts:\n  a: {b: c d: e}\n", ":2:13\n", "= help: in brackets commas stand between fields");
    says("rollouts:\n  a: \"v1\ncookie: {}\n", ":3:1\n", "= help: a quote that was opened before is not closed");
    let template = "= help: a template is rendered first, as by helm template";
    says("rollouts:\n  a: {{ .Values.a }}\n", ":2:7\n", template);
    says("rollouts:\n  {{- toYaml .Values.a | nindent 2 }}\n", ":2:", template);
    says("{{- if .Values.a }}\nrollouts: {}\n{{- end }}\n", ":1:", template);
}

/// A title stands on one line, whatever is called so.
#[test]
fn names_that_break_lines() {
    let run = check("rollouts: {a: {stable: v1, \"x\\ny\": 1, versions: {v1: {}}}}\n").ends_with(1);
    run.says("error[unknown-field]: unknown field x\\ny; expected one of");
}

/// Kubernetes merges fields of `<<`; nobody else on the way to the filter does.
#[test]
fn merge_keys() {
    let document = "rollouts:\n  shop: &a {stable: v1, versions: {v1: &b {cluster: c}, v2: {<<: *b, weight: 10}}}\n";
    let bare = check(document).ends_with(1).says("unknown field <<");
    bare.says("= help: only Kubernetes merges fields so; here they have to stand themselves");
    let plugin = |document: &str| {
        let head =
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: a}\nspec:\n  pluginConfig:\n";
        check(format!("{head}    {}", document.trim_end().replace('\n', "\n    ")))
    };
    plugin(document).ends_with(0);
    let says = |merge: &str, expected: &str| {
        plugin(&document.replace("<<: *b, weight: 10", merge)).ends_with(1).says(expected);
    };
    says("<<: [*b, {wieght: 5}]", "unknown field wieght");
    says("<<: [*b, {wieght: 5}]", ":7:");
    says("<<: [{weight: a}, {weight: b}]", "found \"a\"; expected a whole number");
    says("<<: {weight: a}, weight: b", "found \"b\"; expected a whole number");
    says("weight: a, <<: {weight: b}", "found \"b\"; expected a whole number");
    says("weight: 1, weight: 2", "the field stands here twice");
    says("<<: 5", "unknown field <<");
    says("'<<': *b", "unknown field <<");
}

/// What would be far larger in memory than it is in the file.
#[test]
fn what_is_a_bomb() {
    let values: String =
        (1..40).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))).collect();
    check(format!("a0: &a0 [1]\n{values}")).ends_with(1).says("more than two million values");
    let text = "x".repeat(100_000);
    check(format!("a: &a \"{text}\"\nb: [{}]\n", vec!["*a"; 20_000].join(", "))).ends_with(1).says("more than 64 MiB");
    let name = "x".repeat(1_000);
    check(format!("a: &a {{{name}: 1}}\nb: [{}]\n", vec!["*a"; 80_000].join(", ")))
        .ends_with(1)
        .says("more than 64 MiB");
    let nested: String = (0..120).map(|n| format!("&a{n} [")).collect();
    check(format!("{nested}\"{}\"{}\n", "x".repeat(1 << 20), "]".repeat(120))).ends_with(1).says("more than 64 MiB");
    check("[".repeat(1_000)).ends_with(1).says("recursion limit exceeded");
    let steps: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    check(steps).ends_with(1).says("recursion limit exceeded");
    check("a:\n ".repeat(200)).ends_with(1).says("unknown field a;");
    // What is repeated a few times is none.
    check(
        SOUND
            .replace("v1: {cluster", "v1: &a {cluster")
            .replace("v2: {cluster: shop-v2", "v3: *a\n      v2: {cluster: shop-v2"),
    )
    .ends_with(0);
}
