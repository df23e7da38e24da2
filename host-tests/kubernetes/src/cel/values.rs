//! Values as rules see them: by their schema, so that an integer is an `int` and what the schema does not name is not there.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value as Cel;
use cel::objects::Key;
use serde_json::Value;

use crate::defaults::of_field;

/// Words of the language, which a field's name cannot be in a rule.
const RESERVED: [&str; 20] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
];

/// A resource as a whole: of what every resource has, rules see its kind and its name.
pub(super) fn of_resource(resource: &Value, schema: &Value) -> Option<Cel> {
    let Some(Cel::Map(fields)) = of(resource, schema) else { return None };
    let mut fields = HashMap::clone(&fields.map);
    for name in ["apiVersion", "kind"] {
        fields.extend(resource[name].as_str().map(|text| (Key::from(name), Cel::from(text))));
    }
    let names =
        ["name", "generateName"].into_iter().filter_map(|name| Some((name, resource["metadata"][name].as_str()?)));
    fields.insert(Key::from("metadata"), Cel::from(names.collect::<HashMap<_, _>>()));
    Some(Cel::from(fields))
}

/// A value; `None` where the schema says too little for a rule to see it.
pub(super) fn of(value: &Value, schema: &Value) -> Option<Cel> {
    let is_number = schema["type"] == "number";
    let is_seen = schema.get("type").is_some() || schema["x-kubernetes-int-or-string"] == true;
    Some(match value {
        _ if !is_seen => return None,
        Value::Null => Cel::Null,
        Value::Bool(bool) => Cel::Bool(*bool),
        Value::Number(number) => match number.as_i64() {
            Some(int) if !is_number => Cel::Int(int),
            _ => Cel::Float(number.as_f64()?),
        },
        Value::String(text) => Cel::from(text.as_str()),
        Value::Array(items) => {
            Cel::List(Arc::new(items.iter().filter_map(|item| of(item, &schema["items"])).collect()))
        }
        Value::Object(fields) => {
            let is_map = schema.get("properties").is_none();
            let fields = fields.iter().filter_map(|(name, value)| {
                let key = if is_map { name.clone() } else { escaped(name) };
                Some((Key::from(key), of(value, of_field(schema, name)?)?))
            });
            Cel::from(fields.collect::<HashMap<_, _>>())
        }
    })
}

/// A field's name as a rule has to write it.
fn escaped(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    let special = [("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")];
    special.iter().fold(name.to_owned(), |name, (of, with)| name.replace(of, with))
}
