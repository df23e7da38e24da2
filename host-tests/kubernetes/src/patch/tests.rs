//! Lines of texts and of containers, read.

use super::{Form, PatchLine, filled_in, lines_of_resource, lines_of_text};
use crate::resources;

type Line<'a> = (&'a str, &'a str, &'a str, Form, &'a str);

fn check_found(of: &str, found: anyhow::Result<Vec<PatchLine>>, expected: Result<&[Line<'_>], &str>) {
    match (found, expected) {
        (Ok(lines), Ok(expected)) => {
            let lines =
                lines.iter().map(|one| (&*one.kind, &*one.name, &*one.namespace, one.form, one.patch.to_string()));
            let expected =
                expected.iter().map(|&(kind, name, space, form, patch)| (kind, name, space, form, patch.to_owned()));
            assert_eq!(lines.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{of}");
        }
        (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{of}: {error:#}"),
        (found, _) => panic!("{of} gives {found:?}"),
    }
}

fn check(command: &str, expected: Result<&[Line<'_>], &str>) {
    let text = format!("```sh\n{command}\n```\n");
    check_found(command, lines_of_text("".as_ref(), "README.md".as_ref(), &text), expected);
}

#[test]
fn a_line_is_read() {
    let merged: Line<'_> = ("wasmplugin", "serin", "istio-ingress", Form::Merge, r#"{"spec":{"priority":7}}"#);
    let patch = r#"'{"spec":{"priority":7}}'"#;
    check(&format!("kubectl -n istio-ingress patch wasmplugin serin --type merge -p {patch}"), Ok(&[merged]));
    check(
        &format!("kubectl patch wasmplugin/serin --namespace=istio-ingress --type=merge --patch={patch}"),
        Ok(&[merged]),
    );
    let empty: Line<'_> = ("x", "y", "", Form::Json, "[]");
    let line = "kubectl patch x y --type json -p '[]'";
    check(&format!("{line} | cat"), Ok(&[empty]));
    check("kubectl get ns", Ok(&[]));
    check("kubectl patch x y --type json -p '{'", Err("no JSON"));
    check("kubectl patch x y -p '{}'", Err("--type strategic"));
    check("kubectl patch x y --type merge", Err("one of -p and"));
    check("kubectl patch x --type merge -p '{}'", Err("neither kind nor name"));
    check("kubectl patch x y --typ merge -p '{}'", Err("what does --typ mean"));
}

#[test]
fn every_line_of_a_command_is_read() {
    let empty: Line<'_> = ("x", "y", "", Form::Json, "[]");
    let line = "kubectl patch x y --type json -p '[]'";
    check(&format!("kubectl get ns && {line}"), Ok(&[empty]));
    check(&format!("kubectl get ns; {line};kubectl get ns"), Ok(&[empty]));
    check(&format!("{line} && {line}"), Ok(&[empty, empty]));
    check(&format!("echo \"$({line})\""), Ok(&[empty]));
    check(&format!("if {line}; then\n  sudo {line} >/dev/null 2>&1\nfi"), Ok(&[empty, empty]));
    check(&format!("kubectl get ns && {line} -o yaml"), Err("what does -o mean"));
    check("sh -c \"kubectl -n shop patch x y\"", Err("kubectl patch KIND NAME is expected"));
    check("kubectl get x -o 'jsonpath=a patch b'", Err("README.md:2: kubectl get x"));
    check("kubectl patch x y --type json -p '[]", Err("a quote is not closed"));
    check("kubectl patch x y --type json -p \"$(cat x.json)\"", Err("no JSON"));
}

#[test]
fn what_containers_run_is_read() {
    let check = |container: &str, expected: Result<&[Line<'_>], &str>| {
        let text = format!("apiVersion: v1\nkind: X\nspec: {{containers: [{container}]}}\n");
        let resource = &resources::read("x.yaml".as_ref(), 1, &text).unwrap()[0];
        check_found(container, lines_of_resource("".as_ref(), resource), expected);
    };
    let empty: Line<'_> = ("x", "z", "", Form::Json, "[]");
    let words = "patch, x, z, --type, json, -p, '[]'";
    check(&format!("{{command: [kubectl, {words}]}}"), Ok(&[empty]));
    check(&format!("{{command: [kubectl], args: [{words}]}}"), Ok(&[empty]));
    check(&format!("{{args: [--namespace=, {words}]}}"), Ok(&[empty]));
    check(&format!("{{command: [timeout, '9', kubectl, {words}]}}"), Ok(&[empty]));
    check("{command: [kubectl, wait, --timeout=5m]}", Ok(&[]));
    let line = "kubectl patch x z --type json -p []";
    check(&format!("{{command: [sh, -c, 'kubectl get ns && {line} && {line}']}}"), Ok(&[empty, empty]));
    check("{command: [sh, -c, 'kubectl -n shop patch x']}", Err("neither kind nor name"));
    check("{args: [-n, shop, patch, x]}", Err("neither kind nor name"));
}

#[test]
fn arguments_stand_for_numbers() {
    for (text, expected) in [
        (r#"{"weight":{{args.weight}}}"#, r#"{"weight":7}"#),
        (r#"{"a":{"weight":{{args.weight}}}}"#, r#"{"a":{"weight":7}}"#),
        (r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{}}}"#),
        ("{{a}} and {{b}}", "7 and 7"),
    ] {
        assert_eq!(filled_in(text), expected);
    }
}
