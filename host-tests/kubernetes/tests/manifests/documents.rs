//! Which documents are resources, and how Kubernetes reads them.

use serin_kubernetes::{Resource, read, read_among_others, root};

use crate::OTHERS;

#[test]
fn what_is_no_resource_is_there() {
    for other in OTHERS {
        assert!(root().join(other).exists(), "there is no {other}");
    }
}

/// A text alone and among other documents: it has so many resources, or an error with this part.
fn check(text: &str, alone: Result<usize, &str>, among_others: Result<usize, &str>) {
    for (found, expected) in
        [(read("x.yaml".as_ref(), 7, text), alone), (read_among_others("x.yaml".as_ref(), 7, text), among_others)]
    {
        match (found.map(|found: Vec<Resource>| found.len()), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{text}: {error:#}"),
            (found, _) => panic!("{text} gives {found:?}"),
        }
    }
}

#[test]
fn a_document_that_is_no_resource_is_found() {
    let both = |text, expected| check(text, expected, expected);
    both("{apiVersion: v1, kind: Service}\n---\n# nothing\n---\n{apiVersion: v1, kind: Secret}", Ok(2));
    both("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service}]}", Ok(1));
    both("{apiVersion: v1, kind: List, items: [{apiVersion: v1}]}", Err("x.yaml:7: apiVersion and kind are expected"));
    both(
        "# Routes\n---\napiVersion: v1\nknd: Service\n",
        Err("x.yaml:9: apiVersion and kind are expected, and there is"),
    );
    both("{kind: Service, metadata: {name: x}}", Err("expected"));
    both("{apiVersion: v1, kind: '', metadata: {name: x}}", Err("expected"));
    both("{apiversion: v1, knd: Service, metadata: {name: x}}", Err("expected"));
    both("{", Err("no YAML"));
    check("rollouts: {}", Err("expected, and there is rollouts"), Ok(0));
    check("{apiVersion: 1, providers: []}", Err("expected"), Ok(0));
    check("[1]", Err("expected"), Ok(0));
}

#[test]
fn what_kubectl_reads_as_a_boolean_is_found() {
    let check = |body: &str, expected| {
        let text = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  {body}\n");
        check(&text, expected, expected);
    };
    check("off: x", Err("x.yaml:10: kubectl reads a bare off as true or false"));
    check("a: {v2: {off: true}}", Err("a bare off"));
    check("a: Yes", Err("a bare Yes"));
    check("a: [no]", Err("a bare no"));
    check("? on\n  : 1", Err("a bare on"));
    check("\"off\": x", Ok(1));
    check("'on': \"yes\"", Ok(1));
    check("a: !!str no", Ok(1));
    check("a: true # off: is a key", Ok(1));
    check("a: |\n    off: true", Ok(1));
    check("offer: nobody", Ok(1));
}
