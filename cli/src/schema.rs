//! What may stand where in a document, by its JSON Schema: for hints beside mistakes, and for `serin fields`.

use std::collections::BTreeSet;

use serde_json::Value;
use serin_core::Step;

/// The schema of the rules document.
pub(crate) struct Schema(Value);

/// What the schema says of a place in a document.
#[derive(Clone)]
pub(crate) struct Place<'s> {
    schema: &'s Schema,
    /// What holds for the place itself first, then what it refers to, and its alternatives.
    parts: Vec<&'s Value>,
}

/// A field that an object may have.
pub(crate) struct Field<'s> {
    pub(crate) name: &'s str,
    pub(crate) place: Place<'s>,
    pub(crate) is_required: bool,
}

impl Schema {
    pub(crate) fn new() -> Self {
        Self(serin_core::schema())
    }

    /// The document as a whole.
    pub(crate) fn root(&self) -> Place<'_> {
        self.place(&self.0)
    }

    /// What it says at a path of a document.
    pub(crate) fn at(&self, steps: &[Step]) -> Option<Place<'_>> {
        steps.iter().try_fold(self.root(), |place, step| match step {
            Step::Field(name) => place.field(name),
            Step::LongField(_) => place.named(),
            Step::Item(_) => place.item(),
        })
    }

    /// The places of objects that have a field of this name, such as `rollouts.NAME.versions.NAME`.
    pub(crate) fn places_of(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.root().collect_places(name, String::new(), &mut found);
        found
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.root().collect_names(&mut found);
        found
    }

    fn place<'s>(&'s self, node: &'s Value) -> Place<'s> {
        let mut parts = Vec::new();
        self.collect(node, &mut parts);
        Place { schema: self, parts }
    }

    fn collect<'s>(&'s self, node: &'s Value, parts: &mut Vec<&'s Value>) {
        parts.push(node);
        let name = node.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/definitions/"));
        let definition = name.and_then(|name| self.0.get("definitions")?.get(name));
        let branches = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|kind| node.get(kind)?.as_array()).flatten();
        for within in definition.into_iter().chain(branches) {
            self.collect(within, parts);
        }
    }
}

impl<'s> Place<'s> {
    /// The place behind a name: of a field, or of whatever has a name here.
    pub(crate) fn field(&self, name: &str) -> Option<Self> {
        let mut fields = self.parts.iter().filter_map(|part| part.get("properties")?.get(name));
        fields.next().map(|node| self.schema.place(node)).or_else(|| self.named())
    }

    /// The place behind any name, where names are not those of fields.
    pub(crate) fn named(&self) -> Option<Self> {
        let mut named =
            self.parts.iter().filter_map(|part| part.get("patternProperties")?.as_object()?.values().next());
        named.next().map(|node| self.schema.place(node))
    }

    /// The place of an item of a list.
    pub(crate) fn item(&self) -> Option<Self> {
        self.first("items").map(|node| self.schema.place(node))
    }

    /// The place of what a list holds in the end; this one if it is none.
    pub(crate) fn within_lists(&self) -> Self {
        self.item().map_or_else(|| self.clone(), |item| item.within_lists())
    }

    /// The place of what holds fields: that of any name, and of any item.
    pub(crate) fn object(&self) -> Self {
        let inner = self.within_lists();
        inner.named().unwrap_or(inner)
    }

    /// The fields of an object, required ones first.
    pub(crate) fn fields(&self) -> Vec<Field<'s>> {
        let mut fields = Vec::new();
        for part in &self.parts {
            let Some(properties) = part.get("properties").and_then(Value::as_object) else { continue };
            let required = part.get("required").and_then(Value::as_array);
            for (name, node) in properties {
                let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
                fields.push(Field { name, place: self.schema.place(node), is_required });
            }
        }
        fields.sort_by_key(|field| !field.is_required);
        fields
    }

    /// Those of the places below `path` that have a field of this name.
    fn collect_places(&self, wanted: &str, path: String, found: &mut Vec<String>) {
        let inner = self.within_lists();
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(named) = inner.named() {
            named.collect_places(wanted, below("NAME"), found);
        }
        let fields = inner.fields();
        if fields.iter().any(|field| field.name == wanted) {
            found.push(if path.is_empty() { "the top of the document".to_owned() } else { path.clone() });
        }
        for Field { name, place, .. } in fields {
            place.collect_places(wanted, below(name), found);
        }
    }

    fn collect_names(&self, found: &mut BTreeSet<String>) {
        let inner = self.object();
        for Field { name, place, .. } in inner.fields() {
            found.insert(name.to_owned());
            place.collect_names(found);
        }
    }

    /// The words that may stand there, each with what it means.
    pub(crate) fn words(&self) -> Vec<(&'s str, &'s str)> {
        let word = |part: &&'s Value| Some((part.get("const")?.as_str()?, part.get("description")?.as_str()?));
        self.parts.iter().filter_map(word).collect()
    }

    pub(crate) fn description(&self) -> &'s str {
        self.first("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// What may stand there, as YAML.
    pub(crate) fn example(&self) -> Option<String> {
        self.first("examples")?.get(0).map(yaml)
    }

    /// Whether one of the kinds of value is this one of JSON Schema.
    pub(crate) fn takes(&self, kind: &str) -> bool {
        self.parts.iter().any(|part| part.get("type").is_some_and(|found| found == kind))
    }

    /// Whether a number may stand there.
    pub(crate) fn takes_number(&self) -> bool {
        self.takes("integer") || self.takes("number")
    }

    /// The kinds of values that may stand there, in words.
    pub(crate) fn kinds(&self) -> String {
        let mut kinds: Vec<String> = Vec::new();
        for part in &self.parts {
            let listed = part.get("enum").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let words: Vec<String> = part.get("const").into_iter().chain(listed).map(yaml).collect();
            let kind = part.get("type").and_then(Value::as_str).filter(|_| words.is_empty());
            kinds.extend(words);
            kinds.extend(kind.map(|kind| self.kind(kind)));
        }
        kinds.dedup();
        match kinds.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }

    fn kind(&self, kind: &str) -> String {
        match kind {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => format!("list of {}", plural(&self.item().map_or_else(String::new, |item| item.kinds()))),
            "object" if self.named().is_some() => "object by name".to_owned(),
            other => other.to_owned(),
        }
    }

    fn first(&self, key: &str) -> Option<&'s Value> {
        self.parts.iter().find_map(|part| part.get(key))
    }
}

fn plural(kinds: &str) -> String {
    ["whole number", "text", "object"]
        .iter()
        .fold(kinds.to_owned(), |kinds, kind| kinds.replace(kind, &format!("{kind}s")))
}

/// Fields that people write before others.
const FIRST: [&str; 7] = ["name", "id", "when", "header", "version", "start", "weight"];

/// A value on one line of YAML, as people write it.
pub(crate) fn yaml(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
            let fields = fields.iter().map(|(name, value)| format!("{}: {}", scalar(name), yaml(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    if is_plain && crate::tree::is_text(text) { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &[&str], kinds: &str, example: Option<&str>) {
        let steps: Vec<Step> = path
            .iter()
            .map(|name| if *name == "[]" { Step::Item(0) } else { Step::Field((*name).to_owned()) })
            .collect();
        let schema = Schema::new();
        let place = schema.at(&steps).unwrap();
        assert_eq!((&*place.kinds(), place.example().as_deref()), (kinds, example), "{path:?}");
    }

    #[test]
    fn places() {
        check(&["access_log"], "true or false", None);
        check(&["cookie"], "false or object", Some("{name: canary, max_age: 30d}"));
        check(&["cookie", "max_age"], "text", Some("1d"));
        check(&["rollouts"], "object by name", Some("{shop: {stable: v1, versions: {v1: {}, v2: {weight: 10}}}}"));
        let entry = ["rollouts", "any", "match", "[]"];
        check(&entry, "object", None);
        check(&[&entry[..], &["path"]].concat(), "object", Some("{prefix: /checkout}"));
        check(&[&entry[..], &["hosts"]].concat(), "list of texts", Some("[shop.example.com, \"*.shop.example.com\"]"));
        check(&["rollouts", "a", "sticky", "hold"], "slot, version, page or none", None);
        check(&["rollouts", "a", "override", "trust"], "open, signed or object", Some("signed"));
        check(&["rollouts", "a", "versions", "v", "place"], "low, high or whole number", None);
        check(&["rollouts", "a", "guard", "failures", "status"], "list of whole numbers or texts", None);
    }

    #[test]
    fn what_is_not_there() {
        let schema = Schema::new();
        assert!(schema.at(&[Step::Field("rolouts".to_owned())]).is_none());
        assert!(schema.at(&[Step::Item(0)]).is_none());
    }
}
