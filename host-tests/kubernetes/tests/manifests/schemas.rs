//! Schemas and rules of our own: what of a definition is understood, and how.

use serde_json::{Value, json};
use serin_kubernetes::{Kind, Scope};

/// Holds a `spec` against the schema of it: each problem has this place and this part of a message.
fn check(schema: &Value, spec: Value, expected: &[(&str, &str)]) {
    let kind = Kind::new(&json!({"type": "object", "properties": {"spec": schema}}), Scope::Cluster).unwrap();
    let resource = json!({"apiVersion": "example.com/v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec});
    let found = kind.problems(&resource);
    assert_eq!(found.len(), expected.len(), "{schema} finds {found:?}");
    for (problem, (place, part)) in found.iter().zip(expected) {
        assert!(problem.place == *place && problem.message.contains(part), "{schema} finds {problem}");
    }
}

/// Asks one rule, about a value of any type.
fn ask(schema: &Value, rule: &str, value: Value, expected: Result<(), &str>) {
    let mut schema = schema.clone();
    schema["x-kubernetes-validations"] = json!([{"rule": rule, "message": "it does not hold"}]);
    match expected {
        Ok(()) => check(&schema, value, &[]),
        Err(part) => check(&schema, value, &[("spec", part)]),
    }
}

#[test]
fn what_a_schema_does_not_name_is_wrong() {
    let named = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    check(&named, json!({"a": "x"}), &[]);
    check(&named, json!({"b": "x"}), &[("spec.b", "unknown field")]);
    check(&json!({"type": "object"}), json!({"b": 1}), &[("spec.b", "unknown field")]);
    let open = json!({"type": "object", "properties": {"a": named}, "x-kubernetes-preserve-unknown-fields": true});
    check(&open, json!({"b": {"c": 1}}), &[]);
    check(&open, json!({"a": {"c": 1}}), &[("spec.a.c", "unknown field")]);
    let map = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    check(&map, json!({"a": 1, "b": "x"}), &[("spec.b", "not of type")]);
    let branches = json!({
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    });
    check(&branches, json!({"a": "x"}), &[]);
    check(&branches, json!({"a": "x", "b": "x"}), &[("spec", "")]);
}

#[test]
fn values_are_held_against_types_and_bounds() {
    let either = json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]});
    check(&either, json!(1), &[]);
    check(&either, json!("1"), &[]);
    check(&json!({"x-kubernetes-int-or-string": true}), json!(true), &[("spec", "not of type")]);
    let small = json!({"type": "integer", "format": "int32", "minimum": 0});
    check(&small, json!(2_147_483_647), &[]);
    check(&small, json!(2_147_483_648_i64), &[("spec", "greater than the maximum")]);
    check(&small, json!(-1), &[("spec", "less than the minimum")]);
    check(&json!({"type": "string", "format": "byte"}), json!("c2VyaW4="), &[]);
    check(&json!({"type": "string", "format": "byte"}), json!("serin"), &[("spec", "byte")]);
    check(&json!({"type": "string", "format": "date-time"}), json!("tomorrow"), &[("spec", "date-time")]);
    check(&json!({"type": "string", "pattern": "^a+$"}), json!("ab"), &[("spec", "does not match")]);
    check(&json!({"type": "string", "nullable": true, "maxLength": 1}), json!(null), &[]);
    check(&json!({"type": "string", "nullable": true, "maxLength": 1}), json!("ab"), &[("spec", "longer")]);
    check(&json!({"type": "object", "properties": {"a": {"type": "string"}}}), json!({"a": null}), &[]);
    check(&json!({"type": "array", "items": {"type": "string"}}), json!([null]), &[("spec[0]", "not of type")]);
}

#[test]
fn nothing_stands_twice_in_a_list_that_is_a_set_or_a_map() {
    let set = json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"});
    check(&set, json!(["a", "b"]), &[]);
    check(&set, json!(["a", "b", "a"]), &[("spec[2]", "duplicate \"a\"")]);
    let item = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "port": {"type": "integer", "default": 80}},
    });
    let keys = json!(["name", "port"]);
    let map = json!({
        "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys,
    });
    check(&map, json!([{"name": "a"}, {"name": "a", "port": 81}]), &[]);
    check(&map, json!([{"name": "a"}, {"name": "a", "port": 80}]), &[("spec[1]", "duplicate \"a\", 80")]);
}

#[test]
fn rules_are_asked_about_values_of_their_schema() {
    let text = json!({"type": "string"});
    for (rule, value, holds) in [
        ("isURL(self) ? url(self).getScheme() in ['oci'] : false", "oci://x/y", true),
        ("isURL(self) ? url(self).getScheme() in ['oci'] : false", "ftp://x/y", false),
        ("isURL('http://' + self) && url('http://' + self).getScheme() == 'http'", "x/y", true),
        ("self.split('/')[0].size() < 3", "ab/c", true),
        ("self.substring(1, 2) == 'b' && self.upperAscii() == 'ABC' && self.lowerAscii() == 'abc'", "abc", true),
        (r#"self.matches(r"""^(\*\.)?[a-z]+$""")"#, "*.a", true),
        ("duration(self) > duration('0s') && duration('1h30m') == duration('5400s')", "10ms", true),
        ("duration(self) > duration('0s')", "0s", false),
        ("self.contains('b') && self.startsWith('a') && self.endsWith('c')", "abc", true),
        ("int(self) <= 65535", "65536", false),
    ] {
        ask(&text, rule, json!(value), if holds { Ok(()) } else { Err("it does not hold") });
    }
    let list = json!({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}});
    let once = "self.all(a, self.exists_one(b, a.n == b.n)) && self.filter(a, a.n > 1).size() == 1";
    ask(&list, once, json!([{"n": 1}, {"n": 2}]), Ok(()));
    ask(&list, once, json!([{"n": 2}, {"n": 2}]), Err("it does not hold"));
    ask(&list, "self[0].m == 1", json!([{"n": 1}]), Err("cannot be evaluated"));
    let number = json!({"type": "number"});
    ask(&number, "self == 1.0 && self / 2.0 == 0.5", json!(1), Ok(()));
    ask(&json!({"type": "integer"}), "self / 2 == 0", json!(1), Ok(()));
    ask(&json!({"type": "integer"}), "self + 1", json!(1), Err("neither true nor false"));
    ask(&json!({"type": "integer"}), "self == oldSelf", json!(1), Ok(()));
    let fields = json!({
        "type": "object",
        "properties": {"namespace": {"type": "string"}, "a-b": {"type": "string"}, "any": {
            "x-kubernetes-preserve-unknown-fields": true,
        }, "on": {"type": "boolean", "default": true}},
    });
    let rule = "self.__namespace__ == 'x' && self.a__dash__b == 'y' && !has(self.any) && self.on";
    ask(&fields, rule, json!({"namespace": "x", "a-b": "y", "any": 1}), Ok(()));
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    ask(&map, "self.all(key, key.size() != 0) && 'a-b' in self", json!({"a-b": "x"}), Ok(()));
}

#[test]
fn a_rule_of_the_whole_resource_sees_its_name() {
    let kind = |rule: &str| {
        let rules = json!([{"rule": rule, "message": "it does not hold"}]);
        let schema = json!({"type": "object", "properties": {}, "x-kubernetes-validations": rules});
        Kind::new(&schema, Scope::Cluster)
            .unwrap()
            .problems(&json!({"apiVersion": "a/v1", "kind": "X", "metadata": {"name": "x"}}))
    };
    assert_eq!(kind("self.metadata.name == 'x' && self.kind == 'X' && !has(self.metadata.labels)"), []);
    assert_eq!(kind("self.metadata.name == 'y'")[0].message, "it does not hold");
}

#[test]
fn what_is_not_understood_is_no_definition() {
    let rule = |rule: &str| json!({"type": "string", "x-kubernetes-validations": [{"rule": rule}]});
    let expression = json!({"rule": "true", "messageExpression": "'x'"});
    for (schema, part) in [
        (json!({"type": "string", "dependentRequired": {}}), "no such keyword"),
        (json!({"type": "string", "format": "snowflake"}), "cannot be used"),
        (json!({"allOf": [{"default": 1}]}), "where no value is described"),
        (rule("quantity(self).isInteger()"), "there is no function"),
        (rule("self ==="), "the rule self ==="),
        (json!({"type": "string", "x-kubernetes-validations": [expression]}), "messageExpression"),
    ] {
        let schema = json!({"type": "object", "properties": {"spec": schema}});
        let error = format!("{:#}", Kind::new(&schema, Scope::Cluster).unwrap_err());
        assert!(error.contains(part), "{schema}: {error}");
    }
}
