//! The clusters and routes of scenarios that name none.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serin_host::scenario::Scenario;

const BARE: &str = "{about: a, steps: [{request: {}}]}";
const OWN: &str = "{about: a, clusters: {own: {}}, steps: [{request: {}}]}";

fn clusters(scenario: &Scenario) -> Vec<&str> {
    scenario.routes.clusters.keys().map(String::as_str).collect()
}

#[test]
fn a_folder_has_those_of_the_files_below_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("area"))?;
    for (name, text) in [("area/bare.yaml", BARE), ("area/own.yaml", OWN)] {
        fs::write(at(name), text)?;
    }
    let check = |expected: [&[&str]; 2]| -> Result<()> {
        let all = Scenario::load_all(folder.path())?;
        assert_eq!(expected.to_vec(), all.iter().map(clusters).collect::<Vec<_>>());
        assert_eq!(expected[0], clusters(&Scenario::load(&at("area/bare.yaml"))?));
        Ok(())
    };
    check([&["v1"], &["own"]])?;
    fs::write(at("defaults.yaml"), "{clusters: {a: {}, b: {}}, routes: [{match: {prefix: /}, cluster: b}]}")?;
    check([&["a", "b"], &["own"]])?;
    fs::write(at("defaults.yaml"), "cluster: {a: {}}")?;
    let error = format!("{:#}", Scenario::load_all(folder.path()).unwrap_err());
    assert!(error.contains("defaults.yaml") && error.contains("unknown field"), "{error}");
    assert!(Scenario::load_all(Path::new("no such folder")).is_err());
    Ok(())
}
