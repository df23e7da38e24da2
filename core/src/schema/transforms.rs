//! What schemars makes of types, made into what editors show best.

use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// All of them, in order.
pub(super) fn all() -> Vec<Box<dyn schemars::generate::GenTransform>> {
    vec![each(without_null), each(without_format), each(on_one_line)]
}

fn each(change: fn(&mut Object)) -> Box<dyn schemars::generate::GenTransform> {
    Box::new(RecursiveTransform(Change(change)))
}

/// A change to every schema that is an object.
#[derive(Clone)]
struct Change(fn(&mut Object));

impl Transform for Change {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            (self.0)(object);
        }
    }
}

/// A field that may be left out is an `Option`, of which schemars says that it may be `null` as well.
fn without_null(schema: &mut Object) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    for list in ["anyOf", "enum"] {
        if let Some(Value::Array(branches)) = schema.get_mut(list) {
            branches.retain(|branch| !branch.is_null() && branch.get("type").is_none_or(|name| name != "null"));
        }
    }
    if let Some([Value::Object(only)]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        let only = only.clone();
        schema.remove("anyOf");
        for (name, value) in only {
            // What the field says of itself comes before what its type says.
            schema.entry(name).or_insert(value);
        }
    }
}

/// `uint32` and its like are no formats that JSON Schema knows, and strict validators refuse them.
fn without_format(schema: &mut Object) {
    schema.remove("format");
}

/// The lines of a paragraph of a comment are one line of an editor's hint.
fn on_one_line(schema: &mut Object) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}
