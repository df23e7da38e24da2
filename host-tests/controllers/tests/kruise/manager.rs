//! What `OpenKruise` Rollouts does with a script: `pkg/util/luamanager` and `executeLuaForCanary`, with their ways of turning
//! JSON into Lua and back.

use std::collections::HashSet;
use std::ffi::c_void;

use mlua::{Lua, LuaOptions, StdLib, Table, Value as LuaValue};
use serde_json::{Map, Number, Value, json};

/// A step of a Rollout, as far as the script gets to see it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// -1 where the step has no `traffic`.
    pub(crate) weight: i32,
    /// Null where it has no `matches`.
    pub(crate) matches: Value,
    pub(crate) request_header_modifier: Value,
}

impl Step {
    pub(crate) fn traffic(weight: i32) -> Self {
        Self { weight, matches: Value::Null, request_header_modifier: Value::Null }
    }

    pub(crate) fn matches(matches: Value) -> Self {
        Self { matches, ..Self::traffic(-1) }
    }
}

/// Runs a script on what `OpenKruise` keeps of a resource, and gives what it would write back.
pub(crate) fn run(script: &str, resource: &Value, step: &Step) -> Result<Value, String> {
    let metadata = &resource["metadata"];
    let object = json!({
        "data": {
            "spec": resource["spec"],
            "labels": metadata["labels"],
            "annotations": metadata["annotations"],
        },
        "canaryWeight": step.weight,
        "stableWeight": 100 - step.weight,
        "matches": step.matches,
        "canaryService": "reviews-canary",
        "stableService": "reviews",
        "requestHeaderModifier": step.request_header_modifier,
    });
    run_on(script, &object)
}

/// Runs a script on the very object that `OpenKruise` hands to it.
pub(crate) fn run_on(script: &str, object: &Value) -> Result<Value, String> {
    // gopher-lua is Lua 5.1; the base library is always there.
    let lua = Lua::new_with(StdLib::MATH | StdLib::TABLE | StdLib::STRING, LuaOptions::new()).map_err(text)?;
    lua.globals().set("obj", decode(&lua, object).map_err(text)?).map_err(text)?;
    let returned: LuaValue = lua.load(script).eval().map_err(text)?;
    if !returned.is_table() {
        return Err(format!("expect table output from Lua script, not {}", returned.type_name()));
    }
    encode(&returned, &mut HashSet::new())
}

fn text(error: mlua::Error) -> String {
    error.to_string()
}

/// `decodeValue`: a null is nothing, and so is lost with its field.
fn decode(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(value) => LuaValue::Boolean(*value),
        Value::Number(number) => LuaValue::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => LuaValue::String(lua.create_string(text)?),
        Value::Array(items) => {
            let table = lua.create_table()?;
            for item in items {
                table.raw_push(decode(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Object(fields) => {
            let table = lua.create_table()?;
            for (name, field) in fields {
                table.raw_set(name.as_str(), decode(lua, field)?)?;
            }
            LuaValue::Table(table)
        }
    })
}

/// `Encode`: an empty table is null, and no table may come twice, even where nothing is nested.
fn encode(value: &LuaValue, visited: &mut HashSet<*const c_void>) -> Result<Value, String> {
    match value {
        LuaValue::Nil => Ok(Value::Null),
        LuaValue::Boolean(value) => Ok(Value::Bool(*value)),
        LuaValue::Integer(number) => Ok(json!(number)),
        LuaValue::Number(number) => encode_number(*number),
        LuaValue::String(text) => Ok(Value::String(text.to_string_lossy())),
        LuaValue::Table(table) if !visited.insert(table.to_pointer()) => {
            Err("cannot encode recursively nested tables to JSON".into())
        }
        LuaValue::Table(table) => encode_table(table, visited),
        other => Err(format!("cannot encode {} to JSON", other.type_name())),
    }
}

/// As Go's `json.Marshal` writes a float64: a whole one has no point.
fn encode_number(number: f64) -> Result<Value, String> {
    let whole = number as i64;
    if whole as f64 == number {
        return Ok(json!(whole));
    }
    Number::from_f64(number).map(Value::Number).ok_or_else(|| format!("unsupported value: {number}"))
}

fn encode_table(table: &Table, visited: &mut HashSet<*const c_void>) -> Result<Value, String> {
    let (mut items, mut fields) = (Vec::new(), Map::new());
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, value) = pair.map_err(text)?;
        let value = encode(&value, visited)?;
        match key {
            LuaValue::String(name) => drop(fields.insert(name.to_string_lossy(), value)),
            LuaValue::Integer(index) if index == items.len() as i64 + 1 => items.push(value),
            LuaValue::Integer(_) | LuaValue::Number(_) => return Err("cannot encode sparse array".into()),
            _ => return Err("cannot encode mixed or invalid key types".into()),
        }
    }
    match (items.is_empty(), fields.is_empty()) {
        (true, true) => Ok(Value::Null),
        (false, true) => Ok(Value::Array(items)),
        (true, false) => Ok(Value::Object(fields)),
        (false, false) => Err("cannot encode mixed or invalid key types".into()),
    }
}
