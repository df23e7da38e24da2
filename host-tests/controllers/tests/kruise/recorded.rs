//! What `OpenKruise`'s own manager of scripts (`pkg/util/luamanager` of openkruise/rollouts 9dd6279, with gopher-lua) has made of
//! the script, line by line: the object that it was handed, and the result or the first line of the error. The interpreter of
//! these tests has to make the same of it.

use serde_json::Value;

use crate::manager::run_on;
use crate::script;

const RECORDED: &str = include_str!("recorded.jsonl");

#[test]
fn the_interpreter_does_what_openkruise_does() {
    let rows: Vec<Value> = RECORDED.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert!(rows.iter().any(|row| row["error"].is_string()) && rows.iter().any(|row| row["result"].is_object()));
    for row in rows {
        let about = &row["about"];
        match run_on(&script(row["kind"].as_str().expect("a kind")), &row["obj"]) {
            Ok(result) => assert_eq!(result, row["result"], "{about}"),
            Err(error) => {
                let expected = row["error"].as_str().unwrap_or_else(|| panic!("{about}: {error}"));
                assert!(error.contains(expected), "{about}: {error}");
            }
        }
    }
}
