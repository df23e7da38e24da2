//! The path of an error leads back to what it is about.

use proptest::prelude::*;
use serde_json::Value;
use serin_core::{Rules, Step, Surroundings, steps};

/// Follows an error's steps through the document that it is about, as far as there is something.
fn follow<'v>(mut value: &'v Value, steps: &[Step]) -> (usize, &'v Value) {
    for (taken, step) in steps.iter().enumerate() {
        let next = match step {
            Step::Field(name) => value.get(name),
            Step::LongField(start) => value.as_object().and_then(|object| {
                object.iter().find(|(name, _)| name.len() > 64 && name.starts_with(start)).map(|(_, value)| value)
            }),
            Step::Item(index) => value.get(index),
        };
        let Some(next) = next else { return (taken, value) };
        value = next;
    }
    (steps.len(), value)
}

/// Whatever is wrong in the bad documents is found again, or what it is missing in.
#[test]
fn of_every_bad_document() {
    let table: Vec<Value> = serde_json::from_str(include_str!("../bad-documents.json")).unwrap();
    let mut followed = 0;
    for case in &table {
        let text = case["document"].as_str().unwrap();
        let Ok(document) = serde_json::from_str::<Value>(text) else { continue };
        for error in Rules::parse(text.as_bytes(), &Surroundings::default()).errors {
            let steps = error.steps();
            let (taken, _) = follow(&document, &steps);
            assert!(taken + 1 >= steps.len(), "{error}: {steps:?} lead to nothing in {text}");
            followed += 1;
        }
    }
    assert!(followed > 400, "{followed} errors");
}

#[test]
fn of_names_that_are_no_plain_ones() {
    #[track_caller]
    fn check(name: &str) {
        let document = serde_json::json!({"rollouts": {name: {"stable": "v1", "versions": {"v1": {}}, "total": 0}}});
        let errors = Rules::parse(document.to_string().as_bytes(), &Surroundings::default()).errors;
        let error = errors.iter().find(|error| error.message().starts_with("found 0")).unwrap();
        assert_eq!(follow(&document, &error.steps()), (3, &serde_json::json!(0)), "{error}");
    }
    for name in ["", "a.b", "a\"]", "\\", "é…", "line\nbreak", "[0]", "a[\"b", "\u{1f600}", "}"] {
        check(name);
    }
    check(&"a".repeat(64));
    check(&"a.".repeat(100));
}

proptest! {
    /// Of a path that somebody has typed nothing is known; an open bracket once kept it from coming to an end.
    #[test]
    fn of_any_text_come_to_an_end(path in r#"[a.\["\]0\\]{0,12}"#) {
        prop_assert!(steps(&path).len() <= path.len(), "{path}");
    }
}
