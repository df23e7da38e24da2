//! `serin fields`, run: what may stand where.

mod support;

use serde_json::json;

use support::{Folder, Run};

fn fields(words: &[&str]) -> Run {
    Folder::with(&[]).serin(&[&["fields"], words].concat())
}

#[test]
fn places() {
    fields(&[]).ends_with(0).says("rollouts    object by name, required").says("serin fields rollouts");
    let rollout = fields(&["rollouts"]).ends_with(0).says("fields of each").says("stable           text, required");
    rollout.says("serin fields rollouts.NAME.stable");
    for path in ["rollouts.shop.match", "rollouts.shop.match[0]", "rollouts.shop.match.0", "rollouts.*.rules.when"] {
        fields(&[path]).ends_with(0).says("hosts    list of texts").says("Conditions");
    }
    fields(&["rollouts.shop.sticky.hold"])
        .ends_with(0)
        .says("slot, version, page or none")
        .says("  page     The version");
    fields(&["rollouts.shop.versions.2.weight"]).ends_with(0).says("whole number").says("such as 10");
}

/// There may be several of what has fields, or one.
#[test]
fn fields_of_each() {
    for path in ["rollouts", "rollouts.a.versions", "rollouts.a.match", "keys"] {
        fields(&[path]).ends_with(0).says("\nfields of each\n");
    }
    for path in ["rollouts.a", "cookie", "rollouts.a.override.trust", "headers"] {
        fields(&[path]).ends_with(0).says("\nfields\n");
    }
}

#[test]
fn what_is_no_place() {
    fields(&["rollouts.shop.matc"]).ends_with(2).says("has no \"matc\"").says("did you mean \"match\"?");
    fields(&["weight"]).ends_with(2).says("It belongs to rollouts.NAME.versions.NAME, rollouts.NAME.schedule.steps");
    fields(&["access_log.x"]).ends_with(2).says("nothing is inside");
    fields(&["rollouts[0]"]).ends_with(2).says("an index where no list is");
}

#[test]
fn for_scripts() {
    let json = fields(&["rollouts.a.match.path", "--output", "json"]).ends_with(0).json();
    assert_eq!((&json["kind"], &json["example"]), (&json!("object"), &json!("{prefix: /checkout}")));
    let names: Vec<&str> = json["fields"].as_array().unwrap().iter().filter_map(|of| of["name"].as_str()).collect();
    assert_eq!(names, ["exact", "prefix", "regex"]);
}
