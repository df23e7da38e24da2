//! The rules of a definition (`x-kubernetes-validations`), which are in the Common Expression Language.

mod functions;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use cel::{Context, Env, Program, Value as Cel, extensions};
use serde_json::Value;

use crate::defaults::of_field;
use crate::kind::Problem;
use crate::places;

/// The rules of a kind, compiled.
pub(crate) struct Rules {
    env: Arc<Env>,
    /// By their text.
    programs: BTreeMap<String, Program>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.programs.keys()).finish()
    }
}

impl Rules {
    /// Those at every level of a schema.
    ///
    /// # Errors
    /// If one of them cannot be compiled, or calls a function that is not there.
    pub(crate) fn of(schema: &Value) -> Result<Self> {
        let mut env = Env::stdlib();
        env.add_extension(extensions::strings)?;
        let mut rules = Self { env: Arc::new(env), programs: BTreeMap::new() };
        let mut found = Vec::new();
        collect(schema, &mut found);
        for rule in found {
            let text = text(rule)?;
            if !rules.programs.contains_key(text) {
                let program = rules.compile(text).with_context(|| format!("the rule {text}"))?;
                rules.programs.insert(text.to_owned(), program);
            }
        }
        Ok(rules)
    }

    fn compile(&self, text: &str) -> Result<Program> {
        let program = self.env.compile(text).map_err(|errors| anyhow!("{errors}"))?;
        let mut context = self.context();
        for function in program.references().functions() {
            let is_operator = !function.starts_with(|first: char| first.is_ascii_alphabetic());
            // A name that is taken cannot be given again.
            let is_known = functions::NAMES.contains(&function) || context.add_function(function, || true).is_err();
            ensure!(is_operator || is_known, "there is no function {function}");
        }
        Ok(program)
    }

    /// What rules may call.
    fn context(&self) -> Context<'_, '_> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        functions::add(&mut context);
        context
    }

    /// Asks every rule for the values that it is about.
    pub(crate) fn check(&self, resource: &Value, schema: &Value, problems: &mut Vec<Problem>) {
        self.check_at("", resource, schema, problems);
    }

    fn check_at(&self, place: &str, value: &Value, schema: &Value, problems: &mut Vec<Problem>) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            // A value that may be null, and is, is asked nothing.
            if let (false, Err(message)) = (value.is_null(), self.ask(rule, value, schema, place.is_empty())) {
                problems.push(Problem { place: place.to_owned(), message });
            }
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if let Some(schema) = of_field(schema, name) {
                        self.check_at(&places::field(place, name), value, schema, problems);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check_at(&places::item(place, index), item, &schema["items"], problems);
                }
            }
            _ => {}
        }
    }

    /// Asks a rule; the error says why it does not hold, or why it cannot tell.
    fn ask(&self, rule: &Value, value: &Value, schema: &Value, is_root: bool) -> Result<(), String> {
        let text = rule["rule"].as_str().unwrap_or_default();
        let program = self.programs.get(text).ok_or_else(|| format!("the rule {text} is not compiled"))?;
        let mut context = self.context();
        let of_self = if is_root { values::of_resource(value, schema) } else { values::of(value, schema) };
        context.add_variable_from_value("self", of_self.unwrap_or(Cel::Null));
        if program.references().has_variable("oldSelf") {
            return Ok(()); // A rule about changes, and the resource is new.
        }
        match program.execute(&context) {
            Ok(Cel::Bool(true)) => Ok(()),
            Ok(Cel::Bool(false)) => Err(rule["message"].as_str().unwrap_or(text).to_owned()),
            Ok(other) => Err(format!("the rule {text} gives {other:?}, which is neither true nor false")),
            Err(error) => Err(format!("the rule {text} cannot be evaluated: {error}")),
        }
    }
}

/// The rules at every level of a schema.
fn collect<'a>(schema: &'a Value, rules: &mut Vec<&'a Value>) {
    rules.extend(schema["x-kubernetes-validations"].as_array().into_iter().flatten());
    let fields = schema["properties"].as_object().into_iter().flat_map(serde_json::Map::values);
    let others = ["items", "additionalProperties"].into_iter().filter_map(|name| schema.get(name));
    fields.chain(others).for_each(|schema| collect(schema, rules));
}

/// The text of a rule, of which nothing may change what it means.
fn text(rule: &Value) -> Result<&str> {
    let fields = rule.as_object().context("a rule is no object")?;
    let strange = fields.keys().find(|name| !["rule", "message", "reason", "fieldPath"].contains(&name.as_str()));
    ensure!(strange.is_none(), "a rule has {strange:?}, which is not understood");
    rule["rule"].as_str().context("a rule has no text")
}
