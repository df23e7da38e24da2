//! The JSON Schema says of the rules document what its reader does.

mod repository;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use serin_core::{Rules, Surroundings};

fn validator() -> Validator {
    jsonschema::draft7::new(&serin_core::schema()).expect("the schema is one of draft 7")
}

#[test]
fn takes_every_document_in_texts_and_manifests() {
    let (validator, documents) = (validator(), repository::documents());
    for (file, document) in &documents {
        let errors: Vec<String> =
            validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?} in {document}", file.display());
    }
    assert!(documents.len() > 10, "{} documents", documents.len());
}

#[test]
fn takes_every_good_document() {
    let (validator, table) = (validator(), include_str!("good-documents.json"));
    for case in serde_json::from_str::<Vec<Value>>(table).unwrap() {
        let errors: Vec<String> = validator
            .iter_errors(&case["document"])
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", case["about"]);
    }
}

/// What editors and the command offer is right where they offer it.
#[test]
fn takes_its_own_examples() {
    let schema = serin_core::schema();
    let mut found = 0;
    let mut places = vec![&schema];
    while let Some(place) = places.pop() {
        places
            .extend(place.as_object().into_iter().flat_map(Map::values).chain(place.as_array().into_iter().flatten()));
        let Some(examples) = place.get("examples").and_then(Value::as_array) else { continue };
        let mut alone = place.clone();
        alone["definitions"] = schema["definitions"].clone();
        let validator = jsonschema::draft7::new(&alone).unwrap();
        for example in examples {
            assert!(validator.is_valid(example), "{example} in {place}");
            found += 1;
        }
    }
    assert!(found > 60, "{found} examples");
}

/// Mistakes that a schema cannot see: a part of their message, and why.
const BEYOND_A_SCHEMA: &[(&str, &str)] = &[
    ("the field stands here twice", "readers of JSON keep one of the two"),
    ("stands here twice; expected different ids", "compares keys"),
    ("the weights add up to", "sums"),
    ("the same place as that of", "compares versions"),
    ("versions here have a weight", "counts versions"),
    ("stable cannot be off", "depends on which version is stable"),
    ("stable has no place", "depends on which version is stable"),
    ("a request for stable is left as it is", "depends on which version is stable"),
    ("\"; expected the name of a listed version", "depends on which versions are listed"),
    ("stable takes what the others leave", "depends on which version is stable"),
    ("takes what a schedule leaves", "depends on which version is stable"),
    ("found 101; expected a whole number from 0 to 100", "depends on the total"),
    ("it is not after from", "compares moments"),
    ("2026-02-29T09:00:00Z", "the calendar"),
    ("expected no schedule", "depends on another field"),
    ("expected no guard", "depends on another field"),
    ("it is shared in a cookie", "depends on another part of the document"),
    ("\"504-500\"", "compares numbers"),
    ("nothing is a failure here", "depends on another field"),
    ("the alias is also the name of a version", "depends on which versions are listed"),
    ("a version is named \"auto\"", "depends on whether there is an override"),
    ("the secret and the override have the same header", "compares fields"),
    ("two of them are named", "compares fields, without regard to case"),
    ("present has no case", "depends on another field"),
    ("the filter removes this header", "knows the names that HTTP reserves"),
    ("is one that the filter writes itself", "compares fields"),
    ("is a cookie or header that the filter writes itself", "compares fields"),
    ("leaves the choice to the route's weights", "depends on another field"),
    ("by which the route finds a held version", "depends on other fields"),
    ("split: route cannot tell apart", "compares versions"),
    ("reads a header that set_headers writes", "compares fields"),
    ("have 32 different headers already", "counts over all rollouts"),
    ("regexes; expected at most 32", "counts over a rollout"),
    ("a cookie named __", "depends on other attributes"),
    ("same_site: none needs a secure cookie", "depends on another attribute"),
    ("a partitioned cookie needs a secure one", "depends on another attribute"),
    ("drain needs a version that is held", "depends on another field"),
    ("needs sticky.hold", "depends on another part of the document"),
    ("leaves the weights to the route", "depends on another part of the document"),
    ("by which split: route knows who serves", "depends on another part of the document"),
    ("which headers.cluster (", "depends on another part of the document"),
    ("native needs the name of a header", "depends on another part of the document"),
    ("the version is inherited by headers.version", "depends on another part of the document"),
    ("one of the output headers", "depends on another part of the document"),
    ("a held version is kept in a cookie", "depends on another part of the document"),
    ("an override is remembered in a cookie", "depends on another part of the document"),
    ("can only be remembered in a signed cookie", "depends on another part of the document"),
    ("signed needs keys", "depends on another part of the document"),
    ("the environment has no", "depends on the environment"),
    ("found \"Cookie\"; expected the name of a header that HTTP does not reserve", "a list of names in any case"),
    ("found \"X-Forwarded-For\"; expected the name of a header", "a list of names in any case"),
    ("found \"x-envoy-foo\"; expected the name of a header", "a list of names in any case"),
    ("set_headers.Host: the name does not fit", "a list of names in any case"),
    ("set_headers.x-envoy-foo: the name does not fit", "a list of names in any case"),
    ("h\"; expected a duration of whole days", "arithmetic"),
    ("the address has bits behind the network's", "arithmetic"),
    ("expected a regular expression (", "the grammar of regular expressions"),
    ("capturing groups", "the grammar of regular expressions"),
];

#[test]
fn refuses_every_bad_document_whose_mistake_a_schema_can_see() {
    let validator = validator();
    let table: Vec<Value> = serde_json::from_str(include_str!("bad-documents.json")).unwrap();
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for case in &table {
        let Ok(document) = serde_json::from_str(case["document"].as_str().unwrap()) else { continue };
        let errors: Vec<&str> = case["errors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let exception = |error: &&str| BEYOND_A_SCHEMA.iter().map(|(part, _)| *part).find(|part| error.contains(part));
        let exceptions: Vec<Option<&str>> = errors.iter().map(exception).collect();
        let expected = exceptions.iter().all(Option::is_some);
        if expected {
            used.extend(exceptions.into_iter().flatten());
        }
        if validator.is_valid(&document) != expected {
            wrong.push(format!("{} {errors:?}", if expected { "refused:" } else { "taken:  " }));
        }
    }
    assert!(wrong.is_empty(), "the schema or BEYOND_A_SCHEMA is not right:\n{}", wrong.join("\n"));
    let unused: Vec<_> = BEYOND_A_SCHEMA.iter().filter(|(part, _)| !used.contains(part)).collect();
    assert!(unused.is_empty(), "no bad document needs these exceptions: {unused:#?}");
}

#[test]
fn knows_the_fields_that_the_reader_knows() {
    let mut places = Vec::new();
    let schema = serin_core::schema();
    walk(&schema, &schema, &mut Vec::new(), &mut |steps, object| {
        if object.contains_key("properties") {
            places.push((steps.to_vec(), names(object)));
        }
    });
    assert!(places.len() > 15, "{} places", places.len());
    let different: Vec<String> = places.iter().filter_map(|(steps, names)| compare(steps, names)).collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn explains_every_field_and_takes_no_other() {
    let schema = serin_core::schema();
    walk(&schema, &schema, &mut Vec::new(), &mut |steps, object| {
        if let Some(Value::Object(properties)) = object.get("properties") {
            assert_eq!(object["additionalProperties"], false, "{steps:?}");
            for (name, property) in properties {
                assert!(property["description"].as_str().is_some_and(|text| text.ends_with('.')), "{steps:?} {name}");
            }
        }
    });
}

#[test]
fn takes_no_null() {
    let (mut types, mut nulls) = (0, Vec::new());
    everywhere(&serin_core::schema(), &mut |object| {
        types += usize::from(object.contains_key("type"));
        let allows = |name: &str, what: Value| {
            object
                .get(name)
                .is_some_and(|found| *found == what || found.as_array().is_some_and(|all| all.contains(&what)))
        };
        if allows("type", "null".into()) || allows("enum", Value::Null) || allows("const", Value::Null) {
            nulls.push(Value::Object(object.clone()));
        }
    });
    assert!(types > 50, "{types} types");
    assert!(nulls.is_empty(), "{nulls:#?}");
}

/// Calls `visit` with every object in a JSON value.
fn everywhere(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|value| everywhere(value, visit));
        }
        Value::Array(list) => list.iter().for_each(|value| everywhere(value, visit)),
        _ => {}
    }
}

#[test]
fn takes_every_duration_that_the_reader_takes() {
    let validator = validator();
    for days in [1, 2, 3, 7, 9, 10, 30, 99, 100, 365, 399, 400_u64] {
        for (unit, number) in [("d", 1), ("h", 24), ("m", 1_440), ("s", 86_400), ("ms", 86_400_000)] {
            for zeros in ["", "0", "000"] {
                let text = format!("{zeros}{}{unit}", days * number);
                check(&validator, &with_cookie("max_age", &text), true);
                check(&validator, &remembering(&text), true);
            }
        }
    }
    for text in ["1m", "60s", "99s", "100s", "60000ms", "61000ms", "90000ms", "34559999s", "9599h", "575999m"] {
        check(&validator, &remembering(text), true);
    }
    for text in ["0m", "59s", "59000ms", "60001ms", "401d", "0d", "1w", "1", "m", "1.5h", "-1m", "", "1 m"] {
        check(&validator, &remembering(text), false);
        check(&validator, &with_cookie("max_age", text), false);
    }
}

proptest! {
    /// Texts that are addresses, nearly so, or not at all.
    #[test]
    fn takes_the_networks_that_the_reader_takes(
        v4: [u8; 4],
        v6: [u16; 8],
        mask: u8,
        bits in 0_u32..140,
        spoilt in proptest::option::of(("[0-9a-f.:/g]", 0_usize..20)),
    ) {
        let validator = validator();
        // Groups of zeros are left out of an address when it is written.
        let v6 = std::array::from_fn(|at| if mask >> at & 1 == 1 { v6[at] } else { 0 });
        let (v4, v6) = (Ipv4Addr::from(v4), Ipv6Addr::from(v6));
        let mapped = v4.to_ipv6_mapped();
        for address in [v4.to_string(), v6.to_string(), mapped.to_string(), format!("64:ff9b::{v4}")] {
            for text in [address.clone(), format!("{address}/{bits}"), format!("{address}/0{bits}")] {
                let mut text = text;
                if let Some((letter, at)) = &spoilt {
                    text.insert_str((*at).min(text.len()), letter);
                }
                let document = with_match("source", &text);
                let refused = reader_refuses(&document, "expected an address or network");
                if !refused {
                    prop_assert!(validator.is_valid(&document), "refused: {text}");
                } else if !text.contains(':') {
                    prop_assert!(!validator.is_valid(&document), "taken: {text}");
                }
            }
        }
    }
}

#[track_caller]
fn check(validator: &Validator, document: &Value, taken: bool) {
    let surroundings = Surroundings { env: &|_| None, ..Surroundings::default() };
    let errors = Rules::parse(document.to_string().as_bytes(), &surroundings).errors;
    assert_eq!(errors.is_empty(), taken, "the reader: {document}");
    assert_eq!(validator.is_valid(document), taken, "the schema: {document}");
}

fn with_cookie(field: &str, text: &str) -> Value {
    json!({"rollouts": {}, "cookie": {field: text}})
}

fn with_rollout(field: &str, value: Value) -> Value {
    json!({"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}}, field: value}}})
}

fn remembering(text: &str) -> Value {
    with_rollout("override", json!({"query": "q", "remember": text}))
}

fn with_match(field: &str, text: &str) -> Value {
    with_rollout("match", json!([{field: [text]}]))
}

/// Whether an error of the reader has this in it.
fn reader_refuses(document: &Value, expected: &str) -> bool {
    let errors = Rules::parse(document.to_string().as_bytes(), &Surroundings::default()).errors;
    errors.iter().any(|error| error.to_string().contains(expected))
}

/// One step from an object or list to what stands in it.
#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Item,
}

/// Calls `visit` with every schema of an object, and the steps from the document's root to such an object.
fn walk(root: &Value, schema: &Value, steps: &mut Vec<Step>, visit: &mut impl FnMut(&[Step], &Map<String, Value>)) {
    let Some(object) = schema.as_object() else { return };
    if object.get("type").is_some_and(|name| name == "object") {
        visit(steps, object);
    }
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).expect("every reference leads somewhere");
        walk(root, target, steps, visit);
    }
    for branches in ["allOf", "anyOf", "oneOf"] {
        let branches = object.get(branches).and_then(Value::as_array);
        branches.into_iter().flatten().for_each(|branch| walk(root, branch, steps, visit));
    }
    let named = object.get("properties").and_then(Value::as_object).into_iter().flatten();
    // Any name fits the patterns of the document's names.
    let by_pattern = object.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
    let fields =
        named.map(|(name, schema)| (name.clone(), schema)).chain(by_pattern.map(|(_, schema)| ("v1".into(), schema)));
    let items = object.get("items").map(|schema| (Step::Item, schema));
    for (step, schema) in fields.map(|(name, schema)| (Step::Field(name), schema)).chain(items) {
        steps.push(step);
        walk(root, schema, steps, visit);
        steps.pop();
    }
}

fn names(object: &Map<String, Value>) -> BTreeSet<String> {
    object["properties"].as_object().expect("properties are an object").keys().cloned().collect()
}

/// What the reader and the schema disagree about in one object. The reader tells what it knows when it meets what it does not.
fn compare(steps: &[Step], names: &BTreeSet<String>) -> Option<String> {
    const STRANGE: &str = "zzzzzz";
    let mut document = steps.iter().rev().fold(json!({ STRANGE: true }), |inner, step| match step {
        Step::Field(name) => json!({ name: inner }),
        Step::Item => json!([inner]),
    });
    // Rules are read against the versions that are listed.
    if let Some(rollout) = document.pointer_mut("/rollouts/v1").and_then(Value::as_object_mut) {
        rollout.entry("versions").or_insert_with(|| json!({}));
    }
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Field(name) => path += &format!("{name}."),
            Step::Item => path = path.trim_end_matches('.').to_owned() + "[0].",
        }
    }
    let start = format!("{path}{STRANGE}: unknown field; expected one of ");
    let errors = Rules::parse(document.to_string().as_bytes(), &Surroundings::default()).errors;
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let Some(known) = errors.iter().find_map(|error| error.strip_prefix(&start)) else {
        return Some(format!("{path}: the reader does not get there: {errors:?}"));
    };
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
    let (missing, extra) = (known.difference(names), names.difference(&known));
    let (missing, extra): (Vec<_>, Vec<_>) = (missing.collect(), extra.collect());
    (known != *names).then(|| format!("{path}: the schema lacks {missing:?}, the reader does not know {extra:?}"))
}
